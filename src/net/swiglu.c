#include "src/net/swiglu.h"

#include "src/base/vecmath.h"

enum { TILE = 256 };   /* numbers whose sigmoids stay in the first-level cache */

void swiglu_forward(size_t N, size_t I, const real *h, real *m) {
#pragma omp parallel for
  for (size_t n = 0; n < N; n++)
    for (size_t t = 0; t < I; t += TILE) {
      const real *h1 = h + n * 2 * I + t, *h3 = h1 + I;
      const size_t k = I - t < TILE ? I - t : TILE;
      real s[TILE], *y = m + n * I + t;
      vecmath_sigmoid(k, h1, s);
      for (size_t i = 0; i < k; i++) y[i] = h1[i] * s[i] * h3[i];
    }
}

void swiglu_tangent(size_t N, size_t I, const real *h, const real *h_dot, real *m_dot) {
#pragma omp parallel for
  for (size_t n = 0; n < N; n++)
    for (size_t t = 0; t < I; t += TILE) {
      const real *h1 = h + n * 2 * I + t, *h3 = h1 + I;
      const real *h1_dot = h_dot + n * 2 * I + t, *h3_dot = h1_dot + I;
      const size_t k = I - t < TILE ? I - t : TILE;
      real s[TILE], *y = m_dot + n * I + t;
      vecmath_sigmoid(k, h1, s);
      for (size_t i = 0; i < k; i++)
        y[i] = s[i] * (1 + h1[i] * (1 - s[i])) * h1_dot[i] * h3[i] + h1[i] * s[i] * h3_dot[i];
    }
}

void swiglu_backward(size_t N, size_t I, const real *h, const real *m_bar, real *h_bar) {
#pragma omp parallel for
  for (size_t n = 0; n < N; n++)
    for (size_t t = 0; t < I; t += TILE) {
      const real *h1 = h + n * 2 * I + t, *h3 = h1 + I, *y_bar = m_bar + n * I + t;
      real *h1_bar = h_bar + n * 2 * I + t, *h3_bar = h1_bar + I;
      const size_t k = I - t < TILE ? I - t : TILE;
      real s[TILE];
      vecmath_sigmoid(k, h1, s);
      for (size_t i = 0; i < k; i++) {
        h1_bar[i] = s[i] * (1 + h1[i] * (1 - s[i])) * h3[i] * y_bar[i];
        h3_bar[i] = h1[i] * s[i] * y_bar[i];
      }
    }
}
