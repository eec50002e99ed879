/* tile.h - products of small matrices that lie in the cache: on whole vectors straight from where the operands lie, with nothing
 * packed, zeroed or called in between. What it is measured at: doc/performance.md.
 * C[m,n] = sum_p A[m,k] B[k,n], or is added to. A's element (i,p) lies at A[i * row + p * col], so that A^T is A with row and
 * col exchanged; rows of B lie ldb apart and hold tile_width(n) readable numbers, of which those from n on do not count (they
 * may hold anything); rows of C lie ldc apart and only their n numbers are written.
 * An element of C is one sum in the order of p, whatever m and n. Memory: the caller's; nothing is allocated.
 * Errors: none. Ranks: local; one thread does it. */
#ifndef BASE_TILE_H
#define BASE_TILE_H
#include <stddef.h>

#include "src/base/real.h"

enum tile_sum { TILE_SET, TILE_ADD };
/* n rounded up to whole vectors of the instruction set compiled for. */
size_t tile_width(size_t n);
void tile_product(size_t m, size_t n, size_t k, const real *A, size_t row, size_t col, const real *B, size_t ldb,
                  enum tile_sum sum, real *C, size_t ldc);
/* Y[n,m] = scale X[m,n]^T, and Y = scale X; rows of Y are written up to tile_width, with zeros at the end. */
void tile_transpose(size_t m, size_t n, real scale, const real *X, size_t ldx, real *Y, size_t ldy);
void tile_copy(size_t m, size_t n, real scale, const real *X, size_t ldx, real *Y, size_t ldy);
#endif
