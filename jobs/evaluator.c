#include "jobs/evaluator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/progress.h"
#include "jobs/evaluator_train.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/shard.h"
#include "src/base/matmul.h"
#include "src/base/status.h"

enum { ALL = -1 };
static const struct role {
  enum classifier_kind kind;
  uint64_t seed;
  int half;                                      /* dataset_half's, or ALL */
  const char *place, *part, *trained_on, *purpose;   /* in the file's name; in the file; for people */
} roles[] = {
  [EVALUATOR_JUDGE] = { CLASSIFIER_3X3, 1, ALL, "classifier", "all", "all training images", "judge with" },
  [EVALUATOR_LOSS] = { CLASSIFIER_5X5, 2, 0, "loss", "first half", "the first half of the training images",
                       "look through in the loss" },
  [EVALUATOR_HALF] = { CLASSIFIER_3X3, 1, 1, "judge", "second half", "the second half of the training images",
                       "judge with, where a loss looks through that of the other half" },
};

static size_t image_size(const struct evaluator *e) { return e->net.size * e->net.size * e->net.channels; }

static void layout(struct evaluator *e) {
  e->weights = arena_take(&e->arena, e->net.table.size);
  e->images = arena_take(&e->arena, EVALUATOR_CHUNK * image_size(e));
  e->features = arena_take(&e->arena, EVALUATOR_CHUNK * CLASSIFIER_FEATURES);
  e->logits = arena_take(&e->arena, EVALUATOR_CHUNK * e->net.classes);
  classifier_layout(&e->arena, &e->net, EVALUATOR_CHUNK, 0, &e->work);
}

size_t evaluator_count(enum evaluator_role role, size_t size, size_t channels, size_t classes) {
  struct evaluator counted = { 0 };
  if (!classifier_init_kind(&counted.net, roles[role].kind, size, channels, classes)) layout(&counted);
  const size_t n = counted.arena.used;
  classifier_free(&counted.net);
  return n;
}

size_t evaluator_learns_count(enum evaluator_role role, size_t size, size_t channels, size_t classes, int ranks) {
  struct classifier net = { 0 };
  const size_t n = classifier_init_kind(&net, roles[role].kind, size, channels, classes) ? 0 : evaluator_train_count(&net, ranks);
  classifier_free(&net);
  return n;
}

/* Local. */
static int prepare(struct evaluator *e, enum evaluator_role role, const struct dataset *d) {
  *e = (struct evaluator){ .role = role, .seed = roles[role].seed };
  if (d->classes < 2) return because(STATUS_BAD, "%s: one class only; a classifier needs two or more", d->path);
  if (!d->count[SPLIT_HELDOUT])
    return because(STATUS_BAD, "%s: no held-out images to test a classifier on; pack it with holdout=", d->path);
  int status = classifier_init_kind(&e->net, roles[role].kind, d->image_size, d->channels, d->classes);
  if (status) return because(status, "%s: %s", d->path, status_reason());
  layout(e);
  status = arena_init(&e->arena);
  if (!status) layout(e);
  return status;
}

/* The largest; of equals the first. */
static int32_t argmax(size_t n, const real *x) {
  size_t best = 0;
  for (size_t i = 1; i < n; i++)
    if (x[i] > x[best]) best = i;
  return (int32_t)best;
}

void evaluator_features(const struct evaluator *e, size_t n, const uint8_t *u8, float *features, int32_t *class) {
  const size_t pixels = image_size(e), classes = e->net.classes;
  for (size_t first = 0; first < n; first += EVALUATOR_CHUNK, u8 += EVALUATOR_CHUNK * pixels) {
    const size_t m = n - first < EVALUATOR_CHUNK ? n - first : EVALUATOR_CHUNK;
    for (size_t i = 0; i < m * pixels; i++) e->images[i] = ((real)u8[i] / 255 - (real)0.5) / (real)0.5;
    memset(e->images + m * pixels, 0, (EVALUATOR_CHUNK - m) * pixels * sizeof *e->images);
    classifier_forward(&e->net, e->weights, &e->work, EVALUATOR_CHUNK, e->images, e->features, e->logits);
    if (features) memcpy(features + first * CLASSIFIER_FEATURES, e->features, m * CLASSIFIER_FEATURES * sizeof *features);
    for (size_t i = 0; i < m && class; i++) class[first + i] = argmax(classes, e->logits + i * classes);
  }
}

/* Local. Adds to *right how many held-out images of chunk c are named rightly; u8 holds a chunk. */
static int count_right(const struct evaluator *e, const struct dataset *d, size_t c, uint8_t *u8, size_t *right) {
  const size_t first = c * EVALUATOR_CHUNK, left = d->count[SPLIT_HELDOUT] - first;
  const size_t n = left < EVALUATOR_CHUNK ? left : EVALUATOR_CHUNK;
  int32_t class[EVALUATOR_CHUNK];
  int status = STATUS_OK;
  for (size_t i = 0; i < n && !status; i++) status = dataset_read(d, SPLIT_HELDOUT, first + i, u8 + i * image_size(e));
  if (status) return status;
  evaluator_features(e, n, u8, NULL, class);
  for (size_t i = 0; i < n; i++) *right += class[i] == d->labels[SPLIT_HELDOUT][first + i];
  return STATUS_OK;
}

/* COLLECTIVE. The accuracy on all held-out images, shared out by chunks. */
static int measure(struct evaluator *e, const struct world *w, const struct dataset *d) {
  const size_t chunks = (d->count[SPLIT_HELDOUT] + EVALUATOR_CHUNK - 1) / EVALUATOR_CHUNK;
  const size_t first = shard_first(chunks, w->rank, w->ranks), end = first + shard_count(chunks, w->rank, w->ranks);
  uint8_t *u8 = malloc(EVALUATOR_CHUNK * image_size(e));
  size_t right = 0;
  int status = u8 ? STATUS_OK : because(STATUS_NOMEM, "no memory for %d images", EVALUATOR_CHUNK);
  for (size_t c = first; c < end && !status; c++) status = count_right(e, d, c, u8, &right);
  free(u8);
  double all = (double)right;
  reduce_sum_double(w->comm, 1, &all);
  e->accuracy = all / (double)d->count[SPLIT_HELDOUT];
  return agree(w->comm, status);
}

/* Rank 0. A judge should be far better than chance; with few classes chance is near. */
static void say(const struct evaluator *e, const struct dataset *d, const char *path, double seconds) {
  fprintf(stderr, "pmf: the classifier names %.2f %% of %zu held-out images rightly, after %.0f s; kept in %s\n",
          100 * e->accuracy, d->count[SPLIT_HELDOUT], seconds, path);
}
static void warn(const struct evaluator *e, const char *path) {
  if (e->accuracy >= fmin(3 / (double)e->net.classes, 0.75)) return;
  fprintf(stderr, "warning: the classifier in %s is right on %.1f %% of held-out images only: %s\n", path,
          100 * e->accuracy, e->role == EVALUATOR_LOSS ? "the loss sees little through it" : "its scores say little");
}

/* COLLECTIVE. */
static int make(struct evaluator *e, const struct world *w, const struct dataset *d, const char *path, int show,
                struct classifier_facts *facts) {
  const double began = progress_clock();
  int status = agree(w->comm, w->rank ? STATUS_OK : classifier_file_may_write(path));
  if (status) return status;
  if (show)
    fprintf(stderr, "pmf: training a classifier on %zu images of %s, %.0f times each, to %s\n", d->count[SPLIT_TRAIN], d->path,
            evaluator_train_epochs(d), roles[e->role].purpose);
  status = evaluator_train(&e->net, w, d, e->seed, evaluator_train_steps(d), e->weights, show);
  if (!status) status = measure(e, w, d);
  facts->seed = e->seed;
  facts->accuracy = e->accuracy;
  snprintf(facts->blas_core, sizeof facts->blas_core, "%s", matmul_core());
  if (!status)
    status = agree(w->comm, w->rank ? STATUS_OK : classifier_file_write(path, facts, e->net.table.size, e->weights));
  if (!status && show) say(e, d, path, progress_clock() - began);
  return status;
}

/* COLLECTIVE. Rank 0 looks and reads. */
static int find(struct evaluator *e, const struct world *w, const struct dataset *d, const char *path, int show) {
  struct classifier_facts facts = { .size = d->image_size, .channels = d->channels, .classes = d->classes,
                                    .kernel = e->net.kernel };
  snprintf(facts.part, sizeof facts.part, "%s", roles[e->role].part);
  int status = STATUS_OK, there = 0;
  if (!w->rank) {
    status = classifier_file_images(d->path, facts.images);
    there = !access(path, F_OK);
    if (there && !status) status = classifier_file_read(path, d->path, &facts, e->net.table.size, e->weights);
  }
  status = agree(w->comm, status);
  if (status) return status;
  spread(w->comm, 0, sizeof there, &there);
  if (!there) return make(e, w, d, path, show, &facts);
  spread(w->comm, 0, sizeof facts, &facts);
  spread(w->comm, 0, e->net.table.size * sizeof *e->weights, e->weights);
  e->accuracy = facts.accuracy;
  e->seed = facts.seed;
  return STATUS_OK;
}

/* COLLECTIVE. d: the part of the images that is the role's. */
static int open_on(struct evaluator *e, enum evaluator_role role, const struct world *w, const struct dataset *d, const char *path,
                   int quiet) {
  const int show = !quiet && !w->rank;
  int status = agree(w->comm, prepare(e, role, d));
  if (!status) status = find(e, w, d, path, show);
  if (status) {
    evaluator_close(e);
    return status;
  }
  classifier_file_hash(e->net.table.size, e->weights, e->hash);
  if (show) warn(e, path);
  return STATUS_OK;
}

int evaluator_open(struct evaluator *e, enum evaluator_role role, const struct world *w, const struct dataset *d,
                   const char *path, int quiet) {
  struct dataset half;
  *e = (struct evaluator){ 0 };
  if (roles[role].half == ALL) return open_on(e, role, w, d, path, quiet);
  int status = agree(w->comm, dataset_half(&half, d, roles[role].half));
  if (!status) status = open_on(e, role, w, &half, path, quiet);
  dataset_half_close(&half);
  return status;
}

void evaluator_path(const char *data, enum evaluator_role role, char *path, size_t n) {
  const size_t length = strlen(data), stem = length > 3 && !strcmp(data + length - 3, ".h5") ? length - 3 : length;
  snprintf(path, n, "%.*s.%s.h5", (int)stem, data, roles[role].place);
}

const char *evaluator_trained_on(enum evaluator_role role) { return roles[role].trained_on; }

void evaluator_close(struct evaluator *e) {
  classifier_free(&e->net);
  arena_free(&e->arena);
  *e = (struct evaluator){ 0 };
}
