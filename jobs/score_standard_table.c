#include <math.h>
#include <stdio.h>

#include "jobs/over_seeds.h"
#include "jobs/score_standard.h"

enum { D = INCEPTION_FEATURES };

static void number(char text[32], const char *format, double value) {
  if (isfinite(value)) snprintf(text, 32, format, value);
  else snprintf(text, 32, "-");
}

static void print_over_seeds(const struct standard_scores *j) {
  enum { FID, IS, KID };
  const size_t seeds = j->words->sweep->seeds;
  for (size_t i = 0; seeds > 1 && i < j->n_rows; i += seeds) {
    const struct over_seeds o = score_standard_seeds(j, i);
    char t[4][32];
    number(t[0], "%.2f", o.number[IS].mean), number(t[1], "%.2f", o.number[IS].deviation);
    number(t[2], "%.5f", o.number[KID].mean), number(t[3], "%.5f", o.number[KID].deviation);
    printf("over %zu seeds, %s: %.3f +- %.3f, Inception Score %s +- %s, KID %s +- %s\n", seeds, o.images, o.number[FID].mean,
           o.number[FID].deviation, t[0], t[1], t[2], t[3]);
  }
}

/* Both values of each row, and over the seeds. */
static void print_splits(const struct standard_scores *j, const char *fid) {
  const size_t seeds = j->words->sweep->seeds;
  score_splits_head(fid, "KID");
  for (size_t i = 0; i < j->n_rows; i++) {
    const struct standard_row *r = &j->rows[i];
    const struct score_splits splits = score_standard_splits(r);
    score_splits_row(r->point.name, &splits, score_standard_deficient(&r->score) || score_standard_deficient(&r->train));
  }
  for (size_t i = 0; seeds > 1 && i < j->n_rows; i += seeds) {
    const struct over_seeds o = score_standard_seeds(j, i);
    score_splits_seeds(&o);
  }
  score_splits_foot(j->reference, j->training);
}

static void print_row(const struct standard_row *row) {
  const struct standard_score *r = &row->score;
  char t[8][32];
  number(t[0], "%.3f", r->fid), number(t[1], "%.3f", r->fid_infinite);
  number(t[2], "%.2f", r->is), number(t[3], "%.2f", r->is_deviation);
  number(t[4], "%.5f", r->kid), number(t[5], "%.5f", r->kid_deviation);
  number(t[6], "%.3f", r->precision), number(t[7], "%.3f", r->recall);
  printf("%-28s %12s %12s %10s +-%8s %10s +-%9s %9s %9s%s\n", row->point.name, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7],
         score_standard_deficient(r) ? "  N < D" : "");
}

void score_standard_table(const struct standard_scores *j) {
  char fid[64];
  score_standard_name(j, fid);
  if (j->from_net) printf("%s, %s: ", j->t.path, sweep_is(j->words->sweep) ? "a sweep" : j->t.ema);
  else printf("%s: ", j->words->images);
  printf("N %zu against ", j->n);
  if (*j->statistics) printf("the statistics of %s", j->statistics);
  if (*j->statistics && j->known) printf(", which are those of ");
  if (!*j->statistics || j->known) printf("the %s images of %s", score_standard_split(j), j->data_path);
  puts("");
  printf("network %s (hash %s, SHA-256 of its source %s)\n", j->words->inception, j->standard.facts.hash,
         *j->standard.facts.sha256[0] ? j->standard.facts.sha256[0] : "unknown");
  if (!j->standard.standard_weights)
    printf("these are not the weights that FID is defined by: compare nothing with published numbers\n");
  printf("\n%-28s %12s %12s %20s %21s %9s %9s\n", "", fid, "N -> inf", "Inception Score", "KID", "precision", "recall");
  for (size_t i = 0; i < j->n_rows; i++) print_row(&j->rows[i]);
  print_over_seeds(j);
  for (size_t i = 0; i < j->n_rows; i++)
    if (score_standard_deficient(&j->rows[i].score)) {
      printf("N < D: no more images than the %d features, the covariance is rank-deficient: compare with nothing of another N\n",
             D);
      break;
    }
  double clipped = 0;
  for (size_t i = 0; i < j->n_rows; i++) clipped = fmax(clipped, j->rows[i].score.clipped);
  printf("%s", score_clipped(clipped, (char[SCORE_CLIPPED]){ "" }));
  if (j->training) print_splits(j, fid);
}
