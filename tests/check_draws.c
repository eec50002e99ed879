/* What training draws has the distributions of SPEC 2, 3 and 5: times, guidance, dropped labels, initial weights; and
 * the nets of the paper have its numbers of parameters. Limits: four standard errors of a mean or a share, and for a
 * whole distribution the Kolmogorov-Smirnov distance 2/sqrt(n), which chance alone exceeds once in 1500. */
#include "src/flow/guidance.h"
#include "src/flow/times.h"
#include "src/net/net.h"
#include "tests/harness.h"

enum { N = 200000 };
static const uint64_t seed = 42, step_number = 7;

/* Mean of n numbers and its standard error. */
struct mean { double value, error; };
static struct mean mean_of(size_t n, const double *x) {
  double sum = 0, square = 0;
  for (size_t i = 0; i < n; i++) sum += x[i];
  for (size_t i = 0; i < n; i++) square += pow(x[i] - sum / (double)n, 2);
  return (struct mean){ sum / (double)n, sqrt(square) / (double)n };
}
static void check_mean(size_t n, const double *x, double expected) {
  const struct mean m = mean_of(n, x);
  ck_assert_double_eq_tol(m.value, expected, 4 * m.error);
}
static void check_share(size_t hits, size_t n, double p) {
  ck_assert_double_le(fabs((double)hits / (double)n - p), 4 * sqrt(p * (1 - p) / (double)n));   /* exact at 0 and 1 */
}
static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
/* values[n] of a distribution function at draws: uniform on (0,1) if it is theirs. Sorts. */
static void check_uniform(size_t n, double *values) {
  double worst = 0;
  qsort(values, n, sizeof *values, by_size);
  for (size_t i = 0; i < n; i++) {
    worst = fmax(worst, fabs(values[i] - (double)i / (double)n));
    worst = fmax(worst, fabs(values[i] - (double)(i + 1) / (double)n));
  }
  ck_assert_double_lt(worst, 2 / sqrt((double)n));
}

static double normal_cdf(double x) { return erfc(-x / sqrt(2)) / 2; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
/* E sigmoid(P_mean + P_std n) for one draw, the larger of two, the smaller of two: kind 0, 1, 2. */
static double expected_time(double P_mean, double P_std, int kind) {
  double sum = 0;
  const double h = 1e-3;
  for (double x = -9; x < 9; x += h) {
    const double density = exp(-x * x / 2) / sqrt(2 * acos(-1)), below = normal_cdf(x);
    sum += h * density * sigmoid(P_mean + P_std * x) * (kind == 0 ? 1 : kind == 1 ? 2 * below : 2 * (1 - below));
  }
  return sum;
}

static double first[N], second[N], third[N];

/* t of FM samples and t, r of the others, collected from N samples; returns the number of FM ones. (Assertions cost a
 * write to a file each, so loops over samples count what is wrong.) */
static size_t collect(const struct times *c, double *t_fm, double *t, double *r) {
  size_t fms = 0, others = 0, wrong = 0;
  for (uint32_t i = 0; i < N; i++) {
    real ti, ri;
    int fm;
    times_draw(c, seed, step_number, i, &ti, &ri, &fm);
    wrong += !(ti >= 0 && ti <= 1 && ri >= 0 && ri <= ti) || fm != times_is_fm(c, i) || (fm && ri != ti);
    if (fm) {
      t_fm[fms++] = (double)ti;
    } else {
      t[others] = (double)ti;
      r[others++] = (double)ri;
    }
  }
  ck_assert_uint_eq(wrong, 0);
  return fms;
}
static size_t not_zero(size_t n, const double *x) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++) count += x[i] != 0;
  return count;
}

START_TEST(times_have_the_means_of_the_spec) {
  ck_assert_double_eq_tol(expected_time(0.8, 0.8, 0), 0.669, 5e-4);
  ck_assert_double_eq_tol(expected_time(0.8, 0.8, 1), 0.759, 5e-4);
  static const double places[][2] = { { 0.8, 0.8 }, { 0, 0.8 }, { -0.4, 1.2 } };
  for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
    const double m = places[k][0], s = places[k][1];
    struct times c = { TIMES_OF_TRIANGLE, m, s, 0.5, 0 };
    size_t fms = collect(&c, first, second, third);
    ck_assert_uint_eq(fms, N / 2);
    check_mean(fms, first, expected_time(m, s, 0));
    check_mean(N - fms, second, expected_time(m, s, 1));
    check_mean(N - fms, third, expected_time(m, s, 2));
    c.sampler = TIMES_ALL_EQUAL;
    ck_assert_uint_eq(collect(&c, first, second, third), N);
    check_mean(N, first, expected_time(m, s, 0));
    c.sampler = TIMES_ALL_ZERO;
    ck_assert_uint_eq(collect(&c, first, second, third), 0);
    check_mean(N, second, expected_time(m, s, 0));
    ck_assert_uint_eq(not_zero(N, third), 0);
    c.sampler = TIMES_EQUAL_OR_ZERO;
    fms = collect(&c, first, second, third);
    ck_assert_uint_eq(fms, N / 2);
    check_mean(fms, first, expected_time(m, s, 0));
    check_mean(N - fms, second, expected_time(m, s, 0));
    ck_assert_uint_eq(not_zero(N - fms, third), 0);
  }
} END_TEST

START_TEST(times_are_logistic_normal) {
  const struct times c = { TIMES_ALL_EQUAL, 0.8, 0.8, 0.5, 0 };
  collect(&c, first, second, third);
  for (size_t i = 0; i < N; i++) first[i] = normal_cdf((log(first[i] / (1 - first[i])) - 0.8) / 0.8);
  check_uniform(N, first);
} END_TEST

/* With P_mean = -30 the other draws are next to 0: what lies above is uniform. Of the larger of two, the root is. */
START_TEST(a_tenth_is_redrawn_uniformly) {
  const struct times c = { TIMES_OF_TRIANGLE, -30, 0.1, 0.5, 1 };
  const size_t fms = collect(&c, first, second, third), others = N - fms;
  size_t uniform = 0;
  for (size_t i = 0; i < fms; i++)
    if (first[i] > 1e-9) first[uniform++] = first[i];
  check_share(uniform, fms, 0.1);
  check_uniform(uniform, first);
  size_t halves = 0;
  uniform = 0;
  for (size_t i = 0; i < others; i++) {
    halves += (second[i] > 1e-9) != (third[i] > 1e-9);
    if (second[i] > 1e-9) first[uniform] = second[i] * second[i], second[uniform++] = third[i] / second[i];
  }
  ck_assert_uint_eq(halves, 0);                            /* both times of a sample or none */
  check_share(uniform, others, 0.1);
  check_uniform(uniform, first);
  check_uniform(uniform, second);                          /* given the larger, the smaller is uniform below it */
} END_TEST

/* Of the first m samples floor(m p) are FM whatever the rest of the settings. */
START_TEST(the_share_of_flow_matching_goes_by_index) {
  static const unsigned percent[] = { 0, 25, 50, 70, 100 };
  for (size_t k = 0; k < sizeof percent / sizeof *percent; k++) {
    const struct times c = { TIMES_OF_TRIANGLE, 0.8, 0.8, percent[k] / 100.0, 0 };
    const struct times other = { TIMES_EQUAL_OR_ZERO, 0, 2, percent[k] / 100.0, 1 };
    size_t count = 0, wrong = 0;
    for (uint32_t i = 0; i < 3000; i++) {
      count += times_is_fm(&c, i) != 0;
      /* 0.7 is no binary fraction: floor(m p) may be one less where m p is whole */
      const size_t m = i + 1, whole = m * percent[k] / 100, rest = m * percent[k] % 100;
      wrong += count != whole && !(percent[k] == 70 && !rest && count == whole - 1);
      if (m % 1000 == 0) ck_assert_uint_eq(count, whole);
      for (uint64_t s = 0; s < 3; s++) {
        real t, r;
        int fm;
        times_draw(&other, s, 1000 * s, i, &t, &r, &fm);
        wrong += fm != times_is_fm(&c, i);
      }
    }
    ck_assert_uint_eq(wrong, 0);
  }
} END_TEST

START_TEST(the_most_tangents_of_a_window_are_known) {
  static const double shares[] = { 0, 0.25, 0.3, 0.5, 0.7, 1 };
  for (int sampler = TIMES_OF_TRIANGLE; sampler <= TIMES_EQUAL_OR_ZERO; sampler++)
    for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
      const struct times c = { (enum times_sampler)sampler, 0.8, 0.8, shares[k], 0 };
      for (size_t B = 1; B <= 24; B++)
        for (size_t m = 1; m <= B + 1; m++) {
          size_t most = 0;
          for (size_t from = 0; from < B; from++) {
            size_t count = 0;
            for (size_t i = from; i < from + m && i < B; i++) count += !times_is_fm(&c, i);
            most = count > most ? count : most;
          }
          ck_assert_uint_eq(times_tangents_max(&c, B, m), most);
        }
    }
} END_TEST

START_TEST(draws_do_not_depend_on_their_order) {
  const struct times c = { TIMES_OF_TRIANGLE, 0.8, 0.8, 0.5, 1 };
  const struct guidance g = { 1, 7, 0.1, 0.5, 0 };
  enum { M = 50 };
  real a[M][5], b[M][5];
  int drop[2][M], fm;
  for (uint32_t i = 0; i < M; i++) {
    times_draw(&c, seed, 3, i, &a[i][0], &a[i][1], &fm);
    guidance_draw(&g, seed, 3, i, fm, &a[i][2], &a[i][3], &a[i][4], &drop[0][i]);
  }
  for (uint32_t i = M; i-- > 0;) {   /* backwards, in the other order */
    fm = times_is_fm(&c, i);
    guidance_draw(&g, seed, 3, i, fm, &b[i][2], &b[i][3], &b[i][4], &drop[1][i]);
    times_draw(&c, seed, 3, i, &b[i][0], &b[i][1], &fm);
  }
  ck_assert(!memcmp(a, b, sizeof a) && !memcmp(drop[0], drop[1], sizeof drop[0]));
  for (uint32_t i = 0; i < M; i++) {   /* and another step or seed draws other numbers */
    times_draw(&c, seed, 4, i, &b[i][0], &b[i][1], &fm);
    ck_assert(a[i][0] != b[i][0]);
    times_draw(&c, seed + 1, 3, i, &b[i][0], &b[i][1], &fm);
    ck_assert(a[i][0] != b[i][0]);
    guidance_draw(&g, seed, 4, i, fm, &b[i][2], &b[i][3], &b[i][4], &drop[1][i]);
    ck_assert(a[i][2] != b[i][2]);
  }
} END_TEST

/* F(w) of the density proportional to w^-beta on [1, 1+s] */
static double scale_cdf(double beta, double s, double w) {
  return beta == 1 ? log(w) / log(1 + s) : (pow(w, 1 - beta) - 1) / (pow(1 + s, 1 - beta) - 1);
}
START_TEST(guidance_scales_follow_their_power) {
  static const double betas[] = { 1, 2, 0.5, 0, 3 }, widths[] = { 7, 1.5 };
  for (size_t k = 0; k < sizeof betas / sizeof *betas; k++)
    for (size_t j = 0; j < sizeof widths / sizeof *widths; j++) {
      const double s = widths[j];
      const struct guidance g = { betas[k], s, 0.1, 0.5, 0 };
      ck_assert_double_eq_tol(guidance_scale(betas[k], s, 0), 1, 1e-12);
      ck_assert_double_eq_tol(guidance_scale(betas[k], s, 1), 1 + s, 1e-9);
      size_t wrong = 0;
      for (uint32_t i = 0; i < N; i++) {
        real w, t_min, t_max;
        int drop;
        guidance_draw(&g, seed, step_number, i, (int)(i % 2), &w, &t_min, &t_max, &drop);
        wrong += !(w >= 1 && (double)w <= (1 + s) * (1 + 1e-6));
        first[i] = scale_cdf(betas[k], s, (double)w);
      }
      ck_assert_uint_eq(wrong, 0);
      check_uniform(N, first);
    }
  ck_assert_double_eq_tol(guidance_scale(1 + 1e-9, 7, 0.3), guidance_scale(1, 7, 0.3), 1e-7);
} END_TEST

START_TEST(guidance_intervals_are_halves) {
  const struct guidance g = { 1, 7, 0.1, 0.5, 0 };
  double product[3] = { 0 };
  size_t wrong = 0;
  for (uint32_t i = 0; i < N; i++) {
    real w, t_min, t_max;
    int drop;
    guidance_draw(&g, seed, step_number, i, 1, &w, &t_min, &t_max, &drop);
    wrong += t_min != 0 || t_max != 1;
    guidance_draw(&g, seed, step_number, i, 0, &w, &t_min, &t_max, &drop);
    wrong += !(t_min >= 0 && t_min <= (real)0.5 && t_max >= (real)0.5 && t_max <= 1);
    first[i] = 2 * (double)t_min;
    second[i] = 2 * (double)t_max - 1;
    third[i] = scale_cdf(1, 7, (double)w);
    const double a = first[i] - 0.5, b = second[i] - 0.5, c = third[i] - 0.5;
    product[0] += a * b, product[1] += b * c, product[2] += a * c;
  }
  ck_assert_uint_eq(wrong, 0);
  for (int k = 0; k < 3; k++) ck_assert_double_lt(fabs(product[k]) / N * 12, 4 / sqrt(N));   /* uncorrelated */
  check_uniform(N, first);
  check_uniform(N, second);
} END_TEST

START_TEST(the_gate_is_open_inside_the_interval) {
  const real w = 3, lo = (real)0.25, hi = (real)0.75;
  ck_assert(guidance_gated(0, (real)0.5, w, lo, hi) == w);
  ck_assert(guidance_gated(0, lo, w, lo, hi) == w && guidance_gated(0, hi, w, lo, hi) == w);
  ck_assert(guidance_gated(0, (real)0.2, w, lo, hi) == 1 && guidance_gated(0, (real)0.8, w, lo, hi) == 1);
  ck_assert(guidance_gated(1, (real)0.2, w, lo, hi) == w && guidance_gated(1, (real)0.8, w, lo, hi) == w);
} END_TEST

/* min(1, q/p) of FM samples, max(0, (q-p)/(1-p)) of the others: in all, a share q. */
START_TEST(labels_are_dropped_as_often_as_asked) {
  static const struct { double q, p, fm, other; } kinds[] = { { 0.1, 0.5, 0.2, 0 }, { 0.8, 0.5, 1, 0.6 },
    { 0.3, 0, 0, 0.3 }, { 0.3, 1, 0.3, 0 }, { 0, 0.5, 0, 0 }, { 1, 0.5, 1, 1 }, { 0.25, 0.25, 1, 0 } };
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    const struct times c = { TIMES_OF_TRIANGLE, 0.8, 0.8, kinds[k].p, 0 };
    const struct guidance g = { 1, 7, kinds[k].q, times_proportion(&c), 0 };
    size_t count[2] = { 0 }, dropped[2] = { 0 };
    for (uint32_t i = 0; i < N; i++) {
      real w, t_min, t_max;
      int drop;
      const int fm = times_is_fm(&c, i);
      guidance_draw(&g, seed, step_number, i, fm, &w, &t_min, &t_max, &drop);
      count[fm]++;
      dropped[fm] += drop != 0;
    }
    if (count[1]) check_share(dropped[1], count[1], kinds[k].fm);
    if (count[0]) check_share(dropped[0], count[0], kinds[k].other);
    ck_assert_double_eq_tol((double)(dropped[0] + dropped[1]) / N, kinds[k].q, 4 / sqrt(N));
  }
} END_TEST

/* Two columns of numbers in [0,1] have nothing to do with each other: neither in the mean, by their correlation, nor in any other
 * way that a table of 8 x 8 shows, by its chi square. (Normals of the numbers that scales are made of would have no correlation
 * with them.) */
static void check_independent(size_t n, const double *a, const double *b, const char *names) {
  enum { BINS = 8 };
  double count[BINS][BINS] = { { 0 } }, row[BINS] = { 0 }, column[BINS] = { 0 }, sum[5] = { 0 }, chi = 0;
  size_t rows = 0, columns = 0;
  for (size_t i = 0; i < n; i++) {
    const size_t j = a[i] < 1 ? (size_t)(BINS * a[i]) : BINS - 1, k = b[i] < 1 ? (size_t)(BINS * b[i]) : BINS - 1;
    count[j][k]++, row[j]++, column[k]++;
    sum[0] += a[i], sum[1] += b[i], sum[2] += a[i] * a[i], sum[3] += b[i] * b[i], sum[4] += a[i] * b[i];
  }
  const double total = (double)n, A = sum[2] - sum[0] * sum[0] / total, C = sum[3] - sum[1] * sum[1] / total;
  const double correlation = (sum[4] - sum[0] * sum[1] / total) / sqrt(A * C);
  for (int j = 0; j < BINS; j++) rows += row[j] > 0, columns += column[j] > 0;
  for (int j = 0; j < BINS; j++)
    for (int k = 0; k < BINS; k++)
      if (row[j] > 0 && column[k] > 0) chi += pow(count[j][k] - row[j] * column[k] / total, 2) / (row[j] * column[k] / total);
  const double freedom = (double)((rows - 1) * (columns - 1));
  ck_assert_msg(fabs(correlation) < 4 / sqrt(total), "%s: correlation %g", names, correlation);
  ck_assert_msg(chi < freedom + 4 * sqrt(2 * freedom) + 4, "%s: chi square %g, expected %g", names, chi, freedom);
}

static double fourth[N], fifth[N];
START_TEST(draws_of_a_sample_have_nothing_to_do_with_each_other) {
  const struct times c = { TIMES_ALL_ZERO, 0.8, 0.8, 0, 0 };
  const struct guidance g = { 1, 7, 0.4, 0, 0 };
  for (uint32_t i = 0; i < N; i++) {
    real t, r, w, t_min, t_max;
    int fm, drop;
    uint32_t flip;
    times_draw(&c, seed, step_number, i, &t, &r, &fm);
    guidance_draw(&g, seed, step_number, i, fm, &w, &t_min, &t_max, &drop);
    random_bits((struct purpose){ seed, STREAM_FLIP, step_number, i }, 1, &flip);
    first[i] = normal_cdf((log((double)t / (1 - (double)t)) - 0.8) / 0.8);
    second[i] = scale_cdf(1, 7, (double)w);
    third[i] = 2 * (double)t_min;
    fourth[i] = drop;
    fifth[i] = flip & 1;
  }
  check_independent(N, first, second, "t and w");
  check_independent(N, first, third, "t and t_min");
  check_independent(N, first, fourth, "t and drop");
  check_independent(N, first, fifth, "t and flip");
  check_independent(N, second, fourth, "w and drop");
  check_independent(N, third, fourth, "t_min and drop");
  check_independent(N, fourth, fifth, "drop and flip");
  real noise;
  for (uint32_t i = 0; i < N; i++) {
    random_normal((struct purpose){ seed, STREAM_NOISE, step_number, i }, 1, &noise);
    third[i] = normal_cdf((double)noise);
  }
  check_independent(N, first, third, "t and noise");
  check_independent(N, second, third, "w and noise");
} END_TEST

START_TEST(streams_have_numbers_of_their_own) {   /* of eight bits */
  static const enum stream streams[] = { STREAM_INIT, STREAM_ORDER, STREAM_FLIP, STREAM_TIMES, STREAM_GUIDANCE, STREAM_DROP,
                                         STREAM_NOISE, STREAM_SAMPLE, STREAM_SHAPES, STREAM_SCORE, STREAM_TEST, STREAM_CROP,
                                         STREAM_TOY };
  enum { STREAMS = sizeof streams / sizeof *streams, M = 10000 };
  for (size_t k = 0; k < STREAMS; k++)
    for (size_t j = 0; j <= k; j++) {
      ck_assert((streams[k] == streams[j]) == (j == k) && streams[k] < 256);
      for (uint32_t i = 0; j < k && i < M; i++) {
        real u[2];
        random_uniform((struct purpose){ seed, streams[j], step_number, i }, 1, &u[0]);
        random_uniform((struct purpose){ seed, streams[k], step_number, i }, 1, &u[1]);
        first[i] = (double)u[0], second[i] = (double)u[1];
      }
      if (j < k) check_independent(M, first, second, "two streams");
    }
} END_TEST

/* SPEC 5's initial values and SPEC 6's update rule by a tensor's name: what the table must say, told another way. */
static int has(const char *name, const char *part) { return strstr(name, part) != NULL; }
static int ends(const char *name, const char *tail) {
  const size_t n = strlen(name), m = strlen(tail);
  return n >= m && !strcmp(name + n - m, tail);
}
struct expectation { double mean, deviation, bound; int muon; };
static struct expectation expected(const struct net_config *c, const struct tensor *t) {
  const double D = (double)c->width, in = (double)(t->size / t->shape[0]), out = (double)t->shape[0];
  if (ends(t->name, "norm.weight") || ends(t->name, "norm1.weight") || ends(t->name, "norm2.weight"))
    return (struct expectation){ 1, 0, 0, 0 };
  if (ends(t->name, "bias") || ends(t->name, "_scale")) return (struct expectation){ 0, 0, 0, 0 };
  if (has(t->name, "final_layer.")) return (struct expectation){ 0, 0, 0, 1 };
  if (has(t->name, "x_embedder.")) {
    const double l = sqrt(6 / (in + out));
    return (struct expectation){ 0, l / sqrt(3), l, 0 };
  }
  if (has(t->name, "_blocks.") || has(t->name, "_heads.")) return (struct expectation){ 0, 0.32 / sqrt(in), 0, 1 };
  if (ends(t->name, "_tokens") || has(t->name, "embedding_table")) return (struct expectation){ 0, 1 / sqrt(D), 0, 0 };
  if (!strcmp(t->name, "pos_embed")) return (struct expectation){ 0, 0.02, 0, 0 };
  if (has(t->name, "_embedder.mlp.")) return (struct expectation){ 0, 1 / sqrt(in), 0, 1 };
  ck_abort_msg("%s is not known to SPEC 5", t->name);
}
START_TEST(initial_weights_are_those_of_the_spec) {
  const struct net_config c = { .image = 64, .patch = 8, .channels = 3, .classes = 100, .width = 192, .depth = 3,
    .head_depth = 1, .heads = 4, .class_tokens = 8, .omega_tokens = 4, .interval_tokens = 2, .time_tokens = 4 };
  struct net n;
  ck_assert_int_eq(net_init(&n, &c, 0), 0);
  real *weights = new_zeros(n.table.size);
  table_init_weights(&n.table, seed, weights);
  ck_assert_uint_eq(n.config.inner, 512);
  ck_assert_uint_eq(n.config.bottleneck, 128);
  for (size_t i = 0; i < n.table.count; i++) {
    const struct tensor *t = &n.table.tensors[i];
    const struct expectation e = expected(&c, t);
    const real *w = weights + t->offset;
    const double size = (double)t->size;
    double mean = 0, square = 0;
    for (size_t j = 0; j < t->size; j++) mean += (double)w[j] / size;
    for (size_t j = 0; j < t->size; j++) square += pow((double)w[j] - mean, 2) / (size - 1);
    ck_assert_msg(fabs(mean - e.mean) <= 4.5 * e.deviation / sqrt(size) + 1e-9, "%s: mean %g", t->name, mean);
    ck_assert_msg(fabs(sqrt(square) - e.deviation) <= 4.5 * e.deviation / sqrt(2 * size) + 1e-9, "%s: deviation %g",
                  t->name, sqrt(square));
    if (e.bound > 0) ck_assert_double_le(max_abs(t->size, w), e.bound * (1 + 1e-6));
    if (e.bound > 0) ck_assert_double_gt(max_abs(t->size, w), 0.99 * e.bound);
    if (!(e.bound > 0) && e.deviation > 0 && t->size > 1000)
      ck_assert_double_gt(max_abs(t->size, w), 2.5 * e.deviation);   /* normal, not uniform */
    ck_assert_msg((t->rule == RULE_MUON) == e.muon, "%s has the other update rule", t->name);
  }
  free(weights);
  net_free(&n);
} END_TEST

START_TEST(nets_of_the_paper_have_its_parameters) {   /* millions, with and without v head */
  static const struct {
    const char *name;
    size_t image, patch, depth, width, heads;
    double training, sampling;
  } nets[] = {
    { "B/16", 256, 16, 16, 768, 12, 175.5, 118.2 },  { "B/32", 512, 32, 16, 768, 12, 179.3, 120.3 },
    { "L/16", 256, 16, 32, 1024, 16, 511.8, 410.3 }, { "L/32", 512, 32, 32, 1024, 16, 516.8, 413.0 },
    { "H/16", 256, 16, 48, 1280, 16, 1113.9, 955.5 }, { "H/32", 512, 32, 48, 1280, 16, 1120.4, 959.1 } };
  for (size_t k = 0; k < sizeof nets / sizeof *nets; k++) {
    const struct net_config c = { .image = nets[k].image, .patch = nets[k].patch, .channels = 3, .classes = 1000,
      .width = nets[k].width, .depth = nets[k].depth, .head_depth = 8, .heads = nets[k].heads, .class_tokens = 8,
      .omega_tokens = 4, .interval_tokens = 2, .time_tokens = 4 };
    struct net n;
    ck_assert_int_eq(net_init(&n, &c, 0), 0);
    size_t v_head = 0;
    for (size_t i = 0; i < n.table.count; i++)
      if (n.table.tensors[i].name[0] == 'v') v_head += n.table.tensors[i].size;
    const double all = (double)table_parameters(&n.table) / 1e6, without = all - (double)v_head / 1e6;
    ck_assert_msg(fabs(all - nets[k].training) <= 0.051, "%s: %g M in training", nets[k].name, all);
    ck_assert_msg(fabs(without - nets[k].sampling) <= 0.051, "%s: %g M in sampling", nets[k].name, without);
    net_free(&n);
  }
} END_TEST

START_TEST(without_classes_nothing_is_guided) {
  const struct guidance g = { 1, 7, 0.1, 0.5, 1 };
  size_t wrong = 0;
  for (uint32_t i = 0; i < 1000; i++) {
    real w = 0, t_min = -1, t_max = -1;
    int drop = 0;
    guidance_draw(&g, seed, step_number, i, i % 2, &w, &t_min, &t_max, &drop);
    wrong += w != 1 || t_min != 0 || t_max != 1 || drop != 1;
  }
  ck_assert_uint_eq(wrong, 0);
} END_TEST

int main(void) {
  return run_tests("draws", (const TTest *[]){
    times_have_the_means_of_the_spec, times_are_logistic_normal, a_tenth_is_redrawn_uniformly,
    the_share_of_flow_matching_goes_by_index, the_most_tangents_of_a_window_are_known,
    draws_do_not_depend_on_their_order, guidance_scales_follow_their_power, guidance_intervals_are_halves,
    the_gate_is_open_inside_the_interval, labels_are_dropped_as_often_as_asked,
    without_classes_nothing_is_guided, draws_of_a_sample_have_nothing_to_do_with_each_other, streams_have_numbers_of_their_own,
    initial_weights_are_those_of_the_spec, nets_of_the_paper_have_its_parameters, NULL });
}
