/* The laws of the other scores (SPEC 10): the kernel distance is the double sum, without bias; the Inception Score has its closed
 * forms; neighbours are those of all pairs. Reference values are in check_reference; the Frechet distance is check_frechet's. */
#include "src/score/inception_score.h"
#include "src/score/kernel.h"
#include "src/score/neighbours.h"
#include "tests/features.h"

static double kernel(size_t D, const real *a, const real *b) { return pow(dot(D, a, b) / (double)D + 1, 3); }

/* The definition. */
static double kernel_by_hand(size_t D, size_t n, const real *x, size_t m, const real *y) {
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      if (i != j) xx += kernel(D, x + i * D, x + j * D) / (double)(n * (n - 1));
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < m; j++)
      if (i != j) yy += kernel(D, y + i * D, y + j * D) / (double)(m * (m - 1));
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < m; j++) xy += kernel(D, x + i * D, y + j * D) / (double)(n * m);
  return xx + yy - 2 * xy;
}

static double kid(size_t D, size_t n, const real *x, size_t m, const real *y) {
  double *scratch = new_doubles(KERNEL_TILE * (2 * D + KERNEL_TILE));
  const double xx = kernel_sum(D, n, x, n, x, scratch), yy = kernel_sum(D, m, y, m, y, scratch),
               xy = kernel_sum(D, n, x, m, y, scratch);
  free(scratch);
  return kernel_distance(n, xx, kernel_diagonal(D, n, x), m, yy, kernel_diagonal(D, m, y), xy);
}

/* Below, at and beyond the tile. */
START_TEST(kernel_distance_is_the_double_sum) {
  enum { D = 7 };
  const size_t counts[][2] = { { 2, 2 }, { 300, 37 }, { KERNEL_TILE, KERNEL_TILE + 1 }, { 2, 2 * KERNEL_TILE + 3 } };
  for (size_t c = 0; c < 4; c++) {
    const size_t n = counts[c][0], m = counts[c][1];
    real *x = new_normal(20, n * D), *y = new_features(21, m, D);
    const double expected = kernel_by_hand(D, n, x, m, y);
    ck_assert_double_eq_tol(kid(D, n, x, m, y), expected, 1e-11 * fabs(expected));
    free(x), free(y);
  }
} END_TEST

/* k(a,b) = (ab + 1)^3: x = 0, 1 and y = 1, 2 give 1 + 27 - 2 (1 + 1 + 8 + 27)/4; x = -1 besides, 2/3 + 27 - 2 (37 - 1)/6. */
START_TEST(kernel_distance_counts_one_more_image) {
  const real x[] = { 0, 1, -1 }, y[] = { 1, 2 };
  ck_assert_double_eq_tol(kid(1, 2, x, 2, y), 9.5, 1e-13);
  ck_assert_double_eq_tol(kid(1, 3, x, 2, y), 2.0 / 3 + 15, 1e-13);
  ck_assert_double_eq_tol(kid(1, 2, y, 3, x), 2.0 / 3 + 15, 1e-13);
} END_TEST

/* Whoever sums which rows, in whatever order. */
START_TEST(kernel_sums_are_additive) {
  enum { D = 5, n = 401, m = 290 };
  real *x = new_normal(22, n * D), *y = new_normal(23, m * D), *mixed = new_zeros(n * D);
  double *scratch = new_doubles(KERNEL_TILE * (2 * D + KERNEL_TILE));
  const double all = kernel_sum(D, n, x, m, y, scratch), own = kernel_diagonal(D, n, x);
  for (size_t i = 0; i < n; i++) memcpy(mixed + random_permute(1, 0, n, i) * D, x + i * D, D * sizeof *x);
  ck_assert_double_eq_tol(kernel_sum(D, n, mixed, m, y, scratch), all, 1e-12 * all);
  ck_assert_double_eq_tol(kernel_sum(D, m, y, n, x, scratch), all, 1e-12 * all);
  ck_assert_double_eq_tol(kid(D, n, mixed, m, y), kid(D, n, x, m, y), 1e-12);
  for (size_t cut = 0; cut <= n; cut += 100) {
    const double parts = kernel_sum(D, cut, x, m, y, scratch) + kernel_sum(D, n - cut, x + cut * D, m, y, scratch);
    ck_assert_double_eq_tol(parts, all, 1e-12 * all);
    ck_assert_double_eq_tol(kernel_diagonal(D, cut, x) + kernel_diagonal(D, n - cut, x + cut * D), own, 1e-12 * own);
  }
  free(x), free(y), free(mixed), free(scratch);
} END_TEST

/* Pairs of samples of one law: the kernel distance is 0 within four standard errors, for few images as for many, while the
 * Frechet distance shrinks with their number. Samples of two laws: far from 0. */
START_TEST(kernel_distance_is_unbiased_and_frechet_distance_is_not) {
  enum { D = 8, PAIRS = 200 };
  double last = INFINITY;
  for (size_t n = 10; n <= 90; n *= 3) {
    double sum = 0, square = 0, frechet = 0, other = 0;
    for (uint32_t p = 0; p < PAIRS; p++) {
      real *x = new_normal(1000 + 2 * p, n * D), *y = new_normal(1001 + 2 * p, n * D);
      const double d = kid(D, n, x, n, y);
      struct moments a = moments_of(n, D, x), b = moments_of(n, D, y);
      sum += d / PAIRS;
      square += d * d / PAIRS;
      frechet += distance(&a, &b) / PAIRS;
      for (size_t i = 0; i < n * D; i++) y[i] += 1;
      other += kid(D, n, x, n, y) / PAIRS;
      free_moments(&a), free_moments(&b);
      free(x), free(y);
    }
    const double error = sqrt((square - sum * sum) / PAIRS);
    ck_assert_double_le(fabs(sum), 4 * error);
    ck_assert_double_lt(error, 0.05);
    ck_assert_double_gt(other, 1);
    ck_assert_double_lt(frechet, last / 2);
    ck_assert_double_gt(frechet, 0.05);
    last = frechet;
  }
} END_TEST

static void score(size_t n, size_t K, const real *logits, double *mean, double *deviation) {
  double *scratch = new_doubles(K + 2);
  *mean = *deviation = NAN;
  ck_assert_msg(!inception_score(n, K, logits, scratch, mean, deviation), "%s", status_reason());
  free(scratch);
}

START_TEST(inception_score_lies_between_1_and_the_classes) {
  enum { K = 6, n = 10 * 2 * K };
  real *logits = new_zeros(n * K);
  double mean, deviation;
  score(n, K, logits, &mean, &deviation);   /* nothing is known of any image */
  ck_assert_double_eq_tol(mean, 1, 1e-14);
  ck_assert_double_eq_tol(deviation, 0, 1e-14);
  for (size_t i = 0; i < n; i++) logits[i * K + i % K] = 2000;   /* every image is sure of its class, all classes are there */
  score(n, K, logits, &mean, &deviation);
  ck_assert_double_eq_tol(mean, K, 1e-12);
  ck_assert_double_eq_tol(deviation, 0, 1e-12);
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < K; k++) logits[i * K + k] = k == 2 ? 2000 : 0;   /* and all of one class */
  score(n, K, logits, &mean, &deviation);
  ck_assert_double_eq_tol(mean, 1, 1e-14);
  free(logits);
} END_TEST

/* Half of the splits know nothing (1), half are sure of 4 classes (4): 2.5 and 1.5, with divisor 10. */
START_TEST(inception_score_has_ten_splits_in_order) {
  enum { K = 4, n = 10 * K };
  real logits[n * K] = { 0 };
  double mean, deviation;
  for (size_t i = n / 2; i < n; i++) logits[i * K + i % K] = 800;
  score(n, K, logits, &mean, &deviation);
  ck_assert_double_eq_tol(mean, 2.5, 1e-13);
  ck_assert_double_eq_tol(deviation, 1.5, 1e-13);
} END_TEST

/* The definition, with numbers of images that ten does not divide; what is added to all logits of an image is no matter. */
START_TEST(inception_score_is_its_definition) {
  enum { K = 5 };
  for (size_t n = 10; n < 60; n += 7) {
    real *logits = new_normal(24, n * K);
    double score_of[10], sum = 0, square = 0, mean, deviation;
    for (size_t s = 0; s < 10; s++) {
      double p[60][K] = { { 0 } }, q[K] = { 0 }, divergence = 0;
      const size_t from = s * n / 10, to = (s + 1) * n / 10;
      for (size_t i = from; i < to; i++) {
        double Z = 0;
        for (size_t k = 0; k < K; k++) Z += exp((double)logits[i * K + k]);
        for (size_t k = 0; k < K; k++) q[k] += (p[i][k] = exp((double)logits[i * K + k]) / Z) / (double)(to - from);
      }
      for (size_t i = from; i < to; i++)
        for (size_t k = 0; k < K; k++) divergence += p[i][k] * log(p[i][k] / q[k]) / (double)(to - from);
      score_of[s] = exp(divergence);
      sum += score_of[s] / 10;
    }
    for (size_t s = 0; s < 10; s++) square += pow(score_of[s] - sum, 2) / 10;
    score(n, K, logits, &mean, &deviation);
    ck_assert_double_eq_tol(mean, sum, 1e-13);
    ck_assert_double_eq_tol(deviation, sqrt(square), 1e-13);
    for (size_t i = 0; i < n * K; i++) logits[i] += (real)(512 * (i / K % 2));
    score(n, K, logits, &mean, &deviation);
    ck_assert_double_eq_tol(mean, sum, 1e-4);   /* float rounds the sum */
    free(logits);
  }
} END_TEST

START_TEST(inception_score_refuses_what_is_no_sample) {
  enum { K = 3, n = 12 };
  real *logits = new_normal(25, n * K);
  double scratch[K + 2], mean = 7, deviation = 8;
  ck_assert_int_eq(inception_score(9, K, logits, scratch, &mean, &deviation), STATUS_BAD);
  ck_assert_ptr_nonnull(strstr(status_reason(), "10 images"));
  logits[11 * K + 1] = (real)NAN;
  ck_assert_int_eq(inception_score(11, K, logits, scratch, &mean, &deviation), STATUS_OK);
  mean = 7, deviation = 8;
  ck_assert_int_eq(inception_score(n, K, logits, scratch, &mean, &deviation), STATUS_BAD);
  ck_assert_ptr_nonnull(strstr(status_reason(), "image 11"));
  ck_assert(mean == 7 && deviation == 8);
  free(logits);
} END_TEST

static double apart(size_t D, const float *a, const float *b) {
  double sum = 0;
  for (size_t j = 0; j < D; j++) sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
  return sum;
}
static int ascending(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

/* In blocks of any size: the third nearest of each image among the others, and who is inside whose ball. */
START_TEST(neighbours_are_those_of_all_pairs) {
  enum { D = 5, N = 600, M = 530, CUT = 280 };   /* more than a tile of the products */
  float *x = new_normal(3, N * D), *y = new_normal(4, M * D);
  double nearest[N * NEIGHBOURS], own[N], radius[N], *scratch = new_doubles(KERNEL_TILE * (2 * D + KERNEL_TILE));
  uint8_t inside[M] = { 0 };
  for (size_t i = 0; i < N * NEIGHBOURS; i++) nearest[i] = INFINITY;
  neighbours_add(D, N, x, CUT, x, 0, nearest, scratch);
  neighbours_add(D, CUT, x, N - CUT, x + CUT * D, CUT, nearest, scratch);   /* rows in two parts, too */
  neighbours_add(D, N - CUT, x + CUT * D, N - CUT, x + CUT * D, 0, nearest + CUT * NEIGHBOURS, scratch);
  for (size_t i = 0; i < N; i++) {
    size_t n = 0;
    for (size_t j = 0; j < N; j++)
      if (j != i) own[n++] = apart(D, x + i * D, x + j * D);
    qsort(own, n, sizeof *own, ascending);
    radius[i] = nearest[i * NEIGHBOURS + NEIGHBOURS - 1];
    ck_assert_double_eq_tol(radius[i], own[NEIGHBOURS - 1], 1e-12);
  }
  neighbours_cover(D, M, y, CUT, x, radius, inside, scratch);
  neighbours_cover(D, M, y, N - CUT, x + CUT * D, radius + CUT, inside, scratch);
  size_t some = 0;
  for (size_t i = 0; i < M; i++) {
    int expected = 0;
    for (size_t j = 0; j < N; j++) expected |= apart(D, y + i * D, x + j * D) <= radius[j];
    ck_assert_int_eq(inside[i], expected);
    some += inside[i];
  }
  ck_assert(some > 0 && some < M);
  free(x), free(y), free(scratch);
} END_TEST

/* Of bytes exactly, in more columns than are taken at once. */
START_TEST(neighbours_of_bytes_are_exact) {
  enum { D = NEIGHBOURS_DEPTH + 37, N = 9, M = KERNEL_TILE + 13 };
  static uint8_t x[N * D], y[M * D];
  double nearest[N * NEIGHBOURS], *scratch = new_doubles(KERNEL_TILE * (2 * NEIGHBOURS_DEPTH + KERNEL_TILE));
  for (size_t i = 0; i < N * D; i++) x[i] = (uint8_t)(i * i % 251 + i % 3);
  for (size_t i = 0; i < M * D; i++) y[i] = (uint8_t)(i * 7 % 256 ^ i / 5 % 256);
  memset(x, 255, D), memset(y, 0, D);   /* as far as can be */
  for (size_t i = 0; i < N * NEIGHBOURS; i++) nearest[i] = INFINITY;
  neighbours_add_bytes(D, N, x, 100, y, nearest, scratch);
  neighbours_add_bytes(D, N, x, M - 100, y + 100 * D, nearest, scratch);
  for (size_t i = 0; i < N; i++) {
    double own[M];
    for (size_t j = 0; j < M; j++) {
      int64_t sum = 0;
      for (size_t k = 0; k < D; k++) sum += (x[i * D + k] - y[j * D + k]) * (x[i * D + k] - y[j * D + k]);
      own[j] = (double)sum;
    }
    qsort(own, M, sizeof *own, ascending);
    for (size_t k = 0; k < NEIGHBOURS; k++) ck_assert_double_eq(nearest[i * NEIGHBOURS + k], own[k]);
  }
  free(scratch);
} END_TEST

int main(void) {
  return run_tests("score", (const TTest *[]){
    kernel_distance_is_the_double_sum, kernel_distance_counts_one_more_image, kernel_sums_are_additive,
    kernel_distance_is_unbiased_and_frechet_distance_is_not, inception_score_lies_between_1_and_the_classes,
    inception_score_has_ten_splits_in_order, inception_score_is_its_definition, inception_score_refuses_what_is_no_sample,
    neighbours_are_those_of_all_pairs, neighbours_of_bytes_are_exact, NULL });
}
