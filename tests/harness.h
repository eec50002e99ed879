/* harness.h - what the tests share: running a list of tests, the measures of error, reproducible numbers.
 *   START_TEST(law) { ... } END_TEST
 *   int main(void) { return run_tests("name", (const TTest *[]){ law, NULL }); }
 * For tests under mpirun, define HARNESS_MPI before including this:
 *   int main(int argc, char **argv) { return run_mpi_tests(&argc, &argv, "name", (const TTest *[]){ law, NULL }); }
 * Tests run in one process (Check's forks and OpenMP's threads do not go together); CK_FORK=yes changes that.
 * Errors are infinite where a number is not a number, so that every comparison with a limit fails. */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H
#include <check.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/random.h"
#include "src/base/real.h"

/* Does the address sanitizer look on, which keeps memory for itself and has a malloc of its own? */
#if defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static inline double dot(size_t n, const real *a, const real *b) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static inline double max_abs(size_t n, const real *a) {
  double max = 0;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite((double)a[i])) return INFINITY;
    max = fmax(max, fabs((double)a[i]));
  }
  return max;
}

static inline double max_abs_difference(size_t n, const real *a, const real *b) {
  double max = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = fabs((double)a[i] - (double)b[i]);
    if (!isfinite(d)) return INFINITY;
    max = fmax(max, d);
  }
  return max;
}

/* max |a - b| / max |b|; absolute where b is all zero. */
static inline double relative_error(size_t n, const real *a, const real *b) {
  const double scale = max_abs(n, b);
  return isfinite(scale) ? max_abs_difference(n, a, b) / (scale > 0 ? scale : 1) : INFINITY;
}

/* The worst of that over the samples of a batch: a, b [B,n]. */
static inline double relative_error_samples(size_t B, size_t n, const real *a, const real *b) {
  double worst = 0;
  for (size_t i = 0; i < B; i++) worst = fmax(worst, relative_error(n, a + i * n, b + i * n));
  return worst;
}

/* x[n] ~ N(0,1), other numbers for each `which`. */
static inline void fill_normal(uint32_t which, size_t n, real *x) {
  random_normal((struct purpose){ .seed = 1, .stream = STREAM_TEST, .sample = which }, n, x);
}

/* n numbers of that kind, or n zeros; the caller frees them. */
static inline real *new_zeros(size_t n) {
  real *x = calloc(n ? n : 1, sizeof *x);
  if (!x) {
    fprintf(stderr, "not enough memory for a test\n");
    exit(EXIT_FAILURE);
  }
  return x;
}
static inline real *new_normal(uint32_t which, size_t n) {
  real *x = new_zeros(n);
  fill_normal(which, n, x);
  return x;
}

/* Runs the tests of a list that ends with NULL and returns the exit code of the program. */
static inline int run_tests_as(const char *name, const TTest *const *tests, enum print_output output) {
  Suite *suite = suite_create(name);
  TCase *tcase = tcase_create(name);
  tcase_set_timeout(tcase, 0);   /* launch.sh sets the limit */
  for (size_t i = 0; tests[i]; i++) tcase_add_test(tcase, tests[i]);
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  const char *fork = getenv("CK_FORK");
  srunner_set_fork_status(runner, fork && !strcmp(fork, "yes") ? CK_FORK : CK_NOFORK);
  srunner_run_all(runner, output);
  const int failed = srunner_ntests_failed(runner), run = srunner_ntests_run(runner);
  srunner_free(runner);
  return failed || !run ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int run_tests(const char *name, const TTest *const *tests) {
  return run_tests_as(name, tests, CK_NORMAL);
}

#ifdef HARNESS_MPI
#include "mpi/world.h"

static struct world world;

/* COLLECTIVE. The largest error over the ranks, on all of them, so that all pass or fail together. */
static inline double worst_over_ranks(double error) {
  double worst;
  if (isnan(error)) error = INFINITY;
  MPI_Allreduce(&error, &worst, 1, MPI_DOUBLE, MPI_MAX, world.comm);
  return worst;
}

/* COLLECTIVE over all processes; sets `world`; rank 0 alone prints. Fails where launch.sh has asked for other ranks than there are:
 * under the launcher of another MPI each process would be a world of its own, and its laws hold. */
static inline int run_mpi_tests(int *argc, char ***argv, const char *name, const TTest *const *tests) {
  world_init(argc, argv, &world);
  const char *expected = getenv("TEST_WORLD");
  if (expected && atoi(expected) != world.ranks) {
    fprintf(stderr, "%s: %d ranks, expected %s\n", name, world.ranks, expected);
    world_end(&world, EXIT_FAILURE);
    return EXIT_FAILURE;
  }
  int code = run_tests_as(name, tests, world.rank ? CK_SILENT : CK_NORMAL);
  MPI_Allreduce(MPI_IN_PLACE, &code, 1, MPI_INT, MPI_MAX, world.comm);
  world_end(&world, code);
  return code;
}
#endif
#endif
