#include "src/base/matmul.h"

#include <assert.h>
#include <cblas.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>

#include "src/base/bf16.h"
#include "src/base/narrow.h"
#include "src/base/onednn.h"
#include "src/base/processor.h"
#include "src/base/status.h"

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

static size_t piece;

void matmul_set_piece(size_t rows_or_columns) { piece = rows_or_columns; }

/* Whole or in pieces of C, whose longer side is cut. */
static void layer_product(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, const real *A, size_t lda,
                          const real *B, size_t ldb, real beta, real *C, size_t ldc) {
  if (!piece) {
    product(ta, tb, m, n, k, 1, A, lda, B, ldb, beta, C, ldc);
    return;
  }
  const size_t by_m = m >= n, all = by_m ? m : n, A_step = ta == CblasTrans ? 1 : lda, B_step = tb == CblasTrans ? ldb : 1;
#pragma omp parallel for schedule(static)
  for (size_t i = 0; i < all; i += piece) {
    const size_t part = all - i < piece ? all - i : piece;
    if (by_m) product(ta, tb, part, n, k, 1, A + i * A_step, lda, B, ldb, beta, C + i * ldc, ldc);
    else product(ta, tb, m, part, k, 1, A, lda, B + i * B_step, ldb, beta, C + i, ldc);
  }
}

static enum matmul_precision precision = MATMUL_F32;

void matmul_set_precision(enum matmul_precision p) {
  assert(p != MATMUL_BF16 || !matmul_bf16_missing());
  precision = p;
}

const char *matmul_bf16_missing(void) {
#ifdef PMF_DOUBLE
  return "a build in float32";
#else
  if (!processor_multiplies_bf16()) return "a processor with AVX512_BF16";
  return onednn_version() ? NULL : "oneDNN in the build";
#endif
}

/* Room for rounded inputs. */
static struct { void *base; size_t size; } room;

int matmul_reserve(size_t bytes) {
  if (bytes <= room.size) return STATUS_OK;
  free(room.base);
  room.size = (bytes + 63) / 64 * 64;
  room.base = aligned_alloc(64, room.size);
  if (room.base) return STATUS_OK;
  room.size = 0;
  return because(STATUS_NOMEM, "no memory for rounded inputs of products: %zu bytes", bytes);
}

size_t matmul_reserved(void) { return room.size; }

/* A's part, so that B begins on a cache line. */
static size_t aligned(size_t n) { return (n + 31) / 32 * 32; }

size_t matmul_rounded(size_t m, size_t n, size_t k) { return aligned(m * k) + n * k; }

size_t matmul_rounded_bytes(enum matmul_precision p) {
  return p == MATMUL_BF16 ? sizeof(uint16_t) : p == MATMUL_ROUNDED ? sizeof(real) : 0;
}

#ifndef PMF_DOUBLE
/* Returns whether it was done; A and B as they lie: rows of A are k long, or m where transposed; likewise B. */
static int reduced(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, const real *A, size_t lda,
                   const real *B, size_t ldb, real beta, real *C, size_t ldc) {
  const int At = ta == CblasTrans, Bt = tb == CblasTrans;
  const size_t A_rows = At ? k : m, A_cols = At ? m : k, B_rows = Bt ? n : k, B_cols = Bt ? k : n;
  const size_t B_at = aligned(m * k), all = matmul_rounded(m, n, k);
  assert(!omp_in_parallel() && (beta == 0 || beta == 1));
  if (!m || !n) return 1;
  if (precision == MATMUL_BF16) {
    if (matmul_reserve(all * sizeof(uint16_t))) return 0;
    uint16_t *a = room.base;
    bf16_pack(A_rows, A_cols, A, lda, a);
    bf16_pack(B_rows, B_cols, B, ldb, a + B_at);
    if (onednn_product(At, Bt, m, n, k, a, a + B_at, beta != 0, C, ldc)) return 1;
  }
  if (matmul_reserve(all * sizeof(real))) return 0;
  real *a = room.base;
  bf16_round(A_rows, A_cols, A, lda, a);
  bf16_round(B_rows, B_cols, B, ldb, a + B_at);
  layer_product(ta, tb, m, n, k, a, A_cols, a + B_at, B_cols, beta, C, ldc);
  return 1;
}
#else
static int reduced(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, const real *A, size_t lda,
                   const real *B, size_t ldb, real beta, real *C, size_t ldc) {
  (void)ta, (void)tb, (void)m, (void)n, (void)k, (void)A, (void)lda, (void)B, (void)ldb, (void)beta, (void)C, (void)ldc;
  return 0;
}
#endif

/* Many rows through a small matrix: there our own product is the faster one (doc/performance.md). */
enum { NARROW = 1 << 15, MANY = 64 };
static int narrow(CBLAS_TRANSPOSE ta, size_t m, size_t n, size_t k, real beta) {
  return ta == CblasNoTrans && beta == 0 && m >= MANY && n * k <= NARROW;
}

static void layer(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, const real *A, size_t lda,
                  const real *B, size_t ldb, real beta, real *C, size_t ldc) {
  if (precision != MATMUL_F32 && reduced(ta, tb, m, n, k, A, lda, B, ldb, beta, C, ldc)) return;
  if (precision == MATMUL_F32 && narrow(ta, m, n, k, beta))
    narrow_product(m, n, k, A, lda, 1, B, tb == CblasTrans ? 1 : ldb, tb == CblasTrans ? ldb : 1, C, ldc);
  else layer_product(ta, tb, m, n, k, A, lda, B, ldb, beta, C, ldc);
}

void matmul_layer_nt(size_t m, size_t n, size_t k, const real *A, size_t lda, const real *B, size_t ldb, real beta, real *C,
                     size_t ldc) {
  layer(CblasNoTrans, CblasTrans, m, n, k, A, lda, B, ldb, beta, C, ldc);
}
void matmul_layer_nn(size_t m, size_t n, size_t k, const real *A, size_t lda, const real *B, size_t ldb, real beta, real *C,
                     size_t ldc) {
  layer(CblasNoTrans, CblasNoTrans, m, n, k, A, lda, B, ldb, beta, C, ldc);
}
void matmul_layer_tn(size_t m, size_t n, size_t k, const real *A, size_t lda, const real *B, size_t ldb, real beta, real *C,
                     size_t ldc) {
  layer(CblasTrans, CblasNoTrans, m, n, k, A, lda, B, ldb, beta, C, ldc);
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
