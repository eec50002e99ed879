/* Sums in fixed point are exact: in any order and any grouping the same bits, those of float32 numbers down to 5e-7 as they are,
 * beside a sum in double; what cannot be added up is found. */
#include "src/base/fixed.h"
#include "tests/harness.h"

enum { N = 1000, TERMS = 64 };
static real x[TERMS][N], y[N];
static int64_t sum[N], other[N];

static void fill(double scale) {
  for (uint32_t k = 0; k < TERMS; k++) {
    fill_normal(k, N, x[k]);
    for (int i = 0; i < N; i++) x[k][i] *= (real)scale;
  }
}

START_TEST(any_order_and_grouping_gives_the_same_bits) {
  const double most = fixed_most(TERMS), scales[] = { 1e3, 1, 1e-6, 1e-12 };
  for (int s = 0; s < 4; s++) {
    fill(scales[s]);
    memset(sum, 0, sizeof sum);
    for (int k = 0; k < TERMS; k++) ck_assert_int_eq(fixed_add(N, x[k], most, sum), 0);
    memset(other, 0, sizeof other);
    for (int part = 3; part >= 0; part--) {   /* four ranks, backwards */
      static int64_t theirs[N];
      memset(theirs, 0, sizeof theirs);
      for (int k = 16 * part + 15; k >= 16 * part; k--) fixed_add(N, x[k], most, theirs);
      for (int i = 0; i < N; i++) other[i] += theirs[i];
    }
    ck_assert_int_eq(memcmp(sum, other, sizeof sum), 0);
  }
} END_TEST

START_TEST(one_number_comes_back_as_it_was) {   /* all its bits, where it is 2^-21 or more; else to half a unit */
  for (int e = 18; e > -60; e--) {
    for (int i = 0; i < N; i++) x[0][i] = (real)ldexp(1 + (double)i / N, e) * (i % 2 ? 1 : -1);
    memset(sum, 0, sizeof sum);
    ck_assert_int_eq(fixed_add(N, x[0], 0x1p19, sum), 0);
    fixed_value(N, sum, 1, y);
    if (e >= -21) ck_assert_int_eq(memcmp(x[0], y, sizeof y), 0);
    else ck_assert_double_le(max_abs_difference(N, x[0], y), 0x1p-45);
  }
} END_TEST

START_TEST(the_sum_is_that_of_doubles) {
  const double scales[] = { 100, 1e-3, 1e-6, 1e-9 };
  for (int s = 0; s < 4; s++) {
    fill(scales[s]);
    memset(sum, 0, sizeof sum);
    for (int k = 0; k < TERMS; k++) fixed_add(N, x[k], fixed_most(TERMS), sum);
    fixed_value(N, sum, 0.25, y);
    for (int i = 0; i < N; i++) {
      double exact = 0;
      for (int k = 0; k < TERMS; k++) exact += (double)x[k][i] / 4;
      const double error = fabs((double)y[i] - exact);
      ck_assert_double_le(error, fabs(exact) * 0x1p-24 + TERMS * 0x1p-47);   /* a float's rounding, and half a unit a term */
      if (scales[s] >= 1e-3 && fabs(exact) > scales[s]) ck_assert_double_le(error, fabs(exact) * 6.1e-8);
    }
  }
} END_TEST

START_TEST(what_cannot_be_added_is_found) {
  const real bad[] = { (real)NAN, (real)INFINITY, (real)-INFINITY, (real)1e6, (real)-1e6 };
  for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
    for (int place = 0; place < N; place += 333) {
      fill(1);
      x[0][place] = bad[b];
      ck_assert_int_ne(fixed_add(N, x[0], fixed_most(TERMS), sum), 0);
    }
  const double most = fixed_most(TERMS);   /* as many of the largest as may be: no wrap */
  memset(sum, 0, sizeof sum);
  for (int i = 0; i < N; i++) x[0][i] = (real)(most * (1 - 1e-7));
  for (int k = 0; k < TERMS; k++) ck_assert_int_eq(fixed_add(N, x[0], most, sum), 0);
  fixed_value(N, sum, 1, y);
  ck_assert_double_eq_tol((double)y[0], TERMS * most, 1);
  ck_assert_double_le(TERMS * fixed_most(TERMS), 0x1p19);
} END_TEST

int main(void) {
  return run_tests("fixed", (const TTest *[]){ any_order_and_grouping_gives_the_same_bits, one_number_comes_back_as_it_was,
                                               the_sum_is_that_of_doubles, what_cannot_be_added_is_found, NULL });
}
