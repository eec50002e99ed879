#include "jobs/recall.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "src/base/status.h"
#include "src/score/neighbours.h"

/* The row of a set that chunk i begins with, among this rank's; wraps below 0. */
static size_t row_of(const struct feature_set *f, size_t i) { return (i - f->begin) * EVALUATOR_CHUNK; }

static size_t own_rows(const struct feature_set *f) {
  size_t n = 0;
  for (size_t i = f->begin; i < f->end; i++) n += scorer_images(f, i);
  return n;
}

/* COLLECTIVE. radius[n] of all images of a set, on every rank. nearest: room for 3 numbers an own row. */
static void radii(struct scorer *s, const struct feature_set *f, double *nearest, double *radius) {
  const size_t own = own_rows(f);
  for (size_t i = 0; i < own * NEIGHBOURS; i++) nearest[i] = INFINITY;
  for (size_t j = 0; j < scorer_chunks(f); j++) {
    const float *y = scorer_pass(s, f, j);
    if (own) neighbours_add(f->D, own, scorer_rows(f, f->begin), scorer_images(f, j), y, row_of(f, j), nearest, s->scratch);
  }
  memset(radius, 0, f->n * sizeof *radius);
  for (size_t i = 0; i < own; i++) radius[f->begin * EVALUATOR_CHUNK + i] = nearest[i * NEIGHBOURS + NEIGHBOURS - 1];
  reduce_sum_double(s->w->comm, f->n, radius);
}

/* COLLECTIVE. The share of a's images inside a ball of b. */
static double covered(struct scorer *s, const struct feature_set *a, const struct feature_set *b, const double *radius,
                      uint8_t *inside) {
  const size_t own = own_rows(a);
  memset(inside, 0, own);
  for (size_t j = 0; j < scorer_chunks(b); j++) {
    const float *y = scorer_pass(s, b, j);
    if (own)
      neighbours_cover(a->D, own, scorer_rows(a, a->begin), scorer_images(b, j), y, radius + j * EVALUATOR_CHUNK, inside, s->scratch);
  }
  double count = 0;
  for (size_t i = 0; i < own; i++) count += inside[i];
  reduce_sum_double(s->w->comm, 1, &count);
  return count / (double)a->n;
}

int recall_of(struct scorer *s, double *precision, double *recall) {
  const struct feature_set *a = &s->images, *b = &s->reference;
  const size_t own = own_rows(a) > own_rows(b) ? own_rows(a) : own_rows(b), all = a->n > b->n ? a->n : b->n;
  *precision = *recall = NAN;
  if (a->n <= NEIGHBOURS || b->n <= NEIGHBOURS) return STATUS_OK;
  double *nearest = malloc((own * NEIGHBOURS + all + 1) * sizeof *nearest);
  uint8_t *inside = malloc(own + 1);
  const int status = agree(s->w->comm, nearest && inside ? STATUS_OK : because(STATUS_NOMEM, "no memory for neighbours"));
  if (!status) {
    double *radius = nearest + own * NEIGHBOURS;
    radii(s, b, nearest, radius);
    *precision = covered(s, a, b, radius, inside);
    radii(s, a, nearest, radius);
    *recall = covered(s, b, a, radius, inside);
  }
  free(nearest), free(inside);
  return status;
}
