#include "src/vision/gelu.h"

#include "src/base/vecmath.h"

enum { TILE = 512 };   /* stays in the first-level cache */
static const real root_half = (real)0.70710678118654752440, root_2pi_inverse = (real)0.39894228040143267794;

/* e[m] = Phi(x[m]) */
static void distribution(size_t m, const real *x, real *e) {
  for (size_t j = 0; j < m; j++) e[j] = root_half * x[j];
  vecmath_erf(m, e, e);
  for (size_t j = 0; j < m; j++) e[j] = (1 + e[j]) / 2;
}

void gelu_forward(size_t n, const real *x, real *y) {
  real e[TILE];
  for (size_t i = 0; i < n; i += TILE) {
    const size_t m = n - i < TILE ? n - i : TILE;
    distribution(m, x + i, e);
    for (size_t j = 0; j < m; j++) y[i + j] = x[i + j] * e[j];
  }
}

void gelu_backward(size_t n, const real *x, const real *y_bar, real *x_bar) {
  real e[TILE], d[TILE];
  for (size_t i = 0; i < n; i += TILE) {
    const size_t m = n - i < TILE ? n - i : TILE;
    distribution(m, x + i, e);
    for (size_t j = 0; j < m; j++) d[j] = -x[i + j] * x[i + j] / 2;
    vecmath_exp(m, d, d);
    for (size_t j = 0; j < m; j++) x_bar[i + j] += (e[j] + root_2pi_inverse * x[i + j] * d[j]) * y_bar[i + j];
  }
}
