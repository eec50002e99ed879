#include "src/score/moments.h"

#include <assert.h>
#include <cblas.h>
#include <string.h>

void moments_reset(struct moments *m) {
  m->n = 0;
  memset(m->mean, 0, m->D * sizeof *m->mean);
  memset(m->S, 0, m->D * m->D * sizeof *m->S);
}

void moments_add(struct moments *m, size_t n, const float *x, double *scratch) {
  const size_t D = m->D;
  struct moments chunk = { .D = D, .n = (double)n, .mean = scratch, .S = scratch + D };
  double *deviation = chunk.S + D * D;
  memset(chunk.mean, 0, D * sizeof *chunk.mean);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < D; j++) chunk.mean[j] += x[i * D + j];
  for (size_t j = 0; n && j < D; j++) chunk.mean[j] /= chunk.n;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < D; j++) deviation[i * D + j] = x[i * D + j] - chunk.mean[j];
  cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (blasint)D, (blasint)n, 1, deviation, (blasint)D, 0, chunk.S,
              (blasint)D);
  for (size_t i = 0; i < D; i++)
    for (size_t j = 0; j < i; j++) chunk.S[i * D + j] = chunk.S[j * D + i];
  moments_merge(m, &chunk);
}

void moments_merge(struct moments *a, const struct moments *b) {
  assert(a->D == b->D && a != b);
  const size_t D = a->D;
  const double n = a->n + b->n;
  if (b->n == 0) return;
  const double between = a->n * b->n / n;
  for (size_t i = 0; i < D; i++) {
    const double d = b->mean[i] - a->mean[i];
    for (size_t j = 0; j < D; j++)   /* d d_j is the same for (i,j) and (j,i): S stays symmetric */
      a->S[i * D + j] += b->S[i * D + j] + between * (d * (b->mean[j] - a->mean[j]));
  }
  for (size_t i = 0; i < D; i++) a->mean[i] += b->n / n * (b->mean[i] - a->mean[i]);
  a->n = n;
}
