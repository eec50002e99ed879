/* A sum over the ranks is the sum, has the same bits on all ranks, and is the same in one piece and in many; a copy is
 * the root's bytes. */
#define HARNESS_MPI
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "tests/harness.h"

enum { N = 10007 };   /* no multiple of a limit */
static float x[N], once[N];
static double y[N];
static const size_t limits[] = { 1, 7, 1000, N - 1, N, N + 1 };

/* Whole numbers: their sums are exact in any order. */
static float whole(size_t i, int rank) { return (float)(i % 1000 + (size_t)rank * 3); }

START_TEST(a_sum_is_exact_with_any_limit) {
  for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
    reduce_limit = limits[l];
    for (size_t i = 0; i < N; i++) y[i] = x[i] = whole(i, world.rank);
    reduce_sum(world.comm, N, x);
    reduce_sum_double(world.comm, N, y);
    double error = 0;
    for (size_t i = 0; i < N; i++) {
      double sum = 0;
      for (int k = 0; k < world.ranks; k++) sum += (double)whole(i, k);
      error = fmax(error, fmax(fabs((double)x[i] - sum), fabs(y[i] - sum)));
    }
    ck_assert_double_eq(worst_over_ranks(error), 0);
  }
} END_TEST

START_TEST(a_sum_has_one_value_on_all_ranks_and_again) {
  for (int again = 0; again < 2; again++) {
    reduce_limit = 1000;
    fill_normal((uint32_t)world.rank, N, x);
    reduce_sum(world.comm, N, x);
    ck_assert(agree_same(world.comm, x, sizeof x));
    if (again) ck_assert_double_eq(worst_over_ranks(memcmp(x, once, sizeof x) != 0), 0);
    memcpy(once, x, sizeof x);
  }
} END_TEST

START_TEST(a_copy_is_the_roots_bytes_from_any_root) {
  for (int root = 0; root < world.ranks; root++) {
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
      reduce_limit = limits[l] + 996;
      fill_normal((uint32_t)(world.rank == root ? 77 : world.rank), N, x);
      fill_normal(77, N, once);
      spread(world.comm, root, sizeof x, x);
      ck_assert_double_eq(worst_over_ranks(memcmp(x, once, sizeof x) != 0), 0);
    }
  }
} END_TEST

START_TEST(nothing_is_no_error) {
  x[0] = 5;
  reduce_sum(world.comm, 0, x);
  reduce_sum_double(world.comm, 0, NULL);
  spread(world.comm, 0, 0, NULL);
  ck_assert_double_eq(worst_over_ranks(fabs((double)x[0] - 5)), 0);
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "reduce",
                       (const TTest *[]){ a_sum_is_exact_with_any_limit, a_sum_has_one_value_on_all_ranks_and_again,
                                          a_copy_is_the_roots_bytes_from_any_root, nothing_is_no_error, NULL });
}
