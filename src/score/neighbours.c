#include "src/score/neighbours.h"

#include <cblas.h>

#include "src/score/kernel.h"

enum { TILE = KERNEL_TILE };

static void widen(size_t n, const float *x, double *to) {
  for (size_t i = 0; i < n; i++) to[i] = x[i];
}
static double square(size_t D, const double *x) { return cblas_ddot((int)D, x, 1, x, 1); }

/* Squared distances[rows,cols] of a[rows,D] and b[cols,D], over their products. */
static void distances(size_t D, size_t rows, const double *a, size_t cols, const double *b, double *d) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)cols, (int)D, -2, a, (int)D, b, (int)D, 0, d, (int)cols);
  for (size_t j = 0; j < cols; j++) {
    const double s = square(D, b + j * D);
    for (size_t i = 0; i < rows; i++) d[i * cols + j] += s;
  }
  for (size_t i = 0; i < rows; i++) {
    const double s = square(D, a + i * D);
    for (size_t j = 0; j < cols; j++) d[i * cols + j] = d[i * cols + j] + s > 0 ? d[i * cols + j] + s : 0;
  }
}

static void insert(double *nearest, double d) {
  for (int k = 0; k < NEIGHBOURS; k++)
    if (d < nearest[k]) {
      const double out = nearest[k];
      nearest[k] = d;
      d = out;
    }
}

void neighbours_add(size_t D, size_t n, const float *x, size_t m, const float *y, size_t self, double *nearest, double *scratch) {
  double *a = scratch, *b = a + TILE * D, *d = b + TILE * D;
  for (size_t i = 0; i < n; i += TILE) {
    const size_t rows = n - i < TILE ? n - i : TILE;
    widen(rows * D, x + i * D, a);
    for (size_t j = 0; j < m; j += TILE) {
      const size_t cols = m - j < TILE ? m - j : TILE;
      widen(cols * D, y + j * D, b);
      distances(D, rows, a, cols, b, d);
      for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
          if (self == SIZE_MAX || i + r != self + j + c) insert(nearest + (i + r) * NEIGHBOURS, d[r * cols + c]);
    }
  }
}

void neighbours_cover(size_t D, size_t n, const float *x, size_t m, const float *y, const double *radius, uint8_t *inside,
                      double *scratch) {
  double *a = scratch, *b = a + TILE * D, *d = b + TILE * D;
  for (size_t i = 0; i < n; i += TILE) {
    const size_t rows = n - i < TILE ? n - i : TILE;
    widen(rows * D, x + i * D, a);
    for (size_t j = 0; j < m; j += TILE) {
      const size_t cols = m - j < TILE ? m - j : TILE;
      widen(cols * D, y + j * D, b);
      distances(D, rows, a, cols, b, d);
      for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) inside[i + r] |= d[r * cols + c] <= radius[j + c];
    }
  }
}
