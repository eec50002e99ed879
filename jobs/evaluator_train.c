#include "jobs/evaluator_train.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/loader.h"
#include "io/progress.h"
#include "io/stop.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/shard.h"
#include "src/base/status.h"
#include "src/optim/adam.h"
#include "src/optim/schedule.h"

enum { BATCH = 128, SHARD = 16, EPOCHS = 3, STEPS_AT_LEAST = 300 };
static const double rate = 3e-3, warmup = 50;

/* What a thread needs for a shard. */
struct part {
  struct classifier_work work;
  real *features, *logits;
};
struct training {
  const struct classifier *net;
  const struct world *w;
  size_t batch, shards;              /* images in a batch, of all ranks; its shards */
  size_t first, count, images;       /* this rank's shards and their images */
  struct arena arena;
  real *grads;                       /* [shards][table.size] */
  real *m, *s, *x;                   /* moments; the rank's images */
  int32_t y[BATCH];
  struct part *parts;                /* [threads] */
  struct loader *loader;
};

static size_t batch_of(const struct dataset *d) {
  return d->count[SPLIT_TRAIN] < BATCH ? d->count[SPLIT_TRAIN] : BATCH;
}
size_t evaluator_train_steps(const struct dataset *d) {
  const size_t steps = EPOCHS * (d->count[SPLIT_TRAIN] / batch_of(d));
  return steps > STEPS_AT_LEAST ? steps : STEPS_AT_LEAST;
}
double evaluator_train_epochs(const struct dataset *d) {
  return (double)(evaluator_train_steps(d) * batch_of(d)) / (double)d->count[SPLIT_TRAIN];
}

/* A thread without a shard of its own needs no room. */
static int threads_of(const struct training *t) {
  const int most = omp_get_max_threads(), shards = t->count > 1 ? (int)t->count : 1;
  return most < shards ? most : shards;
}

static void layout(struct training *t) {
  const int threads = threads_of(t);
  const size_t n = t->net->table.size, pixels = t->net->size * t->net->size * t->net->channels;
  t->grads = arena_take(&t->arena, t->shards * n);
  t->m = arena_take(&t->arena, n);
  t->s = arena_take(&t->arena, n);
  t->x = arena_take(&t->arena, t->images * pixels);
  for (int i = 0; i < threads; i++) {
    struct part *p = &t->parts[i];
    classifier_layout(&t->arena, t->net, SHARD, 1, &p->work);
    p->features = arena_take(&t->arena, SHARD * CLASSIFIER_FEATURES);
    p->logits = arena_take(&t->arena, SHARD * t->net->classes);
  }
}

/* Local. */
static int start(struct training *t, const struct classifier *net, const struct world *w, const struct dataset *d,
                 uint64_t seed) {
  *t = (struct training){ .net = net, .w = w, .batch = batch_of(d) };
  t->shards = (t->batch + SHARD - 1) / SHARD;
  t->first = shard_first(t->shards, w->rank, w->ranks);
  t->count = shard_count(t->shards, w->rank, w->ranks);
  const size_t begin = t->first * SHARD, end = (t->first + t->count) * SHARD;
  t->images = (end < t->batch ? end : t->batch) - begin;
  t->parts = calloc((size_t)threads_of(t), sizeof *t->parts);
  if (!t->parts) return because(STATUS_NOMEM, "no memory to train a classifier");
  layout(t);
  const size_t planned = evaluator_train_count(net, w->ranks);
  assert(t->arena.used <= planned);
  (void)planned;
  int status = arena_init(&t->arena);
  if (status) return status;
  layout(t);
  return loader_start(&t->loader, d, seed, false, t->batch, begin, t->images, 0);
}

size_t evaluator_train_count(const struct classifier *net, int ranks) {
  struct training t = { .net = net, .shards = BATCH / SHARD, .count = shard_most(BATCH / SHARD, ranks) };
  t.images = t.count * SHARD;
  t.parts = calloc((size_t)threads_of(&t), sizeof *t.parts);
  if (t.parts) layout(&t);
  free(t.parts);
  return t.arena.used;
}

static void end(struct training *t) {
  loader_stop(t->loader);
  arena_free(&t->arena);
  free(t->parts);
}

/* The gradients of this rank's shards, a thread each. */
static void gradients(const struct training *t, const real *weights) {
  const size_t n = t->net->table.size, pixels = t->net->size * t->net->size * t->net->channels;
#pragma omp parallel for schedule(dynamic) num_threads(threads_of(t))
  for (size_t i = 0; i < t->count; i++) {
    const size_t at = i * SHARD, images = t->images - at < SHARD ? t->images - at : SHARD;
    const struct part *p = &t->parts[omp_get_thread_num()];
    real *g = t->grads + (t->first + i) * n;
    memset(g, 0, n * sizeof *g);
    classifier_forward(t->net, weights, &p->work, images, t->x + at * pixels, p->features, p->logits);
    classifier_backward(t->net, weights, &p->work, images, p->logits, t->y + at, g);
  }
}

static int owner(const struct training *t, size_t shard) {
  int k = 0;
  while (shard_first(t->shards, k + 1, t->w->ranks) <= shard) k++;
  return k;
}

/* COLLECTIVE where the shards [lo, hi) may lie apart, on several ranks; else local to their owner. The first one's gradient
 * becomes the sum of all of them: half plus half, each summed likewise. A half that one rank owns travels as one. */
static void add_up(const struct training *t, size_t lo, size_t hi, int apart) {
  const size_t n = t->net->table.size, middle = lo + (hi - lo) / 2;
  const int root = owner(t, lo), split = apart && owner(t, hi - 1) != root;
  real *sum = t->grads + lo * n, *other = t->grads + middle * n;
  if (hi - lo > 1 && (split || root == t->w->rank)) {
    add_up(t, lo, middle, split);
    add_up(t, middle, hi, split);
    for (size_t i = 0; i < n; i++) sum[i] += other[i];
  }
  if (apart && !split && t->w->ranks > 1) spread(t->w->comm, root, n * sizeof *sum, sum);
}

/* COLLECTIVE. */
static int step(struct training *t, uint64_t k, double now, real *weights) {
  static const struct adam adam = { .b1 = 0.9, .b2 = 0.999 };
  const size_t n = t->net->table.size;
  int status = loader_next(t->loader, t->x, t->y, NULL);
  if (!status && stop_reason(NULL, 0))
    status = because(STATUS_SAVED, "stopped while the classifier was learning: nothing was there to save; the same command begins again");
  status = agree(t->w->comm, status);
  if (status) return status;
  gradients(t, weights);
  add_up(t, 0, t->shards, 1);
  const real scale = 1 / (real)t->batch;
  for (size_t i = 0; i < n; i++) t->grads[i] *= scale;
  adam_update(&adam, n, k, now, t->grads, t->m, t->s, weights);
  return STATUS_OK;
}

static int check_finite(size_t n, const real *weights) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(weights[i])) return because(STATUS_DIVERGED, "training the classifier ended in weights that are no numbers");
  return STATUS_OK;
}

int evaluator_train(const struct classifier *net, const struct world *w, const struct dataset *d, uint64_t seed,
                    size_t steps, real *weights, int show) {
  struct training t;
  struct progress progress;
  const struct schedule schedule = { .cosine = 1, .rate = rate, .warmup = warmup, .steps = (double)steps };
  int status = agree(w->comm, start(&t, net, w, d, seed));
  table_init_weights(&net->table, seed, weights);
  progress_start(&progress, steps * t.batch, 1, 0);
  for (size_t k = 0; k < steps && !status; k++) {
    status = step(&t, k + 1, schedule_rate(&schedule, k), weights);
    if (show) progress_count(&progress, "images", (k + 1) * t.batch);
  }
  if (progress.live) fputc('\n', stderr);
  if (!status) status = check_finite(net->table.size, weights);
  end(&t);
  return status;
}
