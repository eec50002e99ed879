#include "jobs/scores.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/shard.h"
#include "src/base/status.h"
#include "src/score/frechet.h"
#include "src/score/kernel.h"

enum { CHUNK = EVALUATOR_CHUNK };
_Static_assert(CHUNK % GENERATE_CHUNK == 0, "a rank's share is whole chunks of both kinds");
_Static_assert(CLASSIFIER_FEATURES >= 10, "a score of fewer features says little");

static size_t chunks_of(size_t n) { return (n + CHUNK - 1) / CHUNK; }

/* Images in chunk i. */
static size_t images_in(const struct feature_set *f, size_t i) { return f->n - i * CHUNK < CHUNK ? f->n - i * CHUNK : CHUNK; }

/* Features of chunk i, one of this rank's. */
static float *rows_of(const struct feature_set *f, size_t i) { return f->x + (i - f->begin) * CHUNK * f->D; }
static float *logits_of(const struct feature_set *f, size_t i) { return f->logits + (i - f->begin) * CHUNK * f->K; }

/* Doubles in a message of moments: n, mean, S. */
static size_t moments_size(const struct feature_set *f) { return 1 + f->D + f->D * f->D; }

/* Room for other types in the arena of reals. */
static void *take(struct arena *a, size_t n, size_t size) {
  return arena_take(a, (n * size + sizeof(real) - 1) / sizeof(real));
}

static void lay_out_set(struct scorer *s, struct feature_set *f, size_t most) {
  const size_t D = f->D = s->D, share = shard_most(chunks_of(most), s->w->ranks) * CHUNK;
  f->K = s->extractor ? s->extractor->K : 0;
  f->x = take(&s->arena, share * D, sizeof *f->x);
  f->logits = take(&s->arena, share * f->K, sizeof *f->logits);
  f->message = take(&s->arena, moments_size(f), sizeof *f->message);
  if (f->message) f->moments = (struct moments){ .D = D, .mean = f->message + 1, .S = f->message + 1 + D };
}

static size_t largest(const size_t n[3]) {
  const size_t most = n[0] > n[1] ? n[0] : n[1];
  return most > n[2] ? most : n[2];
}

static void lay_out(struct scorer *s) {
  const size_t D = s->D = s->extractor ? s->extractor->D : CLASSIFIER_FEATURES;
  const size_t ADD = CHUNK * D + D * D + D, KERNEL = KERNEL_TILE * (2 * D + KERNEL_TILE);
  lay_out_set(s, &s->reference, s->most[0]);
  lay_out_set(s, &s->images, s->most[1]);
  if (s->most[2]) lay_out_set(s, &s->second, s->most[2]);
  s->u8 = take(&s->arena, CHUNK * s->pixels, sizeof *s->u8);
  s->labels = take(&s->arena, CHUNK, sizeof *s->labels);
  s->classes = take(&s->arena, CHUNK, sizeof *s->classes);
  s->block = take(&s->arena, CHUNK * D, sizeof *s->block);
  s->scratch = take(&s->arena, ADD > KERNEL ? ADD : KERNEL, sizeof *s->scratch);
  s->rows = take(&s->arena, chunks_of(largest(s->most)), sizeof *s->rows);
}

int scorer_init(struct scorer *s) {
  s->arena = (struct arena){ 0 };
  lay_out(s);
  const int status = arena_init(&s->arena);
  if (!status) lay_out(s);
  return status;
}

size_t scorer_count(size_t pixels, size_t reference, size_t images, int ranks) {
  const struct world w = { .ranks = ranks };
  struct scorer counted = { .w = &w, .pixels = pixels, .most = { reference, images } };
  lay_out(&counted);
  return counted.arena.used;
}

void scorer_free(struct scorer *s) { arena_free(&s->arena); }

static int one_chunk(struct scorer *s, struct feature_set *f, const struct source *source, size_t i) {
  const size_t n = images_in(f, i);
  const int status = source->make(source->context, i * CHUNK, n, s->u8, s->labels);
  if (status) return status;
  if (s->extractor) {
    s->extractor->features(s->extractor->context, f != &s->images, n, s->u8, rows_of(f, i), logits_of(f, i));
    return STATUS_OK;
  }
  evaluator_features(s->judge, n, s->u8, rows_of(f, i), s->classes);
  for (size_t b = 0; b < n; b++) {
    f->asked += s->labels[b] >= 0;
    f->agreed += s->labels[b] >= 0 && s->labels[b] == s->classes[b];
  }
  return STATUS_OK;
}

/* As if all ranks kept pace. */
static void show(const struct scorer *s, const struct feature_set *f, size_t chunks) {
  const size_t done = chunks * (size_t)s->w->ranks * CHUNK;
  if (s->progress && s->w->rank == 0) progress_count(s->progress, s->things, done < f->n ? done : f->n);
}

/* COLLECTIVE. Features of this rank's chunks; the ranks agree after each. */
static int extract(struct scorer *s, struct feature_set *f, const struct source *source) {
  const size_t most = shard_most(chunks_of(f->n), s->w->ranks);
  f->asked = f->agreed = 0;
  if (s->progress) progress_next(s->progress, f->n, 1);
  for (size_t c = 0; c < most; c++) {
    int status = f->begin + c < f->end ? one_chunk(s, f, source, f->begin + c) : STATUS_OK;
    if (!status && s->stop && s->stop(s->stop_context)) status = because(STATUS_SAVED, "a score was given up: asked to stop");
    if ((status = agree(s->w->comm, status))) return status;
    show(s, f, c + 1);
  }
  double counts[2] = { f->asked, f->agreed };
  reduce_sum_double(s->w->comm, 2, counts);
  f->asked = counts[0];
  f->agreed = counts[1];
  return STATUS_OK;
}

/* COLLECTIVE. The moments of chunks from .. to-1 go from rank 0 to the last and back to rank 0, onto what there was. */
static void add_moments(struct scorer *s, struct feature_set *f, size_t from, size_t to) {
  const int rank = s->w->rank, last = s->w->ranks - 1, size = (int)moments_size(f);
  if (rank > 0) {
    MPI_Recv(f->message, size, MPI_DOUBLE, rank - 1, 0, s->w->comm, MPI_STATUS_IGNORE);
    f->moments.n = f->message[0];
  }
  for (size_t i = f->begin; i < f->end; i++)
    if (i >= from && i < to) moments_add(&f->moments, images_in(f, i), rows_of(f, i), s->scratch);
  f->message[0] = f->moments.n;
  if (last == 0) return;
  MPI_Send(f->message, size, MPI_DOUBLE, rank < last ? rank + 1 : 0, 0, s->w->comm);
  if (rank > 0) return;
  MPI_Recv(f->message, size, MPI_DOUBLE, last, 0, s->w->comm, MPI_STATUS_IGNORE);
  f->moments.n = f->message[0];
}

/* The rank that has chunk i of `chunks`. */
static int owner_of(size_t i, size_t chunks, int ranks) {
  int k = (int)(i * (size_t)ranks / chunks);
  while (shard_first(chunks, k + 1, ranks) <= i) k++;
  return k;
}

/* Chunk i of f on every rank. COLLECTIVE. */
static const float *pass_round(struct scorer *s, const struct feature_set *f, size_t i) {
  const int owner = owner_of(i, chunks_of(f->n), s->w->ranks);
  const size_t bytes = images_in(f, i) * f->D * sizeof(float);
  if (owner == s->w->rank) memcpy(s->block, rows_of(f, i), bytes);
  spread(s->w->comm, owner, bytes, s->block);
  return s->block;
}

/* COLLECTIVE. The rows' sums, each from the one rank that has it, added up in their order. */
static double add_rows(struct scorer *s, size_t n) {
  double sum = 0;
  reduce_sum_double(s->w->comm, n, s->rows);
  for (size_t i = 0; i < n; i++) sum += s->rows[i];
  return sum;
}

/* COLLECTIVE. Sum of k over all pairs of an image of a and one of b. Where they are one set, a pair of chunks is done once, by
 * the row or by the column in turn, so that all rows have as much to do. */
static double add_pairs(struct scorer *s, const struct feature_set *a, const struct feature_set *b) {
  memset(s->rows, 0, chunks_of(a->n) * sizeof *s->rows);
  for (size_t j = 0; j < chunks_of(b->n); j++) {
    const float *y = pass_round(s, b, j);
    for (size_t i = a->begin; i < a->end; i++) {
      const int twice = a == b && i != j, mine = a != b || i == j || (i < j) == ((i + j) % 2 == 0);
      if (mine) s->rows[i] += (1 + twice) * kernel_sum(a->D, images_in(a, i), rows_of(a, i), images_in(b, j), y, s->scratch);
    }
  }
  return add_rows(s, chunks_of(a->n));
}

static double add_diagonal(struct scorer *s, const struct feature_set *f) {
  memset(s->rows, 0, chunks_of(f->n) * sizeof *s->rows);
  for (size_t i = f->begin; i < f->end; i++) s->rows[i] = kernel_diagonal(f->D, images_in(f, i), rows_of(f, i));
  return add_rows(s, chunks_of(f->n));
}

int scorer_look(struct scorer *s, struct feature_set *f, const struct source *source, size_t n) {
  const size_t chunks = chunks_of(n);
  f->n = n;
  f->begin = shard_first(chunks, s->w->rank, s->w->ranks);
  f->end = shard_first(chunks, s->w->rank + 1, s->w->ranks);
  moments_reset(&f->moments);
  return extract(s, f, source);
}

void scorer_moments(struct scorer *s, struct feature_set *f, size_t from, size_t to) { add_moments(s, f, from, to); }
size_t scorer_chunks(const struct feature_set *f) { return chunks_of(f->n); }
size_t scorer_images(const struct feature_set *f, size_t i) { return images_in(f, i); }
float *scorer_rows(const struct feature_set *f, size_t i) { return rows_of(f, i); }
float *scorer_logits(const struct feature_set *f, size_t i) { return logits_of(f, i); }
const float *scorer_pass(struct scorer *s, const struct feature_set *f, size_t i) { return pass_round(s, f, i); }

/* COLLECTIVE. All that a score needs of a set. */
static int examine(struct scorer *s, struct feature_set *f, const struct source *source, size_t n) {
  const int status = scorer_look(s, f, source, n);
  if (status) return status;
  add_moments(s, f, 0, chunks_of(n));
  f->kernel = add_pairs(s, f, f);
  f->diagonal = add_diagonal(s, f);
  return STATUS_OK;
}

int scorer_reference(struct scorer *s, const struct source *source, size_t n) {
  assert(n >= 2 && n <= s->most[0]);
  return examine(s, &s->reference, source, n);
}

int scorer_second(struct scorer *s, const struct source *source, size_t n) {
  assert(n >= 2 && n <= s->most[2]);
  return examine(s, &s->second, source, n);
}

/* COLLECTIVE. The images' score against b. */
static int compare(struct scorer *s, const struct feature_set *b, struct score *score) {
  const struct feature_set *a = &s->images;
  double frechet[2] = { NAN, NAN };   /* and the clipped mass */
  int status = STATUS_OK;
  if (s->w->rank == 0) status = frechet_distance_clipped(&a->moments, &b->moments, &frechet[0], &frechet[1]);
  if ((status = agree(s->w->comm, status))) return status;
  MPI_Bcast(frechet, 2, MPI_DOUBLE, 0, s->w->comm);
  *score = (struct score){ .n = a->n, .reference = b->n, .frechet = frechet[0], .clipped = frechet[1],
                           .agreement = a->asked > 0 ? a->agreed / a->asked : NAN,
                           .kernel = kernel_distance(a->n, a->kernel, a->diagonal, b->n, b->kernel, b->diagonal,
                                                     add_pairs(s, a, b)) };
  return STATUS_OK;
}

int scorer_score(struct scorer *s, const struct source *source, size_t n, struct score *score) {
  assert(n >= 2 && n <= s->most[1]);
  const int status = examine(s, &s->images, source, n);
  return status ? status : compare(s, &s->reference, score);
}

int scorer_score_second(struct scorer *s, struct score *score) { return compare(s, &s->second, score); }

int score_rank_deficient(const struct score *score) {
  return (score->n < score->reference ? score->n : score->reference) <= CLASSIFIER_FEATURES;
}

const char *score_clipped(double clipped, char text[SCORE_CLIPPED]) {
  snprintf(text, SCORE_CLIPPED, "clipped mass %.1e: eigenvalues of the covariances taken as 0, as a part of both traces%s\n",
           clipped, clipped > 1e-9 ? "; more than rounding, one is no covariance" : "");
  return text;
}
