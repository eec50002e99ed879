/* narrow.h - products of many rows with a matrix of few columns, where OpenBLAS spends its time on packing and zeroing: A stays
 * where it lies, B is laid out a panel of columns at a time on the stack (base/tile.h does the rest).
 * C[m,n] = sum_p A[m,k] B[k,n]. A's element (i,p) lies at A[i * row + p * col], B's (p,j) at
 * B[p * b_row + j * b_col]; rows of C lie ldc apart. Threads share the rows of C; its bits do not depend on their number.
 * Memory: the caller's; nothing is allocated. Errors: none. Ranks: local. */
#ifndef BASE_NARROW_H
#define BASE_NARROW_H
#include "src/base/tile.h"

void narrow_product(size_t m, size_t n, size_t k, const real *A, size_t row, size_t col, const real *B, size_t b_row,
                    size_t b_col, real *C, size_t ldc);
#endif
