#include "src/score/neighbours.h"

#include <assert.h>
#include <cblas.h>

#include "src/score/kernel.h"

enum { TILE = KERNEL_TILE, DEPTH = NEIGHBOURS_DEPTH };

/* Rows of D numbers: floats, or bytes as they are. */
struct rows {
  const float *x;
  const uint8_t *u8;
};

/* Columns [at, at+depth) of n rows from `first` on. */
static void widen(size_t D, const struct rows *r, size_t first, size_t n, size_t at, size_t depth, double *to) {
  assert(r->x || r->u8);
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0, from = (first + i) * D + at; k < depth; k++) to[i * depth + k] = r->x ? r->x[from + k] : r->u8[from + k];
}

/* Squares of the rows, added to those of the columns before. */
static void add_squares(size_t n, size_t depth, const double *x, double *sum) {
  for (size_t i = 0; i < n; i++) sum[i] += cblas_ddot((int)depth, x + i * depth, 1, x + i * depth, 1);
}

/* Squared distances d[rows,cols] of a's rows from i on and b's from j on, over their products; scratch: 2 TILE DEPTH. */
static void distances(size_t D, const struct rows *a, size_t i, size_t rows, const struct rows *b, size_t j, size_t cols, double *d,
                      double *scratch) {
  const size_t most = D < DEPTH ? D : DEPTH;
  double *x = scratch, *y = scratch + TILE * most, xx[TILE] = { 0 }, yy[TILE] = { 0 };
  for (size_t at = 0; at < D; at += DEPTH) {
    const size_t depth = D - at < DEPTH ? D - at : DEPTH;
    widen(D, a, i, rows, at, depth, x);
    widen(D, b, j, cols, at, depth, y);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)cols, (int)depth, -2, x, (int)depth, y, (int)depth,
                at ? 1 : 0, d, (int)cols);
    add_squares(rows, depth, x, xx);
    add_squares(cols, depth, y, yy);
  }
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < cols; c++) {
      const double s = d[r * cols + c] + yy[c] + xx[r];
      d[r * cols + c] = s > 0 ? s : 0;
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

static void add(size_t D, size_t n, const struct rows *x, size_t m, const struct rows *y, size_t self, double *nearest, double *d) {
  for (size_t i = 0; i < n; i += TILE) {
    const size_t rows = n - i < TILE ? n - i : TILE;
    for (size_t j = 0; j < m; j += TILE) {
      const size_t cols = m - j < TILE ? m - j : TILE;
      distances(D, x, i, rows, y, j, cols, d, d + TILE * TILE);
      for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
          if (self == SIZE_MAX || i + r != self + j + c) insert(nearest + (i + r) * NEIGHBOURS, d[r * cols + c]);
    }
  }
}

void neighbours_add(size_t D, size_t n, const float *x, size_t m, const float *y, size_t self, double *nearest, double *scratch) {
  add(D, n, &(struct rows){ .x = x }, m, &(struct rows){ .x = y }, self, nearest, scratch);
}

void neighbours_add_bytes(size_t D, size_t n, const uint8_t *x, size_t m, const uint8_t *y, double *nearest, double *scratch) {
  add(D, n, &(struct rows){ .u8 = x }, m, &(struct rows){ .u8 = y }, SIZE_MAX, nearest, scratch);
}

void neighbours_cover(size_t D, size_t n, const float *x, size_t m, const float *y, const double *radius, uint8_t *inside,
                      double *scratch) {
  double *d = scratch;
  for (size_t i = 0; i < n; i += TILE) {
    const size_t rows = n - i < TILE ? n - i : TILE;
    for (size_t j = 0; j < m; j += TILE) {
      const size_t cols = m - j < TILE ? m - j : TILE;
      distances(D, &(struct rows){ .x = x }, i, rows, &(struct rows){ .x = y }, j, cols, d, d + TILE * TILE);
      for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) inside[i + r] |= d[r * cols + c] <= radius[j + c];
    }
  }
}
