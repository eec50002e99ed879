#include "src/net/rmsnorm.h"

#include <tgmath.h>

#include "src/base/vector.h"

static const real eps = (real)1e-6;

void rmsnorm_forward(const struct rmsnorm *l) {
  const size_t C = l->C;
#pragma omp parallel for
  for (size_t n = 0; n < l->N; n++)
    for (size_t g = 0; g < l->G; g++) {
      const real *x = l->x + n * l->ldx + g * C;
      real *y = l->y + n * l->ldy + g * C;
      const real s = l->s[n * l->G + g] = 1 / sqrt(vector_dot(C, x, x) / C + eps);
      for (size_t c = 0; c < C; c++) y[c] = l->w[c] * x[c] * s;
    }
}

void rmsnorm_tangent(const struct rmsnorm *l, size_t N_dot, const real *x_dot, real *y_dot) {
  const size_t C = l->C;
#pragma omp parallel for
  for (size_t n = 0; n < N_dot; n++)
    for (size_t g = 0; g < l->G; g++) {
      const real *x = l->x + n * l->ldx + g * C, *xd = x_dot + n * l->ldx + g * C;
      real *yd = y_dot + n * l->ldy + g * C;
      const real s = l->s[n * l->G + g], s_dot = -s * s * s * vector_dot(C, x, xd) / C;
      for (size_t c = 0; c < C; c++) yd[c] = l->w[c] * (xd[c] * s + x[c] * s_dot);
    }
}

void rmsnorm_backward(const struct rmsnorm *l, const real *y_bar, real *x_bar, real *w_bar) {
  const size_t C = l->C;
#pragma omp parallel for
  for (size_t n = 0; n < l->N; n++)
    for (size_t g = 0; g < l->G; g++) {
      const real *x = l->x + n * l->ldx + g * C, *yb = y_bar + n * l->ldy + g * C;
      real *xb = x_bar + n * l->ldx + g * C;
      const real s = l->s[n * l->G + g], s_bar = vector_dot3(C, l->w, x, yb), k = s * s * s * s_bar / C;
      for (size_t c = 0; c < C; c++) xb[c] += l->w[c] * yb[c] * s - k * x[c];
    }
  for (size_t n = 0; n < l->N; n++)   /* in the order of the rows, whatever the number of threads */
    for (size_t g = 0; g < l->G; g++) {
      const real *x = l->x + n * l->ldx + g * C, *yb = y_bar + n * l->ldy + g * C;
      const real s = l->s[n * l->G + g];
      for (size_t c = 0; c < C; c++) w_bar[c] += x[c] * yb[c] * s;
    }
}
