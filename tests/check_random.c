/* The random numbers are those of Philox4x32-10, a function of their purpose alone, uniform, normal and uncorrelated
 * as far as a few hundred thousand draws can tell; random_permute is a permutation. */
#include "tests/harness.h"

enum { N = 400000 };
static real x[N], y[N];

static struct purpose purpose(uint32_t sample) { return (struct purpose){ 7, STREAM_TEST, 3, sample }; }

/* Known answer of the Random123 distribution (kat_vectors): counter 0, key 0. */
START_TEST(bits_are_philox4x32_10) {
  const uint32_t expected[4] = { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 };
  uint32_t bits[4];
  random_bits((struct purpose){ 0, (enum stream)0, 0, 0 }, 4, bits);
  for (int i = 0; i < 4; i++) ck_assert_uint_eq(bits[i], expected[i]);
} END_TEST

START_TEST(draws_depend_on_their_purpose_alone) {
  random_normal(purpose(1), 1000, x);
  random_normal(purpose(2), 1000, y);
  ck_assert_double_gt(max_abs_difference(1000, x, y), 1);
  for (size_t n = 0; n < 9; n++) {   /* a shorter draw is the beginning of a longer one */
    random_normal(purpose(1), n, y);
    ck_assert_double_eq(max_abs_difference(n, x, y), 0);
  }
  struct purpose others[] = { purpose(1), purpose(1), purpose(1), purpose(1), purpose(1) };
  others[0].seed ^= 1;
  others[1].seed ^= (uint64_t)1 << 40;
  others[2].stream = STREAM_NOISE;
  others[3].step ^= 1;
  others[4].step ^= (uint64_t)1 << 40;
  for (int i = 0; i < 5; i++) {
    random_normal(others[i], 1000, y);
    ck_assert_double_gt(max_abs_difference(1000, x, y), 1);
    ck_assert_double_lt(fabs(dot(1000, x, y)) / 1000, 5 / sqrt(1000));
  }
} END_TEST

static double moment(const real *v, int power) {
  double sum = 0;
  for (size_t i = 0; i < N; i++) sum += pow((double)v[i], power);
  return sum / N;
}

/* Limits: five standard deviations of the mean over N draws. */
START_TEST(normals_have_the_moments_of_the_normal) {
  random_normal(purpose(5), N, x);
  ck_assert_double_eq_tol(moment(x, 1), 0, 5 * sqrt(1.0 / N));
  ck_assert_double_eq_tol(moment(x, 2), 1, 5 * sqrt(2.0 / N));
  ck_assert_double_eq_tol(moment(x, 3), 0, 5 * sqrt(15.0 / N));
  ck_assert_double_eq_tol(moment(x, 4), 3, 5 * sqrt(96.0 / N));
  ck_assert_double_eq_tol(dot(N - 1, x, x + 1) / N, 0, 5 * sqrt(1.0 / N));
  ck_assert_double_eq_tol(dot(N - 4, x, x + 4) / N, 0, 5 * sqrt(1.0 / N));
  ck_assert_double_gt(max_abs(N, x), 4);
} END_TEST

START_TEST(uniforms_fill_the_unit_interval) {
  size_t cell[100] = { 0 };
  random_uniform(purpose(6), N, x);
  for (size_t i = 0; i < N; i++) {
    ck_assert_double_gt((double)x[i], 0);
    ck_assert_double_lt((double)x[i], 1);
    cell[(int)(100 * x[i])]++;
  }
  for (int i = 0; i < 100; i++) ck_assert_double_eq_tol((double)cell[i], N / 100.0, 5 * sqrt(N / 100.0));
  ck_assert_double_eq_tol(moment(x, 1), 0.5, 5 * sqrt(1.0 / 12 / N));
} END_TEST

/* The draw whose upper bits are all ones must not round up to 1. It is looked for: one in 2^24 is such. */
START_TEST(the_largest_uniform_is_below_one) {
  enum { PIECE = 4096 };
  static uint32_t bits[PIECE];
  int found = 0;
  for (uint32_t sample = 0; sample < 1 << 16 && !found; sample++) {
    random_bits(purpose(sample), PIECE, bits);
    for (size_t i = 0; i < PIECE; i++) {
      if (bits[i] >> 8 != 0xffffff) continue;
      random_uniform(purpose(sample), PIECE, x);
      ck_assert_double_lt((double)x[i], 1);
      found = 1;
    }
  }
  ck_assert_int_eq(found, 1);
} END_TEST

START_TEST(permute_takes_every_place_once) {
  static const uint64_t sizes[] = { 1, 2, 3, 4, 5, 16, 17, 1000, 60000 };
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    const uint64_t n = sizes[s];
    unsigned char *seen = calloc(n, 1);
    ck_assert_ptr_nonnull(seen);
    for (uint64_t i = 0; i < n; i++) {
      const uint64_t place = random_permute(11, s, n, i);
      ck_assert_uint_lt(place, n);
      ck_assert_int_eq(seen[place]++, 0);
    }
    free(seen);
  }
} END_TEST

/* Two epochs agree in as many places as two random permutations would: one on average. Neighbours part. */
START_TEST(permutations_of_epochs_are_unrelated) {
  enum { n = 60000 };
  int same = 0, near = 0;
  double sum = 0;
  for (uint64_t i = 0; i < n; i++) {
    const double a = (double)random_permute(11, 0, n, i), b = (double)random_permute(11, 1, n, i);
    same += a == b;
    sum += (a - (n - 1) / 2.0) * (b - (n - 1) / 2.0);
    if (i) near += fabs(a - (double)random_permute(11, 0, n, i - 1)) < 6;
  }
  ck_assert_int_lt(same, 10);
  ck_assert_int_lt(near, 60);   /* 10 expected */
  ck_assert_double_lt(fabs(sum / n / ((double)n * n / 12)), 5 / sqrt(n));
  ck_assert_uint_ne(random_permute(11, 0, n, 0), random_permute(12, 0, n, 0));
} END_TEST

int main(void) {
  return run_tests("random", (const TTest *[]){
    bits_are_philox4x32_10, draws_depend_on_their_purpose_alone, normals_have_the_moments_of_the_normal,
    uniforms_fill_the_unit_interval, the_largest_uniform_is_below_one, permute_takes_every_place_once,
    permutations_of_epochs_are_unrelated, NULL });
}
