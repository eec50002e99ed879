#include "jobs/standard.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/recall.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "src/base/status.h"
#include "src/score/frechet.h"
#include "src/score/inception_score.h"
#include "src/score/kernel.h"
#include "src/score/limit.h"

enum { D = INCEPTION_FEATURES, SUBSET = 16, SUBSETS = 100 };
/* pytorch-fid's pt_inception-2015-12-05-6726825d.pth */
static const char standard_sha256[] = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";

static void features(void *context, int reference, size_t n, const uint8_t *u8, float *x, float *logits) {
  const struct standard *s = context;
  inception_features(&s->net, s->weights, &s->work[reference], n, u8, x, logits);
}

/* ---- opening ---- */

static void lay_out(struct standard *s, const size_t *const shape[2]) {
  s->weights = arena_take(&s->arena, s->net.table.size);
  for (int i = 0; i < 2; i++)
    if (shape[i][0])
      inception_layout(&s->arena, &s->net, shape[i][0], shape[i][1], shape[i][2], omp_get_max_threads(), &s->work[i]);
}

static int allocate(struct standard *s, const size_t *const shape[2], const size_t most[3]) {
  size_t pixels = 0;
  lay_out(s, shape);
  int status = arena_init(&s->arena);
  if (status) return status;
  lay_out(s, shape);
  for (int i = 0; i < 2; i++) {
    const size_t bytes = shape[i][0] * shape[i][1] * shape[i][2];
    if (bytes) inception_begin(&s->work[i]);
    if (bytes > pixels) pixels = bytes;
  }
  s->extractor = (struct extractor){ D, INCEPTION_LOGITS, features, s };
  s->scorer = (struct scorer){ .w = s->w, .extractor = &s->extractor, .pixels = pixels, .most = { most[1], most[0], most[2] } };
  return scorer_init(&s->scorer);
}

int standard_open(struct standard *s, const struct world *w, const char *path, const size_t image[3], const size_t reference[3],
                  const size_t most[3]) {
  const size_t *const shape[2] = { image, reference };
  *s = (struct standard){ .w = w };
  inception_init(&s->net);
  int status = agree(w->comm, w->rank ? STATUS_OK : network_file_facts(path, "inception", &s->facts));
  if (!status) status = agree(w->comm, allocate(s, shape, most));
  if (status) return status;
  spread(w->comm, 0, sizeof s->facts, &s->facts);
  s->standard_weights = !strcmp(s->facts.sha256[0], standard_sha256);
  status = agree(w->comm, w->rank ? STATUS_OK : network_file_read(path, s->net.table.size, s->weights));
  if (status) return status;
  spread(w->comm, 0, s->net.table.size * sizeof *s->weights, s->weights);
  return agree(w->comm, inception_prepare(&s->net, s->weights));
}

void standard_close(struct standard *s) {
  inception_free(&s->net);
  scorer_free(&s->scorer);
  arena_free(&s->arena);
  free(s->statistics.mean);
  *s = (struct standard){ .w = s->w };
}

/* COLLECTIVE. */
static int look(struct standard *s, struct feature_set *f, const struct source *source, size_t n) {
  const int status = scorer_look(&s->scorer, f, source, n);
  if (!status) scorer_moments(&s->scorer, f, 0, scorer_chunks(f));
  return status;
}

int standard_reference(struct standard *s, const struct source *source, size_t n) {
  return look(s, &s->scorer.reference, source, n);
}

int standard_second(struct standard *s, const struct source *source, size_t n) { return look(s, &s->scorer.second, source, n); }

int standard_statistics(const struct standard *s, double **mean) {
  const struct moments *m = &s->scorer.reference.moments;
  *mean = malloc((D + (size_t)D * D) * sizeof **mean);
  if (!*mean) return because(STATUS_NOMEM, "no memory for the statistics of %d features", D);
  memcpy(*mean, m->mean, D * sizeof **mean);
  for (size_t i = 0; i < (size_t)D * D; i++) (*mean)[D + i] = m->S[i] / (m->n - 1);
  return STATUS_OK;
}

/* ---- FID ---- */

/* COLLECTIVE. All features of a set in *rows on rank 0 (malloc'ed), NULL elsewhere. Only for few of them. */
static int gather(struct standard *s, const struct feature_set *f, float **rows) {
  const int first = s->w->rank == 0;
  *rows = first ? malloc(f->n * f->D * sizeof **rows) : NULL;
  const int missing = first && !*rows;
  const int status = agree(s->w->comm, missing ? because(STATUS_NOMEM, "no memory for %zu images' features", f->n) : STATUS_OK);
  size_t at = 0;
  for (size_t i = 0; i < scorer_chunks(f) && !status; i++) {
    const size_t n = scorer_images(f, i) * f->D;
    const float *x = scorer_pass(&s->scorer, f, i);
    if (first) memcpy(*rows + at, x, n * sizeof *x);
    at += n;
  }
  return status;
}

/* No more images than features on either side: no [D,D] matrix is decomposed. */
static int thin(const struct feature_set *a, const struct feature_set *b) { return a->n <= a->D && b->n <= b->D; }

/* COLLECTIVE. Where they are. */
static int few(struct standard *s, const struct feature_set *b, double *fid) {
  const struct feature_set *a = &s->scorer.images;
  float *x = NULL, *y = NULL;
  int status = gather(s, a, &x);
  if (!status) status = gather(s, b, &y);
  if (!status) status = agree(s->w->comm, s->w->rank ? STATUS_OK : frechet_distance_rows(a->D, a->n, x, b->n, y, fid));
  free(x), free(y);
  return status;
}

/* COLLECTIVE. Over the chunks in their order; on the way, from half of them on, the distances of the limit. */
static int many(struct standard *s, double *fid, double *clipped, double *limit) {
  struct feature_set *a = &s->scorer.images;
  const struct moments *to = s->statistics.D ? &s->statistics : &s->scorer.reference.moments;
  const size_t chunks = scorer_chunks(a);
  const int last = LIMIT_POINTS - 1, with_limit = a->n / 2 > a->D && chunks / 2 > LIMIT_POINTS;
  double n[LIMIT_POINTS], at[LIMIT_POINTS];
  size_t done = 0;
  int status = STATUS_OK;
  for (int i = with_limit ? 0 : last; i <= last && !status; i++) {
    const size_t next = limit_part(chunks, i);
    scorer_moments(&s->scorer, a, done, next);
    done = next;
    n[i] = a->moments.n;
    status = agree(s->w->comm, s->w->rank ? STATUS_OK : frechet_distance_clipped(&a->moments, to, &at[i], clipped));
  }
  if (status) return status;
  *fid = s->w->rank == 0 ? at[last] : NAN;
  *limit = with_limit && s->w->rank == 0 ? limit_of(n, at) : NAN;
  return STATUS_OK;
}

/* ---- KID ---- */

/* COLLECTIVE. Sum of k over all pairs of an image of a and one of b in chunks from .. to-1 of both. */
static double pairs(struct standard *s, const struct feature_set *a, const struct feature_set *b, size_t from, size_t to) {
  double *rows = s->scorer.rows, sum = 0;
  memset(rows, 0, (to - from) * sizeof *rows);
  for (size_t j = from; j < to; j++) {
    const float *y = scorer_pass(&s->scorer, b, j);
    for (size_t i = from; i < to; i++)
      if (i >= a->begin && i < a->end)
        rows[i - from] += kernel_sum(a->D, scorer_images(a, i), scorer_rows(a, i), scorer_images(b, j), y, s->scorer.scratch);
  }
  reduce_sum_double(s->w->comm, to - from, rows);
  for (size_t i = 0; i < to - from; i++) sum += rows[i];
  return sum;
}
static double diagonal(struct standard *s, const struct feature_set *f, size_t from, size_t to) {
  double *rows = s->scorer.rows, sum = 0;
  for (size_t i = from; i < to; i++)
    rows[i - from] = i >= f->begin && i < f->end ? kernel_diagonal(f->D, scorer_images(f, i), scorer_rows(f, i)) : 0;
  reduce_sum_double(s->w->comm, to - from, rows);
  for (size_t i = 0; i < to - from; i++) sum += rows[i];
  return sum;
}
static size_t images_of(const struct feature_set *f, size_t from, size_t to) {
  size_t n = 0;
  for (size_t i = from; i < to; i++) n += scorer_images(f, i);
  return n;
}

/* COLLECTIVE. Over subsets of 1024 images (fewer where there are few), the same places of both sets; none twice. */
static void kernel(struct standard *s, const struct feature_set *b, struct standard_score *score) {
  const struct feature_set *a = &s->scorer.images;
  const size_t chunks = scorer_chunks(a) < scorer_chunks(b) ? scorer_chunks(a) : scorer_chunks(b);
  const size_t each = chunks >= 2 * SUBSET ? SUBSET : chunks >= 10 ? chunks / 10 : 1;
  const size_t subsets = chunks / each < SUBSETS ? chunks / each : SUBSETS;
  double sum = 0, square = 0;
  score->kid_images = images_of(a, 0, each);
  for (size_t k = 0; k < subsets; k++) {
    const size_t from = k * each, to = from + each, n = images_of(a, from, to), m = images_of(b, from, to);
    if (n < 2 || m < 2) continue;   /* a last chunk of one image */
    const double xx = pairs(s, a, a, from, to), yy = pairs(s, b, b, from, to), xy = pairs(s, a, b, from, to);
    const double kid = kernel_distance(n, xx, diagonal(s, a, from, to), m, yy, diagonal(s, b, from, to), xy);
    score->kid_subsets++;
    sum += kid;
    square += kid * kid;
  }
  const double N = (double)score->kid_subsets;
  score->kid = sum / N;
  score->kid_deviation = N > 1 ? sqrt(fmax(0, square - sum * sum / N) / (N - 1)) : NAN;
}

/* ---- Inception Score ---- */

/* COLLECTIVE. The splits' sums go from rank 0 to the last, each adding its images in their order, and back to all. */
static int inception_scores(struct standard *s, struct standard_score *score) {
  enum { SPLITS = INCEPTION_SCORE_SPLITS };
  const struct feature_set *f = &s->scorer.images;
  const size_t K = f->K, size = SPLITS * (K + 2);
  const int rank = s->w->rank, last = s->w->ranks - 1;
  if (f->n < SPLITS) return STATUS_OK;
  double *sums = calloc(size, sizeof *sums), square = 0;
  const int status = agree(s->w->comm, sums ? STATUS_OK : because(STATUS_NOMEM, "no memory for an Inception Score"));
  if (status) return free(sums), status;
  if (rank > 0) MPI_Recv(sums, (int)size, MPI_DOUBLE, rank - 1, 1, s->w->comm, MPI_STATUS_IGNORE);
  size_t split = 0;
  for (size_t c = f->begin; c < f->end; c++)
    for (size_t i = 0; i < scorer_images(f, c); i++) {
      while ((split + 1) * f->n / SPLITS <= c * EVALUATOR_CHUNK + i) split++;
      inception_score_add(K, scorer_logits(f, c) + i * K, sums + split * (K + 2));
    }
  if (rank < last) MPI_Send(sums, (int)size, MPI_DOUBLE, rank + 1, 1, s->w->comm);
  spread(s->w->comm, last, size * sizeof *sums, sums);
  double each[SPLITS];
  score->is = 0;
  for (int k = 0; k < SPLITS; k++) score->is += (each[k] = inception_score_of(K, sums + k * (K + 2))) / SPLITS;
  for (int k = 0; k < SPLITS; k++) square += (each[k] - score->is) * (each[k] - score->is) / SPLITS;
  score->is_deviation = sqrt(square);
  free(sums);
  return STATUS_OK;
}

/* ---- all of them ---- */

static const struct standard_score nothing = { 0, 0, NAN, NAN, NAN, NAN, 0, 0, NAN, NAN, NAN, NAN, 0 };

int standard_score(struct standard *s, const struct source *source, size_t n, struct standard_score *score) {
  const struct feature_set *b = &s->scorer.reference;
  const size_t m = s->statistics.D ? 0 : b->n;
  assert(n >= 2);
  *score = nothing;
  score->n = n, score->reference = m;
  int status = scorer_look(&s->scorer, &s->scorer.images, source, n);
  if (!status)
    status = m && thin(&s->scorer.images, b) ? few(s, b, &score->fid) : many(s, &score->fid, &score->clipped, &score->fid_infinite);
  if (!status) status = inception_scores(s, score);
  if (!status && m) kernel(s, b, score);
  if (!status && m) status = recall_of(&s->scorer, &score->precision, &score->recall);
  if (!status) spread(s->w->comm, 0, sizeof *score, score);
  return status;
}

int standard_score_second(struct standard *s, struct standard_score *score) {
  struct feature_set *a = &s->scorer.images;
  const struct feature_set *b = &s->scorer.second;
  int status = STATUS_OK;
  *score = nothing;
  score->n = a->n, score->reference = b->n;
  if (thin(a, b)) {
    status = few(s, b, &score->fid);
  } else {
    const int without = s->scorer.reference.n && thin(a, &s->scorer.reference);   /* the first score needed no moments */
    if (without) scorer_moments(&s->scorer, a, 0, scorer_chunks(a));
    if (s->w->rank == 0) status = frechet_distance_clipped(&a->moments, &b->moments, &score->fid, &score->clipped);
    status = agree(s->w->comm, status);
  }
  if (!status) kernel(s, b, score);
  if (!status) spread(s->w->comm, 0, sizeof *score, score);
  return status;
}
