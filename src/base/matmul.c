#include "src/base/matmul.h"

#include <cblas.h>

#ifdef PMF_DOUBLE
#define gemm cblas_dgemm
#define syrk cblas_dsyrk
#else
#define gemm cblas_sgemm
#define syrk cblas_ssyrk
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

/* The upper triangle into the lower one, by tiles that stay in the cache. */
static void mirror(size_t n, real *C, size_t ldc) {
  enum { TILE = 32 };
  for (size_t i = 0; i < n; i += TILE)
    for (size_t j = 0; j <= i; j += TILE)
      for (size_t r = i; r < i + TILE && r < n; r++)
        for (size_t c = j; c < j + TILE && c < r; c++) C[r * ldc + c] = C[c * ldc + r];
}

void matmul_symmetric_nt(size_t n, size_t k, real alpha, const real *A, size_t lda, real beta, real *C, size_t ldc) {
  syrk(CblasRowMajor, CblasUpper, CblasNoTrans, (blasint)n, (blasint)k, alpha, A, (blasint)lda, beta, C, (blasint)ldc);
  mirror(n, C, ldc);
}
void matmul_symmetric_tn(size_t n, size_t k, real alpha, const real *A, size_t lda, real beta, real *C, size_t ldc) {
  syrk(CblasRowMajor, CblasUpper, CblasTrans, (blasint)n, (blasint)k, alpha, A, (blasint)lda, beta, C, (blasint)ldc);
  mirror(n, C, ldc);
}

const char *matmul_core(void) { return openblas_get_corename(); }
