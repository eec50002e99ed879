/* The floating-point mode: after processor_flush_denormals no thread makes a denormal number or reads one, of OpenMP's and
 * OpenBLAS's, those that were there before and those that come later; and the names of OpenBLAS's kernels fit together. */
#include <float.h>
#include <omp.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "src/base/matmul.h"
#include "src/base/processor.h"
#include "tests/harness.h"

enum { THREADS = 4, N = 192 };

#ifdef __x86_64__
static volatile real least = sizeof(real) == sizeof(float) ? (real)FLT_MIN : (real)DBL_MIN, half = (real)0.5;
static real denormal;   /* of the bits that half of the least normal number has: set by hand, as no arithmetic here would make it */

/* Does this thread make a denormal, or read one as a number? */
static int has_denormals(void) {
  const real made = least * half, zero = 0, read = *(volatile real *)&denormal / least;
  return memcmp(&made, &zero, sizeof made) || read > 0;   /* by its bits: to compare it would be to read it */
}
/* Threads out of so many that do. */
static int threads_with_denormals(int threads) {
  int count = 0, there = 0;
  ((unsigned char *)&denormal)[sizeof denormal - 2] = sizeof denormal == sizeof(float) ? 0x40 : 0x08;
#pragma omp parallel num_threads(threads) reduction(+ : count, there)
  {
    count += has_denormals();
    there++;
  }
  ck_assert_int_eq(there, threads);
  return count;
}

/* Denormals among the numbers of a product whose terms are all denormal. */
static size_t denormals_of_product(void) {
  real *A = new_zeros(N * N), *C = new_zeros(N * N);
  const real factor = (real)sqrt(sizeof(real) == sizeof(float) ? FLT_MIN / 4096. : DBL_MIN / 4096.);
  for (size_t i = 0; i < N * N; i++) A[i] = factor;
  matmul_nt(N, N, N, 1, A, N, A, N, 0, C, N);
  size_t count = 0;
  for (size_t i = 0; i < N * N; i++) {
    unsigned char zero[sizeof(real)] = { 0 };
    count += memcmp(&C[i], zero, sizeof zero) != 0;
  }
  free(A), free(C);
  return count;
}

static void keep_denormals(void) {
#pragma omp parallel num_threads(THREADS)
  _mm_setcsr(_mm_getcsr() & ~(unsigned)(1 << 15 | 1 << 6));
}

START_TEST(no_thread_makes_denormals) {
  omp_set_num_threads(THREADS);
  keep_denormals();
  ck_assert_int_eq(threads_with_denormals(THREADS), THREADS);   /* or what follows would say nothing */
  ck_assert_uint_eq(denormals_of_product(), N * N);
  processor_flush_denormals();
  ck_assert_int_eq(threads_with_denormals(THREADS), 0);
  ck_assert_uint_eq(denormals_of_product(), 0);
  omp_set_num_threads(2 * THREADS);
  ck_assert_int_eq(threads_with_denormals(2 * THREADS), 0);
  ck_assert_uint_eq(denormals_of_product(), 0);
  keep_denormals();
} END_TEST
#else
START_TEST(no_thread_makes_denormals) { processor_flush_denormals(); } END_TEST   /* no such mode is set there */
#endif

START_TEST(kernels_that_are_advised_run_here) {
  static const char *const cores[] = { "Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX", "Cooperlake",
                                       "SapphireRapids", "armv8" };
  for (size_t i = 0; i < sizeof cores / sizeof *cores; i++) {
    const char *better = processor_better_core(cores[i]), *plainer = processor_plainer_core(cores[i]);
    ck_assert_msg(!better || processor_runs_core(better), "%s is advised and does not run here", better);
    ck_assert_msg(!better || !processor_better_core(better), "%s is advised and is not the best", better);
    ck_assert_msg(!plainer || strcmp(plainer, cores[i]) != 0, "%s instead of itself", plainer);
    ck_assert_msg(!plainer || !processor_runs_core(cores[i]) || processor_runs_core(plainer), "%s does not run here", plainer);
  }
  ck_assert_int_eq(processor_runs_core(matmul_core()), 1);
} END_TEST

int main(void) {
  return run_tests("processor", (const TTest *[]){ no_thread_makes_denormals, kernels_that_are_advised_run_here, NULL });
}
