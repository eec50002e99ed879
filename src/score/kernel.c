#include "src/score/kernel.h"

#include <assert.h>
#include <cblas.h>

static double cubed(double product, size_t D) {
  const double k = product / (double)D + 1;
  return k * k * k;
}

static void widen(size_t n, const float *x, double *to) {
  for (size_t i = 0; i < n; i++) to[i] = x[i];
}

double kernel_sum(size_t D, size_t n, const float *x, size_t m, const float *y, double *scratch) {
  double *a = scratch, *b = a + KERNEL_TILE * D, *products = b + KERNEL_TILE * D, sum = 0;
  for (size_t i = 0; i < n; i += KERNEL_TILE) {
    const size_t rows = n - i < KERNEL_TILE ? n - i : KERNEL_TILE;
    widen(rows * D, x + i * D, a);
    for (size_t j = 0; j < m; j += KERNEL_TILE) {
      const size_t cols = m - j < KERNEL_TILE ? m - j : KERNEL_TILE;
      widen(cols * D, y + j * D, b);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)cols, (blasint)D, 1, a, (blasint)D, b,
                  (blasint)D, 0, products, (blasint)cols);
      double tile = 0;
#pragma omp simd reduction(+ : tile)
      for (size_t k = 0; k < rows * cols; k++) tile += cubed(products[k], D);
      sum += tile;
    }
  }
  return sum;
}

double kernel_diagonal(size_t D, size_t n, const float *x) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    double square = 0;
    for (size_t j = 0; j < D; j++) square += (double)x[i * D + j] * (double)x[i * D + j];
    sum += cubed(square, D);
  }
  return sum;
}

double kernel_distance(size_t n, double xx, double x_diagonal, size_t m, double yy, double y_diagonal, double xy) {
  assert(n >= 2 && m >= 2);
  const double N = (double)n, M = (double)m;
  return (xx - x_diagonal) / (N * (N - 1)) + (yy - y_diagonal) / (M * (M - 1)) - 2 * xy / (N * M);
}
