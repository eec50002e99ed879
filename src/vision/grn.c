#include "src/vision/grn.h"

#include <math.h>
#include <string.h>

enum { ROWS = 32 };   /* pixels summed at once: sums of sums lose less */
static const double eps = 1e-6;

size_t grn_work(const struct grn *l) { return 4 * l->C; }

/* sum[c] = sum_p x[p,c] y[p,c]; part[C] */
static void products(const struct grn *l, const real *x, const real *y, real *sum, real *part) {
  const size_t C = l->C;
  memset(sum, 0, C * sizeof *sum);
  for (size_t p = 0; p < l->P; p += ROWS) {
    const size_t end = l->P - p < ROWS ? l->P : p + ROWS;
    memset(part, 0, C * sizeof *part);
    for (size_t q = p; q < end; q++)
      for (size_t c = 0; c < C; c++) part[c] += x[q * C + c] * y[q * C + c];
    for (size_t c = 0; c < C; c++) sum[c] += part[c];
  }
}

/* g[C]; returns mean_c g + eps. */
static double responses(const struct grn *l, const real *x, real *g, real *part) {
  double mean = 0;
  products(l, x, x, g, part);
  for (size_t c = 0; c < l->C; c++) {
    g[c] = (real)sqrt((double)g[c] + eps);
    mean += (double)g[c];
  }
  return mean / (double)l->C + eps;
}

void grn_forward(const struct grn *l, const real *x, real *y, real *scratch) {
  const size_t C = l->C;
  real *g = scratch, *factor = scratch + C;
  const double n = responses(l, x, g, factor);
  for (size_t c = 0; c < C; c++) factor[c] = (real)(1 + (double)l->weight[c] * (double)g[c] / n);
  for (size_t p = 0; p < l->P; p++)
    for (size_t c = 0; c < C; c++) y[p * C + c] = x[p * C + c] * factor[c] + l->bias[c];
}

/* With s[c] = weight[c] sum_p y_bar x, the gradient by q[c]:  g_bar[c] = s[c]/n - sum_k s[k] g[k] / (C n^2), and
 * dg/dx = x/g. */
void grn_backward(const struct grn *l, const real *x, const real *y_bar, real *x_bar, real *scratch) {
  const size_t C = l->C;
  real *g = scratch, *s = g + C, *factor = s + C, *part = factor + C;
  const double n = responses(l, x, g, part);
  double shared = 0;
  products(l, x, y_bar, s, part);
  for (size_t c = 0; c < C; c++) {
    s[c] *= l->weight[c];
    shared += (double)s[c] * (double)g[c];
  }
  for (size_t c = 0; c < C; c++) {
    const double g_bar = (double)s[c] / n - shared / ((double)C * n * n);
    factor[c] = (real)(1 + (double)l->weight[c] * (double)g[c] / n);
    s[c] = (real)(g_bar / (double)g[c]);
  }
  for (size_t p = 0; p < l->P; p++)
    for (size_t c = 0; c < C; c++) x_bar[p * C + c] += y_bar[p * C + c] * factor[c] + x[p * C + c] * s[c];
}
