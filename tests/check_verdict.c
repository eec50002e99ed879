/* The rule of studies: a claim holds, fails or is undecided by the spread over the seeds. On made-up numbers. */
#include "src/score/verdict.h"
#include "tests/harness.h"

static enum verdict below(double f, size_t n, const double *low, size_t m, const double *high) {
  return verdict_below(f, verdict_range(n, low), verdict_range(m, high));
}
static enum verdict three(const double low[3], const double high[3]) { return below(1, 3, low, 3, high); }

START_TEST(apart_by_more_than_both_spreads_holds) {
  ck_assert_int_eq(three((double[]){ 1, 1.5, 2 }, (double[]){ 5, 5.5, 6 }), VERDICT_HOLDS);
  ck_assert_int_eq(three((double[]){ 5, 5.5, 6 }, (double[]){ 1, 1.5, 2 }), VERDICT_FAILS);
} END_TEST
/* Ranges 1 .. 2 and 2.5 .. 3.5 do not touch, but their means are apart by 1.5, less than both spreads together, 2. */
START_TEST(apart_by_less_is_undecided) {
  ck_assert_int_eq(three((double[]){ 1, 1.5, 2 }, (double[]){ 2.5, 3, 3.5 }), VERDICT_UNDECIDED);
  ck_assert_int_eq(three((double[]){ 2.5, 3, 3.5 }, (double[]){ 1, 1.5, 2 }), VERDICT_UNDECIDED);
  ck_assert_int_eq(three((double[]){ 1, 1, 1 }, (double[]){ 1, 1, 1 }), VERDICT_UNDECIDED);
} END_TEST
START_TEST(one_seed_decides_nothing) {
  const double a = 1, b = 100, both[] = { 100, 101 };
  ck_assert_int_eq(below(1, 1, &a, 1, &b), VERDICT_UNDECIDED);
  ck_assert_int_eq(below(1, 1, &a, 2, both), VERDICT_UNDECIDED);
  ck_assert_int_eq(below(1, 0, NULL, 2, both), VERDICT_UNDECIDED);
} END_TEST
/* 2 low < high: 2 x (1 .. 1.1) against 3 .. 3.1: 3.05 - 2.1 > 0.1 + 0.2; three times as far it fails. */
START_TEST(a_factor_scales_the_low_side_and_its_spread) {
  const double low[] = { 1, 1.1 }, high[] = { 3, 3.1 }, wide[] = { 1, 1.6 };
  ck_assert_int_eq(below(2, 2, low, 2, high), VERDICT_HOLDS);
  ck_assert_int_eq(below(6, 2, low, 2, high), VERDICT_FAILS);
  ck_assert_int_eq(below(1, 2, wide, 2, high), VERDICT_HOLDS);     /* 1.75 > 0.1 + 0.6 */
  ck_assert_int_eq(below(1.8, 2, wide, 2, high), VERDICT_UNDECIDED);   /* 0.71 < 0.1 + 1.08 */
} END_TEST
START_TEST(a_side_that_diverged_is_above) {
  const double good[] = { 1, 2 }, bad[] = { INFINITY, NAN }, mixed[] = { 1, NAN };
  ck_assert_int_eq(below(1, 2, good, 2, bad), VERDICT_HOLDS);
  ck_assert_int_eq(below(1, 2, bad, 2, good), VERDICT_FAILS);
  ck_assert_int_eq(below(1, 2, bad, 2, bad), VERDICT_UNDECIDED);
  ck_assert_int_eq(below(1, 2, mixed, 2, bad), VERDICT_UNDECIDED);
  ck_assert_int_eq(below(1, 2, good, 2, mixed), VERDICT_UNDECIDED);
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
    apart_by_more_than_both_spreads_holds, apart_by_less_is_undecided, one_seed_decides_nothing,
    a_factor_scales_the_low_side_and_its_spread, a_side_that_diverged_is_above, all_claims_together, NULL });
}
