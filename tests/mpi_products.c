/* The test of products at the start finds nothing wrong here, at any precision and number of threads, and finds a BLAS that is:
 * each kind of product in turn is made to give one number that is wrong by the least that float32 tells, on the last rank.
 * These functions stand before OpenBLAS's. */
#define _GNU_SOURCE   /* RTLD_NEXT */
#define HARNESS_MPI
#include <dlfcn.h>
#include <omp.h>

#include "jobs/products.h"
#include "src/base/matmul.h"
#include "src/base/processor.h"
#include "src/base/status.h"
#include "tests/harness.h"
#include "tests/tiny.h"
#include <cblas.h>   /* the last: it brings <complex.h>, whose I is a size of ours */

enum call { NONE, NT, NN, TN, SYRK_N, SYRK_T, CALLS };
static enum call broken;   /* the call that goes wrong, on the last rank */
static int when;           /* on several threads only, on one only: 2, 1; 0: on any */
static int calls[CALLS];

static int goes_wrong(enum call call) {
  calls[call]++;
  return call == broken && world.rank == world.ranks - 1 && (!when || (omp_get_max_threads() > 1) == (when > 1));
}
/* The next number up. */
static void spoil(float *C, size_t at) { C[at] = nextafterf(C[at], INFINITY); }

void cblas_sgemm(const enum CBLAS_ORDER order, const enum CBLAS_TRANSPOSE ta, const enum CBLAS_TRANSPOSE tb, const blasint m,
                 const blasint n, const blasint k, const float alpha, const float *A, const blasint lda, const float *B,
                 const blasint ldb, const float beta, float *C, const blasint ldc) {
  static __typeof__(cblas_sgemm) *next;
  if (!next) next = __extension__ (__typeof__(next))dlsym(RTLD_NEXT, "cblas_sgemm");
  next(order, ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
  if (goes_wrong(ta == CblasTrans ? TN : tb == CblasTrans ? NT : NN)) spoil(C, (size_t)(m / 2 * ldc + n - 1));
}
void cblas_ssyrk(const enum CBLAS_ORDER order, const enum CBLAS_UPLO uplo, const enum CBLAS_TRANSPOSE t, const blasint n,
                 const blasint k, const float alpha, const float *A, const blasint lda, const float beta, float *C,
                 const blasint ldc) {
  static __typeof__(cblas_ssyrk) *next;
  if (!next) next = __extension__ (__typeof__(next))dlsym(RTLD_NEXT, "cblas_ssyrk");
  next(order, uplo, t, n, k, alpha, A, lda, beta, C, ldc);
  if (goes_wrong(t == CblasTrans ? SYRK_T : SYRK_N)) spoil(C, (size_t)n - 1);
}

/* A net whose layers are too large for our own narrow product (base/matmul.c), with more rows than are tried. */
static void wide(struct net *n) {
  const struct net_config config = { .image = 32, .patch = 4, .channels = 3, .classes = 4, .width = 192, .depth = 2,
                                     .head_depth = 1, .heads = 4, .class_tokens = 2, .omega_tokens = 1, .interval_tokens = 1,
                                     .time_tokens = 1 };
  tiny_must(net_init(n, &config, 0));
}

START_TEST(nothing_is_wrong_here) {
  struct net n;
  wide(&n);
  broken = NONE;
  memset(calls, 0, sizeof calls);
  for (int threads = 1; threads <= 3; threads += 2)   /* in pieces, too, that divide nothing evenly */
    for (size_t B = 1; B <= 25; B += 12)
      for (int p = MATMUL_F32; p <= (matmul_bf16_missing() ? MATMUL_ROUNDED : MATMUL_BF16); p++) {
        omp_set_num_threads(threads);
        matmul_set_precision((enum matmul_precision)p);
        matmul_set_piece(B == 13 ? 50 : 0);
        ck_assert_msg(products_test(&world, &n, B, B / 2) == STATUS_OK, "%s", status_reason());
        ck_assert_int_eq(omp_get_max_threads(), threads);
      }
  matmul_set_precision(MATMUL_F32);
  matmul_set_piece(0);
  for (int call = NT; call < CALLS; call++) ck_assert_msg(calls[call] > 0, "no product of kind %d", call);
  net_free(&n);
} END_TEST

START_TEST(a_wrong_number_is_found) {
  static const char *const names[CALLS] = { "", "x W^T of ", "y_bar W of ", "y_bar^T x of ", "X X^T of ", "X^T X of " };
  struct net n;
  wide(&n);
  for (int call = NT; call < CALLS; call++)
    for (when = 0; when < 3; when++) {
      char last[32];
      omp_set_num_threads(2);
      broken = (enum call)call;
      const int status = products_test(&world, &n, 5, 2);
      broken = NONE;
      snprintf(last, sizeof last, ", on rank %d (", world.ranks - 1);
      const char *why = status_reason(), *advice = processor_plainer_core(matmul_core());
      const int named = strstr(why, names[call]) && strstr(why, last) && strstr(why, when == 1 ? "1 thread," : "2 threads,")
                        && strstr(why, matmul_core()) && (!advice || strstr(why, advice));
      if (status != STATUS_BAD || !named) printf("rank %d: kind %d, when %d: %d, %s\n", world.rank, call, when, status, why);
      ck_assert_double_eq(worst_over_ranks(status != STATUS_BAD || !named), 0);
    }
  when = 0;
  omp_set_num_threads(1);
  net_free(&n);
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "products", (const TTest *[]){ nothing_is_wrong_here, a_wrong_number_is_found, NULL });
}
