#include "src/base/narrow.h"

#include <omp.h>

enum { COLUMNS = 128 / sizeof(real), DEPTH = 256 };   /* a panel of B: 32 KB at most */

/* Rows of C of one thread. */
static void share(size_t m, size_t n, size_t k, const real *A, size_t row, size_t col, const real *B, size_t b_row, size_t b_col,
                  real *C, size_t ldc) {
  _Alignas(64) real panel[DEPTH * COLUMNS];
  for (size_t p = 0; p < k; p += DEPTH)
    for (size_t j = 0; j < n; j += COLUMNS) {
      const size_t deep = k - p < DEPTH ? k - p : DEPTH, wide = n - j < COLUMNS ? n - j : COLUMNS;
      const real *from = B + p * b_row + j * b_col;
      if (b_col == 1) tile_copy(deep, wide, 1, from, b_row, panel, COLUMNS);
      else tile_transpose(wide, deep, 1, from, b_col, panel, COLUMNS);
      tile_product(m, wide, deep, A + p * col, row, col, panel, COLUMNS, p ? TILE_ADD : TILE_SET, C + j, ldc);
    }
}

void narrow_product(size_t m, size_t n, size_t k, const real *A, size_t row, size_t col, const real *B, size_t b_row,
                    size_t b_col, real *C, size_t ldc) {
  enum { ROWS = 12 };   /* a thread's share is a multiple of whole tiles */
  const size_t blocks = (m + ROWS - 1) / ROWS;
#pragma omp parallel
  {
    const size_t threads = (size_t)omp_get_num_threads(), me = (size_t)omp_get_thread_num();
    const size_t first = blocks * me / threads * ROWS, next = blocks * (me + 1) / threads * ROWS, end = next < m ? next : m;
    if (first < end)
      share(end - first, n, k, A + first * row, row, col, B, b_row, b_col, C + first * ldc, ldc);
  }
}
