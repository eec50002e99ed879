#include "jobs/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/checkpoint.h"
#include "io/folder.h"
#include "io/generations.h"
#include "io/progress.h"
#include "jobs/judge.h"
#include "jobs/precision.h"
#include "jobs/saves.h"
#include "jobs/setup.h"
#include "mpi/agree.h"
#include "mpi/shard.h"
#include "src/base/matmul.h"
#include "src/base/status.h"

static const char *const best_file = "best.h5", *const best_note = "best";

/* COLLECTIVE. The array of the state that sampling.ema names (settings_check knows it). Where it lies in pieces they come
 * together in the gradient's place, which is free between two steps. */
static const real *chosen_weights(struct trainer *t) {
  const char *ema = t->s.sampling.ema;
  return state_whole(t->w, &t->state, &t->net, strcmp(ema, "raw") ? ema : "weights", t->step.grads);
}

static size_t reference_count(const struct settings *s, const struct dataset *d) {
  const size_t all = d->count[SPLIT_HELDOUT], most = (size_t)s->fid.num_samples;
  return all < most ? all : most;
}

/* What a score by settings s is of: two compare where all of this is the same. heldout: hash of the images it is against. */
static void describe(const struct evaluation *e, const struct settings *s, const struct dataset *d, const char *heldout,
                     char text[static sizeof e->measure]) {
  const struct sampler c = setup_sampler(s);
  const struct score of = { .n = (size_t)s->fid.online_samples, .reference = reference_count(s, d) };
  snprintf(text, sizeof e->measure,
           "of %zu images against %zu held-out ones (%s)%s: %.63s, %zu step%s, omega %.9g in [%.9g, %.9g], noise %.9g, seed %ld",
           of.n, of.reference, heldout, score_rank_deficient(&of) ? ", N < D" : "", s->sampling.ema, c.steps,
           c.steps > 1 ? "s" : "", c.omega, c.t_min, c.t_max, c.noise_scale, s->training.seed);
}

/* Notes of earlier programs do not say what they are of; the settings in the checkpoint beside them do. */
static void describe_kept(const struct evaluation *e, const struct dataset *d, const char *heldout, const char *path,
                          char text[static sizeof e->measure]) {
  struct checkpoint_info info = { 0 };
  struct settings s;
  settings_default(&s);
  if (!checkpoint_info(path, &info) && !settings_parse(&s, info.settings, strlen(info.settings), path))
    describe(e, &s, d, heldout, text);
  checkpoint_info_free(&info);
}

/* Rank 0: RUN/best of an earlier start, if its checkpoint is there and it is of the same measurement; else one line. */
static void read_best(struct evaluation *e, const struct trainer *t, const char *heldout, const char *run) {
  char path[TEXT_MAX + 64], hash[20] = "", measure[sizeof e->measure] = "";
  unsigned long long at = 0;
  double best = INFINITY;
  snprintf(path, sizeof path, "%s/%s", run, best_note);
  if (!t->state.step) return;   /* a run from the beginning has no past */
  FILE *f = fopen(path, "r");
  if (!f) return;
  const int found = fscanf(f, "FID[classifier] %lf at step %llu by classifier %19s ", &best, &at, hash);
  if (fgets(measure, sizeof measure, f)) measure[strcspn(measure, "\n")] = 0;
  fclose(f);
  snprintf(path, sizeof path, "%s/%s", run, best_file);
  if (found != 3 || access(path, R_OK)) return;
  if (!*measure) describe_kept(e, &t->data, heldout, path, measure);
  if (strcmp(hash, e->judge.hash) || strcmp(measure, e->measure)) {
    fprintf(stderr, "pmf: the best of %s is forgotten: FID[classifier] %.6g by classifier %s %s; from now on by %s %s\n", run, best,
            hash, measure, e->judge.hash, e->measure);
    return;
  }
  e->best = best;
  e->best_step = at;
}

/* Rank 0. What this start's scores are of, and the best so far. */
static int look_back(struct evaluation *e, const struct trainer *t, const char *run) {
  char heldout[CLASSIFIER_HASH];
  const int status = classifier_file_split(t->data.path, SPLIT_HELDOUT, heldout);
  if (status) return status;
  describe(e, &t->s, &t->data, heldout, e->measure);
  read_best(e, t, heldout, run);
  return STATUS_OK;
}

static int allocate(struct evaluation *e, const struct trainer *t) {
  const struct settings *s = &t->s;
  e->generate = (struct generate){ .net = &t->net, .sampler = setup_sampler(s), .seed = (uint64_t)s->training.seed,
                                   .n_labels = (size_t)s->dataset.num_classes };
  e->scorer = (struct scorer){ .w = e->w, .judge = &e->judge, .pixels = t->net.pixels,
                               .most = { (size_t)s->fid.num_samples, (size_t)s->fid.online_samples } };
  const int status = generate_init(&e->generate);
  return status ? status : scorer_init(&e->scorer);
}

/* The held-out images' features, and from their time and that of one chunk of generated ones the first guess. */
static int prepare(struct evaluation *e, const struct trainer *t) {
  const struct packed_images held_out = { &t->data, SPLIT_HELDOUT, reference_count(&t->s, &t->data) };
  const struct source reference = source_packed(&held_out);
  const size_t m = held_out.n, chunks = shard_most((e->n + EVALUATOR_CHUNK - 1) / EVALUATOR_CHUNK, e->w->ranks);
  double clock = progress_clock();
  const int status = scorer_reference(&e->scorer, &reference, m);
  if (status) return status;
  const double compare = progress_clock() - clock;   /* its features and its pairs; the score has as many pairs with it again */
  clock = progress_clock();
  generate_images(&e->generate, e->weights, 0, EVALUATOR_CHUNK, e->scorer.u8);
  e->guess = (progress_clock() - clock) * (double)chunks + compare * ((double)e->n / (double)m + 1);
  return STATUS_OK;
}

int evaluate_open(struct evaluation *e, const struct world *w, struct trainer *t, const char *run, int (*stop)(void *),
                  void *stop_context) {
  char path[TEXT_MAX + 64];
  *e = (struct evaluation){ .w = w, .every = (uint64_t)t->s.fid.every_steps, .share = t->s.fid.time_share,
                            .n = (size_t)t->s.fid.online_samples, .last = t->state.step, .best = INFINITY };
  if (!e->every) return STATUS_OK;
  e->weights = chosen_weights(t);
  enum evaluator_role role = EVALUATOR_JUDGE;
  int status = judge_choose(&t->s, NULL, &role);
  evaluator_path(t->s.dataset.root, role, path, sizeof path);
  precision_plain();
  const size_t held_out = t->data.count[SPLIT_HELDOUT];
  if (!status && held_out < 2)
    status = because(STATUS_BAD, "%s has %zu held-out images: fid.every_steps=%ld needs some to compare with", t->data.path,
                     held_out, t->s.fid.every_steps);
  if (!status) status = evaluator_open(&e->judge, role, w, &t->data, path, 0);
  if (!status) status = agree(w->comm, allocate(e, t));
  if (!status) status = prepare(e, t);
  precision_choose(w, &t->s);
  e->scorer.stop = stop;
  e->scorer.stop_context = stop_context;
  if (!status) status = agree(w->comm, w->rank ? STATUS_OK : look_back(e, t, run));
  evaluate_start(e);
  return status;
}

void evaluate_start(struct evaluation *e) { e->began = progress_clock(); }

int evaluate_due(const struct evaluation *e, uint64_t step, double to_save, double between_saves, double to_end) {
  if (!e->every || step / e->every == e->last / e->every) return 0;
  if (to_end >= 0 && to_end < e->guess) return 0;
  if (to_save >= 0 && to_save < fmin(e->guess, between_saves / 2)) return 0;   /* it comes after the save */
  return e->share >= 1 || e->spent + e->guess <= e->share * (progress_clock() - e->began);
}

/* COLLECTIVE. */
static int keep_best(struct evaluation *e, struct trainer *t, const char *run, const struct score *score) {
  char path[TEXT_MAX + 64], line[128 + sizeof e->measure];
  saves_by_mpi(run);
  const int status = state_save_as(e->w, &t->state, &t->net, run, best_file, t->text);
  saves_by_mpi(NULL);
  if (status || e->w->rank > 0) return status;
  snprintf(path, sizeof path, "%s/%s", run, best_file);
  generations_drop(path);
  e->best = score->frechet;
  e->best_step = t->state.step;
  snprintf(line, sizeof line, "FID[classifier] %.17g at step %llu by classifier %s\n%s\n", e->best,
           (unsigned long long)e->best_step, e->judge.hash, e->measure);
  return folder_write(run, best_note, line);
}

int evaluate_now(struct evaluation *e, struct trainer *t, const char *run, struct score *score, int *improved) {
  e->weights = chosen_weights(t);
  const struct generated_images generated = { &e->generate, e->weights };
  const struct source source = source_generated(&generated);
  const double clock = progress_clock();
  *improved = 0;
  e->last = t->state.step;
  precision_plain();   /* as pmf score has it */
  int status = scorer_score(&e->scorer, &source, e->n, score);
  precision_choose(e->w, &t->s);
  if (!status) *improved = agree_any(e->w->comm, e->w->rank == 0 && score->frechet < e->best);
  if (*improved) status = agree(e->w->comm, keep_best(e, t, run, score));
  const double seconds = progress_clock() - clock;
  e->spent += seconds;
  if (status != STATUS_SAVED) e->guess = seconds;
  return status;
}

size_t evaluate_bytes(const struct net *n, const struct settings *s, int ranks) {
  if (!s->fid.every_steps) return 0;
  const size_t judge = evaluator_count(EVALUATOR_JUDGE, (size_t)s->dataset.image_size, (size_t)s->dataset.image_channels,
                                       (size_t)(s->dataset.num_classes ? s->dataset.num_classes : 1));
  const size_t scorer = scorer_count(n->pixels, (size_t)s->fid.num_samples, (size_t)s->fid.online_samples, ranks);
  return (judge + generate_count(n) + scorer) * sizeof(real);
}

void evaluate_close(struct evaluation *e) {
  scorer_free(&e->scorer);
  generate_free(&e->generate);
  evaluator_close(&e->judge);
}
