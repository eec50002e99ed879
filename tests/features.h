/* features.h - what the tests of scores share: features drawn, their moments, the distance of two. */
#ifndef TESTS_FEATURES_H
#define TESTS_FEATURES_H
#include "src/base/status.h"
#include "src/score/frechet.h"
#include "src/score/moments.h"
#include "tests/harness.h"

static inline double *new_doubles(size_t n) {
  double *x = calloc(n ? n : 1, sizeof *x);
  ck_assert_ptr_nonnull(x);
  return x;
}

static inline struct moments new_moments(size_t D) {
  struct moments m = { .D = D, .mean = new_doubles(D), .S = new_doubles(D * D) };
  return m;
}
static inline void free_moments(struct moments *m) { free(m->mean), free(m->S); }

/* Adds x[n,D] in chunks. */
static inline void add(struct moments *m, size_t n, const real *x, size_t chunk) {
  double *scratch = new_doubles(chunk * m->D + m->D * m->D + m->D);
  for (size_t i = 0; i < n; i += chunk) moments_add(m, n - i < chunk ? n - i : chunk, x + i * m->D, scratch);
  free(scratch);
}
static inline struct moments moments_of(size_t n, size_t D, const real *x) {
  struct moments m = new_moments(D);
  add(&m, n, x, n);
  return m;
}

/* x[n,D]: correlated, of unequal variances and means. */
static inline real *new_features(uint32_t which, size_t n, size_t D) {
  real *x = new_normal(which, n * D);
  for (size_t i = 0; i < n; i++)
    for (size_t j = D; j-- > 0;) {
      if (j) x[i * D + j] += (real)0.5 * x[i * D + j - 1];
      x[i * D + j] = (real)(1 + j % 5) * x[i * D + j] + (real)(j % 3);
    }
  return x;
}

static inline double distance(const struct moments *a, const struct moments *b) {
  double d = NAN;
  ck_assert_msg(!frechet_distance(a, b, &d), "%s", status_reason());
  ck_assert(isfinite(d));
  return d;
}
#endif
