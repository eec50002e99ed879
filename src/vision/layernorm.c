#include "src/vision/layernorm.h"

#include <math.h>

static real mean_of(size_t C, const real *x) {
  real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t c = 0; c < C; c++) sum += x[c];
  return sum / (real)C;
}

static real scale_of(size_t C, const real *x, real mean, double eps) {
  real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t c = 0; c < C; c++) sum += (x[c] - mean) * (x[c] - mean);
  return (real)(1 / sqrt((double)sum / (double)C + eps));
}

void layernorm_forward(const struct layernorm *l, const real *x, real *y) {
  const size_t C = l->C;
  for (size_t n = 0; n < l->N; n++, x += C, y += C) {
    const real m = mean_of(C, x), s = scale_of(C, x, m, l->eps);
    for (size_t c = 0; c < C; c++) y[c] = l->weight[c] * (x[c] - m) * s + l->bias[c];
  }
}

/* With n_c = (x_c - m) s and g_c = weight_c y_bar_c:  x_bar_c = s (g_c - mean g - n_c mean(g n)). */
void layernorm_backward(const struct layernorm *l, const real *x, const real *y_bar, real *x_bar) {
  const size_t C = l->C;
  for (size_t n = 0; n < l->N; n++, x += C, y_bar += C, x_bar += C) {
    const real m = mean_of(C, x), s = scale_of(C, x, m, l->eps);
    real g = 0, gn = 0;
#pragma omp simd reduction(+ : g, gn)
    for (size_t c = 0; c < C; c++) {
      g += l->weight[c] * y_bar[c];
      gn += l->weight[c] * y_bar[c] * (x[c] - m);
    }
    g /= (real)C;
    gn *= s * s / (real)C;
    for (size_t c = 0; c < C; c++) x_bar[c] += s * (l->weight[c] * y_bar[c] - g - (x[c] - m) * gn);
  }
}
