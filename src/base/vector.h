/* vector.h - sums over short arrays, vectorised: their order of addition is fixed by the compiler, not by threads. */
#ifndef BASE_VECTOR_H
#define BASE_VECTOR_H
#include <stddef.h>

#include "src/base/real.h"

/* sum_i x_i y_i */
static inline real vector_dot(size_t n, const real *x, const real *y) {
  real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}
/* max_i x_i, n >= 1; in lanes, for compilers keep the order of comparisons with what may be no number. */
static inline real vector_max(size_t n, const real *x) {
  enum { LANES = 16 };
  real lane[LANES];
  for (size_t j = 0; j < LANES; j++) lane[j] = x[0];
  size_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (size_t j = 0; j < LANES; j++) lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
  for (; i < n; i++) lane[0] = x[i] > lane[0] ? x[i] : lane[0];
  for (size_t j = 1; j < LANES; j++) lane[0] = lane[j] > lane[0] ? lane[j] : lane[0];
  return lane[0];
}
/* sum_i x_i y_i z_i */
static inline real vector_dot3(size_t n, const real *x, const real *y, const real *z) {
  real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; i++) sum += x[i] * y[i] * z[i];
  return sum;
}
#endif
