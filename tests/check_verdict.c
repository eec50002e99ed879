/* The rule of studies: a claim holds, fails or is undecided by Student's paired test over the seeds. On made-up numbers. */
#include "src/score/verdict.h"

#include <math.h>

#include "tests/harness.h"

static enum verdict below(double f, size_t n, const double *low, const double *high) { return verdict_below(f, n, low, high, NULL); }
static enum verdict three(const double low[3], const double high[3]) { return below(1, 3, low, high); }

START_TEST(apart_by_more_than_seeds_make_holds) {
  ck_assert_int_eq(three((double[]){ 1, 1.5, 2 }, (double[]){ 5, 5.5, 6 }), VERDICT_HOLDS);
  ck_assert_int_eq(three((double[]){ 5, 5.5, 6 }, (double[]){ 1, 1.5, 2 }), VERDICT_FAILS);
} END_TEST
/* Differences 0.5, 1.5, 2.5: mean 1.5, deviation 1, t = 2.6. */
START_TEST(apart_by_less_is_undecided) {
  ck_assert_int_eq(three((double[]){ 2, 1.5, 1 }, (double[]){ 2.5, 3, 3.5 }), VERDICT_UNDECIDED);
  ck_assert_int_eq(three((double[]){ 2.5, 3, 3.5 }, (double[]){ 2, 1.5, 1 }), VERDICT_UNDECIDED);
  ck_assert_int_eq(three((double[]){ 1, 1, 1 }, (double[]){ 1, 1, 1 }), VERDICT_UNDECIDED);
} END_TEST
/* The density over [0, q] by Simpson's rule: 0.45; the table has four digits. */
static double density(double v, double x) {
  return exp(lgamma((v + 1) / 2) - lgamma(v / 2)) / sqrt(v * acos(-1)) * pow(1 + x * x / v, -(v + 1) / 2);
}
START_TEST(quantiles_are_those_of_the_density) {
  enum { PIECES = 2000 };
  for (size_t v = 1; v < VERDICT_SEEDS; v++) {
    const double q = verdict_quantile(v), h = q / PIECES;
    double area = 0;
    for (int i = 0; i <= PIECES; i++) area += (i == 0 || i == PIECES ? 1 : i % 2 ? 4 : 2) * density((double)v, i * h) * h / 3;
    ck_assert_double_eq_tol(area, 0.45, 1e-4 * density((double)v, q));
  }
} END_TEST
/* Normal differences of mean 0: one in twenty holds and one in twenty fails, with two seeds as with ten. */
START_TEST(the_rule_is_as_strict_with_any_number_of_seeds) {
  enum { TRIALS = 20000 };
  for (size_t n = 2; n <= 10; n += 4) {
    double zero[10] = { 0 }, shares[2] = { 0, 0 };
    for (uint32_t i = 0; i < TRIALS; i++) {
      real draws[10];
      double d[10];
      random_normal((struct purpose){ n, STREAM_SAMPLE, i, 0 }, n, draws);
      for (size_t s = 0; s < n; s++) d[s] = draws[s];
      const enum verdict v = below(1, n, zero, d);
      shares[0] += v == VERDICT_HOLDS, shares[1] += v == VERDICT_FAILS;
    }
    ck_assert_double_eq_tol(shares[0] / TRIALS, 0.05, 0.006);   /* four deviations */
    ck_assert_double_eq_tol(shares[1] / TRIALS, 0.05, 0.006);
  }
} END_TEST
START_TEST(like_differences_decide) {
  ck_assert_int_eq(three((double[]){ 1, 2, 3 }, (double[]){ 1.5, 2.5, 3.5 }), VERDICT_HOLDS);
  ck_assert_int_eq(three((double[]){ 1.5, 2.5, 3.5 }, (double[]){ 1, 2, 3 }), VERDICT_FAILS);
  ck_assert_int_eq(three((double[]){ 1, 2, 3 }, (double[]){ 1, 2, 3 }), VERDICT_UNDECIDED);
} END_TEST
/* What a seed does to both sides is no difference: 1 .. 9 against 2 .. 10.1; of other pairs nothing can be said. */
START_TEST(seeds_are_compared_with_themselves) {
  struct verdict_range d;
  ck_assert_int_eq(three((double[]){ 1, 5, 9 }, (double[]){ 2, 6.1, 10.1 }), VERDICT_HOLDS);
  ck_assert_int_eq(three((double[]){ 5, 9, 1 }, (double[]){ 2, 6.1, 10.1 }), VERDICT_UNDECIDED);
  verdict_below(2, 3, (double[]){ 1, 5, 9 }, (double[]){ 3, 6, 10 }, &d);
  ck_assert(d.n == 3 && d.finite == 3 && d.least == -8 && d.most == 1 && fabs(d.mean + 11.0 / 3) < 1e-15);
} END_TEST
START_TEST(one_seed_decides_nothing) {
  const double a = 1, b = 100;
  ck_assert_int_eq(below(1, 1, &a, &b), VERDICT_UNDECIDED);
  ck_assert_int_eq(below(1, 0, NULL, NULL), VERDICT_UNDECIDED);
} END_TEST
/* 2 low < high: 3 - 2 and 3.1 - 2.2; with a factor of 6 it fails; with 1.8 and a wide low side nothing is decided. */
START_TEST(a_factor_scales_the_low_side) {
  const double low[] = { 1, 1.1 }, high[] = { 3, 3.1 }, wide[] = { 1, 1.6 };
  ck_assert_int_eq(below(2, 2, low, high), VERDICT_HOLDS);
  ck_assert_int_eq(below(6, 2, low, high), VERDICT_FAILS);
  ck_assert_int_eq(below(1, 2, wide, high), VERDICT_HOLDS);
  ck_assert_int_eq(below(1.8, 2, wide, high), VERDICT_UNDECIDED);
} END_TEST
START_TEST(a_side_that_diverged_is_above) {
  const double good[] = { 1, 2 }, bad[] = { INFINITY, NAN }, mixed[] = { 1, NAN };
  ck_assert_int_eq(below(1, 2, good, bad), VERDICT_HOLDS);
  ck_assert_int_eq(below(1, 2, bad, good), VERDICT_FAILS);
  ck_assert_int_eq(below(1, 2, bad, bad), VERDICT_UNDECIDED);
  ck_assert_int_eq(below(1, 2, mixed, bad), VERDICT_UNDECIDED);
  ck_assert_int_eq(below(1, 2, good, mixed), VERDICT_UNDECIDED);
} END_TEST
START_TEST(all_claims_together) {
  const enum verdict U = VERDICT_UNDECIDED, H = VERDICT_HOLDS, F = VERDICT_FAILS;
  ck_assert_int_eq(verdict_all(2, (enum verdict[]){ H, H }), H);
  ck_assert_int_eq(verdict_all(2, (enum verdict[]){ H, U }), U);
  ck_assert_int_eq(verdict_all(3, (enum verdict[]){ U, F, H }), F);
  ck_assert_int_eq(verdict_all(0, NULL), U);
} END_TEST

int main(void) {
  return run_tests("verdict", (const TTest *[]){
    apart_by_more_than_seeds_make_holds, apart_by_less_is_undecided, quantiles_are_those_of_the_density,
    the_rule_is_as_strict_with_any_number_of_seeds, like_differences_decide, seeds_are_compared_with_themselves,
    one_seed_decides_nothing, a_factor_scales_the_low_side, a_side_that_diverged_is_above, all_claims_together, NULL });
}
