/* matmul.h - matrix products on row-major arrays, by OpenBLAS. ld: elements from one row to the next.
 * beta = 0 overwrites C (which may hold anything), beta = 1 adds to it. Ranks: local. Errors: none. */
#ifndef BASE_MATMUL_H
#define BASE_MATMUL_H
#include <stddef.h>

#include "src/base/real.h"

/* C[m,n] = alpha A[m,k] B[n,k]^T + beta C: how a linear layer with weight (out, in) maps its rows. */
void matmul_nt(size_t m, size_t n, size_t k, real alpha, const real *A, size_t lda, const real *B, size_t ldb,
               real beta, real *C, size_t ldc);
/* C[m,n] = alpha A[m,k] B[k,n] + beta C: its gradient by the input. */
void matmul_nn(size_t m, size_t n, size_t k, real alpha, const real *A, size_t lda, const real *B, size_t ldb,
               real beta, real *C, size_t ldc);
/* C[m,n] = alpha A[k,m]^T B[k,n] + beta C: its gradient by the weight. */
void matmul_tn(size_t m, size_t n, size_t k, real alpha, const real *A, size_t lda, const real *B, size_t ldb,
               real beta, real *C, size_t ldc);
/* The products of linear layers: as matmul_nt, _nn and _tn with alpha = 1, but at the precision that was last set here. The
 * others know float32 only. beta is 0 or 1. Not from inside a parallel region.
 * Memory: rounded inputs in a buffer that grows to the largest product and is never given back; while there is none for it,
 * float32 does it. */
enum matmul_precision {
  MATMUL_F32,       /* as it begins */
  MATMUL_ROUNDED,   /* inputs rounded to bf16 (bf16.h), products float32 by OpenBLAS */
  MATMUL_BF16,      /* the same numbers in bf16 by oneDNN, sums float32; needs matmul_bf16_missing() == NULL */
};
void matmul_set_precision(enum matmul_precision precision);
/* The products of linear layers by OpenBLAS in pieces of so many rows or columns, each by one thread: so their bits do not depend
 * on the number of threads, as OpenBLAS's own division among threads makes them do. 0, as it begins: whole. */
enum { MATMUL_PIECE = 256 };
void matmul_set_piece(size_t piece);
/* What MATMUL_BF16 lacks here, in words; NULL: nothing. */
const char *matmul_bf16_missing(void);
/* Numbers in the rounded inputs of C[m,n] = A B over k, and the bytes of one at a precision (0: nothing is rounded). */
size_t matmul_rounded(size_t m, size_t n, size_t k);
size_t matmul_rounded_bytes(enum matmul_precision precision);
/* Makes the buffer at least so large, or tells its size. Errors: STATUS_NOMEM. */
int matmul_reserve(size_t bytes);
size_t matmul_reserved(void);
void matmul_layer_nt(size_t m, size_t n, size_t k, const real *A, size_t lda, const real *B, size_t ldb, real beta, real *C,
                     size_t ldc);
void matmul_layer_nn(size_t m, size_t n, size_t k, const real *A, size_t lda, const real *B, size_t ldb, real beta, real *C,
                     size_t ldc);
void matmul_layer_tn(size_t m, size_t n, size_t k, const real *A, size_t lda, const real *B, size_t ldb, real beta, real *C,
                     size_t ldc);
/* C[n,n] = alpha A[n,k] A^T + beta C, which is symmetric (C too, on entry): half the arithmetic of a product. */
void matmul_symmetric_nt(size_t n, size_t k, real alpha, const real *A, size_t lda, real beta, real *C, size_t ldc);
/* C[n,n] = alpha A[k,n]^T A + beta C, likewise. */
void matmul_symmetric_tn(size_t n, size_t k, real alpha, const real *A, size_t lda, real beta, real *C, size_t ldc);
/* The kernels that OpenBLAS chose for this processor, as it names them. */
const char *matmul_core(void);
#endif
