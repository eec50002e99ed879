#include "jobs/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/folder.h"
#include "io/generations.h"
#include "io/progress.h"
#include "jobs/judge.h"
#include "jobs/precision.h"
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

/* Rank 0: RUN/best of an earlier start, if it is by the same classifier and its checkpoint is there. */
static void read_best(struct evaluation *e, const char *run, uint64_t step) {
  char path[TEXT_MAX + 64], hash[20] = "";
  unsigned long long at = 0;
  double best = INFINITY;
  e->best = INFINITY;
  snprintf(path, sizeof path, "%s/%s", run, best_file);
  if (!step || access(path, R_OK)) return;   /* a run from the beginning has no past */
  snprintf(path, sizeof path, "%s/%s", run, best_note);
  FILE *f = fopen(path, "r");
  if (!f) return;
  const int found = fscanf(f, "FID[classifier] %lf at step %llu by classifier %19s", &best, &at, hash);
  fclose(f);
  if (found != 3 || strcmp(hash, e->judge.hash)) return;
  e->best = best;
  e->best_step = at;
}

static size_t reference_count(const struct settings *s, const struct dataset *d) {
  const size_t all = d->count[SPLIT_HELDOUT], most = (size_t)s->fid.num_samples;
  return all < most ? all : most;
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
  matmul_set_precision(MATMUL_F32);
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
  if (w->rank == 0) read_best(e, run, t->state.step);
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
  char path[TEXT_MAX + 64], line[256];
  const int status = state_save_as(e->w, &t->state, &t->net, run, best_file, t->text);
  if (status || e->w->rank > 0) return status;
  snprintf(path, sizeof path, "%s/%s", run, best_file);
  generations_drop(path);
  e->best = score->frechet;
  e->best_step = t->state.step;
  snprintf(line, sizeof line, "FID[classifier] %.17g at step %llu by classifier %s\n", e->best,
           (unsigned long long)e->best_step, e->judge.hash);
  return folder_write(run, best_note, line);
}

int evaluate_now(struct evaluation *e, struct trainer *t, const char *run, struct score *score, int *improved) {
  e->weights = chosen_weights(t);
  const struct generated_images generated = { &e->generate, e->weights };
  const struct source source = source_generated(&generated);
  const double clock = progress_clock();
  *improved = 0;
  e->last = t->state.step;
  matmul_set_precision(MATMUL_F32);   /* as pmf score has it */
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
  const size_t judge = evaluator_count((size_t)s->dataset.image_size, (size_t)s->dataset.image_channels,
                                       (size_t)(s->dataset.num_classes ? s->dataset.num_classes : 1));
  const size_t scorer = scorer_count(n->pixels, (size_t)s->fid.num_samples, (size_t)s->fid.online_samples, ranks);
  return (judge + generate_count(n) + scorer) * sizeof(real);
}

void evaluate_close(struct evaluation *e) {
  scorer_free(&e->scorer);
  generate_free(&e->generate);
  evaluator_close(&e->judge);
}
