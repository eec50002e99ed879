#include "src/base/vecmath.h"

#include <math.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#include <sleef.h>
#endif

/* One vector of `real`, its load, store, exp and erf, for the widest instruction set compiled for. */
#if !defined __x86_64__
typedef real vector;
static inline real load(const real *x) { return *x; }
static inline void store(real *y, real v) { *y = v; }
static inline real vector_exp(real v) { return sizeof v == sizeof(float) ? (real)expf((float)v) : (real)exp(v); }
static inline real vector_erf(real v) { return sizeof v == sizeof(float) ? (real)erff((float)v) : (real)erf(v); }
#elif defined PMF_DOUBLE && defined __AVX512F__
typedef __m512d vector;
#define load _mm512_loadu_pd
#define store _mm512_storeu_pd
#define vector_exp Sleef_expd8_u10avx512f
#define vector_erf Sleef_erfd8_u10avx512f
#elif defined PMF_DOUBLE && defined __AVX2__
typedef __m256d vector;
#define load _mm256_loadu_pd
#define store _mm256_storeu_pd
#define vector_exp Sleef_expd4_u10avx2
#define vector_erf Sleef_erfd4_u10avx2
#elif defined PMF_DOUBLE
typedef __m128d vector;
#define load _mm_loadu_pd
#define store _mm_storeu_pd
#define vector_exp Sleef_expd2_u10
#define vector_erf Sleef_erfd2_u10
#elif defined __AVX512F__
typedef __m512 vector;
#define load _mm512_loadu_ps
#define store _mm512_storeu_ps
#define vector_exp Sleef_expf16_u10avx512f
#define vector_erf Sleef_erff16_u10avx512f
#elif defined __AVX2__
typedef __m256 vector;
#define load _mm256_loadu_ps
#define store _mm256_storeu_ps
#define vector_exp Sleef_expf8_u10avx2
#define vector_erf Sleef_erff8_u10avx2
#else
typedef __m128 vector;
#define load _mm_loadu_ps
#define store _mm_storeu_ps
#define vector_exp Sleef_expf4_u10
#define vector_erf Sleef_erff4_u10
#endif

enum { LANES = sizeof(vector) / sizeof(real) };

void vecmath_exp(size_t n, const real *x, real *y) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, vector_exp(load(x + i)));
  if (i < n) {   /* the tail goes through a full vector too */
    real tail[LANES] = { 0 };
    memcpy(tail, x + i, (n - i) * sizeof(real));
    store(tail, vector_exp(load(tail)));
    memcpy(y + i, tail, (n - i) * sizeof(real));
  }
}

void vecmath_erf(size_t n, const real *x, real *y) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, vector_erf(load(x + i)));
  if (i < n) {   /* the tail goes through a full vector too */
    real tail[LANES] = { 0 };
    memcpy(tail, x + i, (n - i) * sizeof(real));
    store(tail, vector_erf(load(tail)));
    memcpy(y + i, tail, (n - i) * sizeof(real));
  }
}

void vecmath_sigmoid(size_t n, const real *x, real *y) {
  enum { TILE = 512 };   /* stays in the first-level cache */
  real e[TILE];
  for (size_t i = 0; i < n; i += TILE) {
    const size_t m = n - i < TILE ? n - i : TILE;
    for (size_t j = 0; j < m; j++) e[j] = -x[i + j];
    vecmath_exp(m, e, e);
    for (size_t j = 0; j < m; j++) y[i + j] = 1 / (1 + e[j]);
  }
}
