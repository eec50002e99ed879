#include "src/score/frechet.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/status.h"

/* LAPACK as OpenBLAS holds it; the last arguments are the lengths of the words. */
void dsyevd_(const char *vectors, const char *triangle, const blasint *n, double *A, const blasint *lda, double *values,
             double *work, const blasint *lwork, blasint *iwork, const blasint *liwork, blasint *info, size_t, size_t);
void dgesdd_(const char *vectors, const blasint *m, const blasint *n, double *A, const blasint *lda, double *values,
             double *U, const blasint *ldu, double *Vt, const blasint *ldvt, double *work, const blasint *lwork,
             blasint *iwork, blasint *info, size_t);

static const double rounding = 1e-13;   /* of the largest eigenvalue */

/* S = R^T R with R[rank,D] in the last rows of a [D,D] array. */
struct root {
  double *all, *R, trace, clipped;
  size_t rank;
};

static int no_memory(size_t D) { return because(STATUS_NOMEM, "no memory for the Frechet distance of %zu features", D); }

static int no_answer(const char *routine, blasint info) {
  return because(STATUS_BAD, "the Frechet distance found no answer: LAPACK's %s ended with %d", routine, (int)info);
}

/* A[D,D] symmetric -> its eigenvectors, one a row, by ascending values[D]. */
static int decompose(size_t D, double *A, double *values) {
  const blasint n = (blasint)D, ask = -1;
  blasint info, liwork;
  double size;
  dsyevd_("V", "U", &n, A, &n, values, &size, &ask, &liwork, &ask, &info, 1, 1);
  const blasint lwork = (blasint)size;
  double *work = malloc((size_t)lwork * sizeof *work);
  blasint *iwork = malloc((size_t)liwork * sizeof *iwork);
  if (work && iwork) dsyevd_("V", "U", &n, A, &n, values, work, &lwork, iwork, &liwork, &info, 1, 1);
  const int status = !work || !iwork ? no_memory(D) : info ? no_answer("dsyevd", info) : STATUS_OK;
  free(work), free(iwork);
  return status;
}

static int root_take(struct root *r, const struct moments *m) {
  const size_t D = m->D;
  *r = (struct root){ .all = malloc((D + 1) * D * sizeof *r->all) };
  if (!r->all) return no_memory(D);
  double *values = r->all + D * D;
  for (size_t i = 0; i < D * D; i++) r->all[i] = m->S[i] / (m->n - 1);
  for (size_t i = 0; i < D; i++) r->trace += r->all[i * D + i];
  const int status = decompose(D, r->all, values);
  if (status) return status;
  r->R = r->all + D * D;
  for (size_t i = D; i-- > 0;)
    if (values[i] > rounding * values[D - 1]) {
      r->R -= D;
      r->rank++;
      cblas_dscal((blasint)D, sqrt(values[i]), r->R, 1);
    } else r->clipped += fabs(values[i]);
  return STATUS_OK;
}

/* The sum of the singular values of M[m,n], which is overwritten. */
static int nuclear_norm(size_t m, size_t n, double *M, double *norm) {
  const blasint rows = (blasint)n, cols = (blasint)m, ask = -1, one = 1;   /* to LAPACK M is its transpose: the same values */
  const size_t few = m < n ? m : n;
  blasint info, lwork;
  double size, *values, none = 0;
  *norm = 0;
  if (!few) return STATUS_OK;
  dgesdd_("N", &rows, &cols, M, &rows, &none, &none, &one, &none, &one, &size, &ask, &lwork, &info, 1);
  lwork = (blasint)size;
  values = malloc((few + (size_t)lwork) * sizeof *values);
  blasint *iwork = malloc(8 * few * sizeof *iwork);
  if (values && iwork)
    dgesdd_("N", &rows, &cols, M, &rows, values, &none, &one, &none, &one, values + few, &lwork, iwork, &info, 1);
  const int status = !values || !iwork ? no_memory(n) : info ? no_answer("dgesdd", info) : STATUS_OK;
  for (size_t i = 0; !status && i < few; i++) *norm += values[i];
  free(values), free(iwork);
  return status;
}

/* tr sqrt(S1^1/2 S2 S1^1/2) */
static int overlap(size_t D, const struct root *a, const struct root *b, double *trace) {
  double *M = malloc((a->rank * b->rank + 1) * sizeof *M);
  if (!M) return no_memory(D);
  if (a->rank && b->rank)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)b->rank, (blasint)a->rank, (blasint)D, 1, b->R, (blasint)D,
                a->R, (blasint)D, 0, M, (blasint)a->rank);
  const int status = nuclear_norm(b->rank, a->rank, M, trace);
  free(M);
  return status;
}

static int usable(const struct moments *m) {
  if (!(m->n >= 2)) return because(STATUS_BAD, "a Frechet distance needs 2 images or more on each side, not %g", m->n);
  for (size_t i = 0; i < m->D; i++)
    for (size_t j = 0; j < m->D; j++)
      if (!isfinite(m->mean[i]) || !isfinite(m->S[i * m->D + j]))
        return because(STATUS_BAD, "a Frechet distance needs finite features: feature %zu of %g images is not", i, m->n);
  return STATUS_OK;
}

int frechet_distance_clipped(const struct moments *a, const struct moments *b, double *distance, double *clipped) {
  assert(a->D == b->D && a->D > 0);
  const size_t D = a->D;
  struct root p = { 0 }, q = { 0 };
  double means = 0, both = 0;
  int status = usable(a);
  if (!status) status = usable(b);
  if (!status) status = root_take(&p, a);
  if (!status) status = root_take(&q, b);
  if (!status) status = overlap(D, &p, &q, &both);
  if (!status) {
    for (size_t i = 0; i < D; i++) means += (a->mean[i] - b->mean[i]) * (a->mean[i] - b->mean[i]);
    const double traces = p.trace + q.trace;
    *distance = fmax(0, means + traces - 2 * both);
    *clipped = traces > 0 ? (p.clipped + q.clipped) / traces : 0;
  }
  free(p.all), free(q.all);
  return status;
}

int frechet_distance(const struct moments *a, const struct moments *b, double *distance) {
  double clipped;
  return frechet_distance_clipped(a, b, distance, &clipped);
}

/* The mean[D] of x[n,D], and its deviations over sqrt(n-1) as R[n,D]; returns tr S. */
static double deviations(size_t D, size_t n, const float *x, double *mean, double *R) {
  double trace = 0;
  for (size_t j = 0; j < D; j++) mean[j] = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < D; j++) mean[j] += (double)x[i * D + j] / (double)n;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < D; j++) {
      R[i * D + j] = ((double)x[i * D + j] - mean[j]) / sqrt((double)(n - 1));
      trace += R[i * D + j] * R[i * D + j];
    }
  return trace;
}

int frechet_distance_rows(size_t D, size_t n, const float *x, size_t m, const float *y, double *distance) {
  if (n < 2 || m < 2) return because(STATUS_BAD, "a Frechet distance needs 2 images or more on each side, not %zu and %zu", n, m);
  for (size_t i = 0; i < n * D; i++)
    if (!isfinite(x[i])) return because(STATUS_BAD, "a Frechet distance needs finite features: image %zu has others", i / D);
  for (size_t i = 0; i < m * D; i++)
    if (!isfinite(y[i])) return because(STATUS_BAD, "a Frechet distance needs finite features: image %zu has others", i / D);
  double *all = malloc(((n + m + 2) * D + n * m) * sizeof *all);
  if (!all) return no_memory(D);
  struct root a = { .R = all + 2 * D, .rank = n }, b = { .R = a.R + n * D, .rank = m };
  double *mean[2] = { all, all + D }, means = 0, both = 0;
  a.trace = deviations(D, n, x, mean[0], a.R);
  b.trace = deviations(D, m, y, mean[1], b.R);
  const int status = overlap(D, &a, &b, &both);
  for (size_t j = 0; j < D; j++) means += (mean[0][j] - mean[1][j]) * (mean[0][j] - mean[1][j]);
  if (!status) *distance = fmax(0, means + a.trace + b.trace - 2 * both);
  free(all);
  return status;
}
