#include <math.h>
#include <stdio.h>

#include "jobs/over_seeds.h"
#include "jobs/perception.h"
#include "jobs/score_classifier.h"

/* Precision and recall by the classifier's features; new or not by the bytes. */
static void print_diversity(const struct classifier_scores *c) {
  printf("\n%-28s %15s %15s %15s %15s\n", "", "precision", "recall", "memorised", "nearest");
  for (size_t i = 0; i < c->n_rows; i++) {
    const struct classifier_row *r = &c->rows[i];
    printf("%-28s %15.3f %15.3f %13.1f %% %15.2f\n", r->point.name, r->precision, r->recall, 100 * r->nearest.memorised,
           r->nearest.distance);
  }
  printf("%-28s %15s %15s %13.1f %% %15.2f\n", "held-out images", "", "", 100 * c->held_out.memorised, c->held_out.distance);
  printf("memorised: of %zu images those whose nearest of %zu training images is less than a third as far as the next;\n"
         "nearest: how far it is in the mean, of 255 (root mean square over an image)\n",
         c->held_out.n, c->seen.count[SPLIT_TRAIN]);
}

/* Both values of each row, and over the seeds. */
static void print_splits(const struct classifier_scores *c) {
  const size_t seeds = c->words->sweep->seeds;
  score_splits_head("FID[classifier]", "KID[classifier]");
  for (size_t i = 0; i < c->n_rows; i++) {
    const struct classifier_row *r = &c->rows[i];
    const struct score_splits splits = score_classifier_splits(r);
    score_splits_row(r->point.name, &splits, score_rank_deficient(&r->score) || score_rank_deficient(&r->train));
  }
  for (size_t i = score_classifier_setting(c, 0); i < c->n_rows; i = score_classifier_setting(c, i + seeds)) {
    const struct over_seeds o = score_classifier_seeds(c, i);
    score_splits_seeds(&o);
  }
  score_splits_foot(c->data.count[SPLIT_HELDOUT], c->training);
}

static void print_over_seeds(const struct classifier_scores *c) {
  const size_t seeds = c->words->sweep->seeds;
  for (size_t i = score_classifier_setting(c, 0); i < c->n_rows; i = score_classifier_setting(c, i + seeds)) {
    const struct over_seeds o = score_classifier_seeds(c, i);
    enum { FID, KID, AGREEMENT };
    printf("over %zu seeds, %s: FID[classifier] %.3f +- %.3f, KID[classifier] %.4g +- %.2g", seeds, o.images, o.number[FID].mean,
           o.number[FID].deviation, o.number[KID].mean, o.number[KID].deviation);
    if (!isnan(o.number[AGREEMENT].mean))
      printf(", label agreement %.1f +- %.1f %%", 100 * o.number[AGREEMENT].mean, 100 * o.number[AGREEMENT].deviation);
    puts("");
  }
}

void score_classifier_table(const struct classifier_scores *c) {
  char guided[128] = "no classes";
  double clipped = 0;
  const int sweep = sweep_is(c->words->sweep);
  if (c->generate.n_labels && !sweep)
    snprintf(guided, sizeof guided, "omega %g in [%g, %g]", c->sampler.omega, c->sampler.t_min, c->sampler.t_max);
  printf("%s: step %llu, ", c->t.path, (unsigned long long)c->t.step);
  if (sweep) printf("a sweep, ");
  else printf("%s, %s, ", c->t.ema, guided);
  if (c->words->sweep->seeds > 1) printf("seeds %s\n", c->words->seeds);
  else printf("seed %llu\n", (unsigned long long)sweep_seed(c->words->sweep, &c->t.s));
  printf("N %zu against %zu held-out images of %s\n", c->n, c->data.count[SPLIT_HELDOUT], c->data_path);
  printf("classifier %s: %d features, names %.1f %% of the held-out images rightly (%s)\n", c->judge.hash, CLASSIFIER_FEATURES,
         100 * c->judge.accuracy, c->judge_path);
  if (c->role == EVALUATOR_HALF)
    printf("it was trained on %s%s\n", evaluator_trained_on(c->role),
           perception_by_classifier(&c->t.s) ? "; the run's loss looked through another, trained on the first half" : "");
  if (c->n < SCORE_FEW) printf("few samples (N below %d): FID[classifier] is biased\n", SCORE_FEW);
  if (score_classifier_deficient(c))
    printf("N < D: no more images than features, the covariance is rank-deficient: compare with nothing of another N\n");
  printf("\n%-28s %15s %15s %15s %15s\n", "", "FID[classifier]", "KID[classifier]", "label agreement", "of class means");
  for (size_t i = 0; i < c->n_rows; i++) {
    const struct classifier_row *r = &c->rows[i];
    char name[160], agreement[32] = "-", part[32] = "-";
    snprintf(name, sizeof name, r->score.n < c->n ? "%s (N %zu)" : "%s", r->point.name, r->score.n);
    if (!isnan(r->score.agreement)) snprintf(agreement, sizeof agreement, "%.1f %%", 100 * r->score.agreement);
    if (!isnan(c->class_means) && r->score.frechet > 0)
      snprintf(part, sizeof part, "1/%.3g", c->class_means / r->score.frechet);
    printf("%-28s %15.3f %15.4g %15s %15s%s\n", name, r->score.frechet, r->score.kernel, agreement, part,
           score_rank_deficient(&r->score) ? "  N < D" : "");
    clipped = fmax(clipped, r->score.clipped);
  }
  print_over_seeds(c);
  printf("%s", score_clipped(clipped, (char[SCORE_CLIPPED]){ "" }));
  if (c->training) print_splits(c);
  if (c->words->diversity) print_diversity(c);
}
