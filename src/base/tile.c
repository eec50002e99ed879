#include "src/base/tile.h"

#include <string.h>

/* As many numbers as a vector register of the instruction set compiled for holds; GCC's and Clang's vectors make plain
 * arithmetic of it everywhere. */
#ifdef __AVX512F__
enum { BYTES = 64 };
#elif defined __AVX__
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
enum { LANES = BYTES / sizeof(real), ROWS = 6, VECTORS = 3 };   /* the most rows and vectors of a tile of C */
typedef real vector __attribute__((vector_size(BYTES)));
typedef real anywhere __attribute__((vector_size(BYTES), aligned(sizeof(real)), may_alias));

size_t tile_width(size_t n) { return (n + LANES - 1) / LANES * LANES; }

/* A tile of C in registers: `rows` x `vectors`, both known to the compiler wherever this is inlined; of its columns n count. */
static inline __attribute__((always_inline)) void tile(size_t rows, size_t vectors, size_t n, size_t k, const real *A, size_t row,
                                                       size_t col, const real *B, size_t ldb, enum tile_sum sum, real *C,
                                                       size_t ldc) {
  vector c[ROWS][VECTORS];
#pragma GCC unroll 6
  for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 3
    for (size_t v = 0; v < vectors; v++) c[i][v] = (vector){ 0 };
  for (size_t p = 0; p < k; p++) {
    vector b[VECTORS];
#pragma GCC unroll 3
    for (size_t v = 0; v < vectors; v++) b[v] = *(const anywhere *)(B + p * ldb + v * LANES);
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
      const real a = A[i * row + p * col];
#pragma GCC unroll 3
      for (size_t v = 0; v < vectors; v++) c[i][v] += a * b[v];
    }
  }
#pragma GCC unroll 6
  for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 3
    for (size_t v = 0; v < vectors; v++) {
      real *to = C + i * ldc + v * LANES;
      if ((v + 1) * LANES <= n) {
        if (sum == TILE_ADD) c[i][v] += *(const anywhere *)to;
        *(anywhere *)to = c[i][v];
      } else {
        real last[LANES];
        memcpy(last, &c[i][v], sizeof last);
        for (size_t j = 0; v * LANES + j < n; j++) to[j] = sum == TILE_ADD ? to[j] + last[j] : last[j];
      }
    }
}

/* All rows of up to VECTORS vectors of columns, in tiles of `most` rows. */
static inline __attribute__((always_inline)) void column(size_t most, size_t vectors, size_t m, size_t n, size_t k, const real *A,
                                                         size_t row, size_t col, const real *B, size_t ldb,
                                                         enum tile_sum sum, real *C, size_t ldc) {
  size_t i = 0;
#define TILE(rows) tile(rows, vectors, n, k, A + i * row, row, col, B, ldb, sum, C + i * ldc, ldc)
  for (; i + most <= m; i += most) TILE(most);
  switch (m - i) {
    case 5: TILE(5); break;
    case 4: TILE(4); break;
    case 3: TILE(3); break;
    case 2: TILE(2); break;
    case 1: TILE(1); break;
    default: break;
  }
#undef TILE
}

void tile_product(size_t m, size_t n, size_t k, const real *A, size_t row, size_t col, const real *B, size_t ldb,
                  enum tile_sum sum, real *C, size_t ldc) {
  for (size_t left = n; left;) {
    const size_t vectors = (left + LANES - 1) / LANES, at = n - left;
    const size_t width = vectors == 1 ? 1 : vectors == 3 ? 3 : 2, take = width * LANES < left ? width * LANES : left;
    if (width == 1) column(6, 1, m, take, k, A, row, col, B + at, ldb, sum, C + at, ldc);
    else if (width == 2) column(6, 2, m, take, k, A, row, col, B + at, ldb, sum, C + at, ldc);
    else column(4, 3, m, take, k, A, row, col, B + at, ldb, sum, C + at, ldc);
    left -= take;
  }
}

void tile_transpose(size_t m, size_t n, real scale, const real *X, size_t ldx, real *Y, size_t ldy) {
  const size_t width = tile_width(m);
  for (size_t j = 0; j < n; j++) {
    for (size_t i = 0; i < m; i++) Y[j * ldy + i] = scale * X[i * ldx + j];
    for (size_t i = m; i < width; i++) Y[j * ldy + i] = 0;
  }
}

void tile_copy(size_t m, size_t n, real scale, const real *X, size_t ldx, real *Y, size_t ldy) {
  const size_t width = tile_width(n);
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) Y[i * ldy + j] = scale * X[i * ldx + j];
    for (size_t j = n; j < width; j++) Y[i * ldy + j] = 0;
  }
}
