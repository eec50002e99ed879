#include "src/base/matmul.h"

#include <cblas.h>

#ifdef PMF_DOUBLE
#define gemm cblas_dgemm
#else
#define gemm cblas_sgemm
#endif

static void product(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, real alpha, const real *A,
                    size_t lda, const real *B, size_t ldb, real beta, real *C, size_t ldc) {
  if (!m || !n) return;
  gemm(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, alpha, A, (blasint)lda, B, (blasint)ldb, beta, C,
       (blasint)ldc);
}

void matmul_nt(size_t m, size_t n, size_t k, real alpha, const real *A, size_t lda, const real *B, size_t ldb,
               real beta, real *C, size_t ldc) {
  product(CblasNoTrans, CblasTrans, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
void matmul_nn(size_t m, size_t n, size_t k, real alpha, const real *A, size_t lda, const real *B, size_t ldb,
               real beta, real *C, size_t ldc) {
  product(CblasNoTrans, CblasNoTrans, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
void matmul_tn(size_t m, size_t n, size_t k, real alpha, const real *A, size_t lda, const real *B, size_t ldb,
               real beta, real *C, size_t ldc) {
  product(CblasTrans, CblasNoTrans, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
