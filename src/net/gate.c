#include "src/net/gate.h"

void gate_forward(size_t N, size_t C, const real *g, const real *x, const real *a, real *y) {
#pragma omp parallel for
  for (size_t n = 0; n < N; n++)
    for (size_t c = 0; c < C; c++) y[n * C + c] = x[n * C + c] + a[n * C + c] * g[c];
}

void gate_backward(size_t N, size_t C, const real *g, const real *a, const real *y_bar, real *a_bar, real *g_bar) {
#pragma omp parallel for
  for (size_t n = 0; n < N; n++)
    for (size_t c = 0; c < C; c++) a_bar[n * C + c] = y_bar[n * C + c] * g[c];
  for (size_t n = 0; n < N; n++)   /* in the order of the rows, whatever the number of threads */
    for (size_t c = 0; c < C; c++) g_bar[c] += a[n * C + c] * y_bar[n * C + c];
}
