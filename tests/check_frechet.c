/* The laws of moments and of the Frechet distance (SPEC 10): moments of parts are those of the whole; the distance has its closed
 * forms, is symmetric, does not mind rotations or missing directions, and its limit for many images is that of the laws. Reference
 * values are in check_reference. */
#include "src/score/limit.h"
#include "tests/features.h"

static double worst(size_t n, const double *a, const double *b) {
  double error = 0, scale = 0;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(a[i]) || !isfinite(b[i])) return INFINITY;
    error = fmax(error, fabs(a[i] - b[i]));
    scale = fmax(scale, fabs(b[i]));
  }
  return error / (scale > 0 ? scale : 1);
}
static double moments_error(const struct moments *a, const struct moments *b) {
  return a->n != b->n ? INFINITY : fmax(worst(a->D, a->mean, b->mean), worst(a->D * a->D, a->S, b->S));
}

/* By the definition, in two passes. */
static struct moments two_passes(size_t n, size_t D, const real *x) {
  struct moments m = new_moments(D);
  m.n = (double)n;
  for (size_t j = 0; j < D; j++) {
    long double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i * D + j];
    m.mean[j] = (double)(sum / n);
  }
  for (size_t j = 0; j < D; j++)
    for (size_t k = 0; k < D; k++) {
      long double sum = 0;
      for (size_t i = 0; i < n; i++) sum += ((long double)x[i * D + j] - m.mean[j]) * ((long double)x[i * D + k] - m.mean[k]);
      m.S[j * D + k] = (double)sum;
    }
  return m;
}

START_TEST(moments_are_those_of_two_passes) {
  enum { n = 517, D = 19 };
  real *x = new_features(1, n, D);
  struct moments expected = two_passes(n, D, x);
  for (size_t chunk = 1; chunk <= n; chunk = 3 * chunk + 1) {
    struct moments m = new_moments(D);
    add(&m, n, x, chunk);
    ck_assert_double_le(moments_error(&m, &expected), 1e-12);
    for (size_t i = 0; i < D; i++)
      for (size_t j = 0; j < i; j++) ck_assert(m.S[i * D + j] == m.S[j * D + i]);
    moments_reset(&m);
    add(&m, n, x, chunk);   /* nothing is left of the first time */
    ck_assert_double_le(moments_error(&m, &expected), 1e-12);
    free_moments(&m);
  }
  free_moments(&expected);
  free(x);
} END_TEST

/* Cut at these places, merged from the left and from the right; some parts are empty. */
START_TEST(parts_merge_to_the_whole) {
  enum { n = 211, D = 11, PARTS = 8 };
  const size_t cuts[][PARTS + 1] = { { 0, 0, 1, 2, 30, 30, 100, 210, n }, { 0, 26, 52, 79, 105, 131, 158, 184, n },
                                     { 0, 0, 0, 0, 0, 0, 0, 0, n }, { 0, n, n, n, n, n, n, n, n },
                                     { 0, 1, 2, 3, 4, 5, 6, 7, n } };
  real *x = new_features(2, n, D);
  struct moments expected = two_passes(n, D, x);
  for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++)
    for (int backwards = 0; backwards < 2; backwards++) {
      struct moments whole = new_moments(D);
      for (size_t i = 0; i < PARTS; i++) {
        const size_t p = backwards ? PARTS - 1 - i : i, from = cuts[c][p];
        struct moments part = new_moments(D);
        if (cuts[c][p + 1] > from) add(&part, cuts[c][p + 1] - from, x + from * D, 16);
        const double count = part.n;
        moments_merge(&whole, &part);
        ck_assert(part.n == count);
        free_moments(&part);
      }
      ck_assert_double_le(moments_error(&whole, &expected), 1e-12);
      free_moments(&whole);
    }
  free_moments(&expected);
  free(x);
} END_TEST

/* In float a feature near 1000 has steps of 6e-5; of what it then is, no digit is lost. */
START_TEST(a_great_mean_costs_nothing) {
  enum { n = 10000, D = 6 };
  real *x = new_normal(3, n * D);
  struct moments centred = two_passes(n, D, x), m = new_moments(D);
  for (size_t i = 0; i < n * D; i++) x[i] += 1000;
  struct moments expected = two_passes(n, D, x);
  add(&m, n, x, 64);
  ck_assert_double_le(moments_error(&m, &expected), 1e-12);
  ck_assert_double_le(worst(D * D, m.S, centred.S), 1e-5);
  free_moments(&centred), free_moments(&expected), free_moments(&m);
  free(x);
} END_TEST

/* Q[D,D] with orthonormal rows: reflections at random vectors, one after the other. */
static double *new_rotation(uint32_t which, size_t D) {
  double *Q = new_doubles(D * D);
  real *v = new_normal(which, 4 * D);
  for (size_t i = 0; i < D; i++) Q[i * D + i] = 1;
  for (size_t k = 0; k < 4; k++) {
    const real *u = v + k * D;
    const double square = dot(D, u, u);
    for (size_t i = 0; i < D; i++) {
      double along = 0;
      for (size_t j = 0; j < D; j++) along += Q[i * D + j] * (double)u[j];
      for (size_t j = 0; j < D; j++) Q[i * D + j] -= 2 * along / square * (double)u[j];
    }
  }
  free(v);
  return Q;
}

/* The moments of Q x. */
static void rotate(const double *Q, struct moments *m) {
  const size_t D = m->D;
  double *mean = new_doubles(D), *QS = new_doubles(D * D);
  for (size_t i = 0; i < D; i++)
    for (size_t k = 0; k < D; k++) {
      mean[i] += Q[i * D + k] * m->mean[k];
      for (size_t j = 0; j < D; j++) QS[i * D + j] += Q[i * D + k] * m->S[k * D + j];
    }
  memcpy(m->mean, mean, D * sizeof *mean);
  for (size_t i = 0; i < D; i++)
    for (size_t j = 0; j <= i; j++) {
      double sum = 0;
      for (size_t k = 0; k < D; k++) sum += QS[i * D + k] * Q[j * D + k];
      m->S[i * D + j] = m->S[j * D + i] = sum;
    }
  free(mean), free(QS);
}

/* A Gaussian of these deviations along the axes, as n images would show it. */
static struct moments diagonal(size_t D, double n, const double *mean, const double *deviation) {
  struct moments m = new_moments(D);
  m.n = n;
  memcpy(m.mean, mean, D * sizeof *mean);
  for (size_t i = 0; i < D; i++) m.S[i * D + i] = deviation[i] * deviation[i] * (n - 1);
  return m;
}

static double trace(const struct moments *m) {
  double sum = 0;
  for (size_t i = 0; i < m->D; i++) sum += m->S[i * m->D + i] / (m->n - 1);
  return sum;
}
/* What a distance of these two may be wrong by. */
static double allowed(const struct moments *a, const struct moments *b) { return 1e-12 * (trace(a) + trace(b)); }

/* d = sum_i (m1 - m2)^2 + (s1 - s2)^2, also where a deviation is 0, of 8 decades, and turned away from the axes. */
START_TEST(frechet_distance_of_diagonal_gaussians_is_its_closed_form) {
  enum { D = 24 };
  double *Q = new_rotation(4, D);
  for (int wide = 0; wide < 2; wide++)
    for (int turned = 0; turned < 2; turned++) {
      double mean[2][D], deviation[2][D], expected = 0;
      for (size_t i = 0; i < D; i++) {
        mean[0][i] = sin(1.0 + (double)i), mean[1][i] = cos(3.0 * (double)i);
        deviation[0][i] = i % 7 == 3 ? 0 : wide ? pow(10, -(double)i / 3) : 1 + (double)i;
        deviation[1][i] = i % 5 == 3 ? 0 : wide ? 2 * pow(10, -(double)i / 3) : 8 / (1 + (double)i);
        expected += pow(mean[0][i] - mean[1][i], 2) + pow(deviation[0][i] - deviation[1][i], 2);
      }
      struct moments a = diagonal(D, 100, mean[0], deviation[0]), b = diagonal(D, 3000, mean[1], deviation[1]);
      if (turned) rotate(Q, &a), rotate(Q, &b);
      ck_assert_double_eq_tol(distance(&a, &b), expected, 1e-12 * (expected + trace(&a) + trace(&b)));
      free_moments(&a), free_moments(&b);
    }
  free(Q);
} END_TEST

/* S1 and S2 do not commute: d by tr sqrt(S1 S2) of 2 x 2 matrices, which is sqrt(tr + 2 sqrt(det)). */
START_TEST(frechet_distance_in_the_plane_is_its_closed_form) {
  struct moments a = new_moments(2), b = new_moments(2);
  const double S1[4] = { 3, 1, 1, 2 }, S2[4] = { 1, -0.5, -0.5, 5 };
  a.n = 11, b.n = 21;
  for (int i = 0; i < 4; i++) a.S[i] = 10 * S1[i], b.S[i] = 20 * S2[i];
  b.mean[0] = 0.3;
  const double tr = 3 * 1 + 2 * 1 * -0.5 + 2 * 5, det = (3 * 2 - 1) * (1 * 5 - 0.25);
  ck_assert_double_eq_tol(distance(&a, &b), 0.09 + 5 + 6 - 2 * sqrt(tr + 2 * sqrt(det)), 1e-13);
  free_moments(&a), free_moments(&b);
} END_TEST

/* Also with fewer images than features, with features that never change, with one that is another's copy. */
START_TEST(identical_sets_have_no_distance) {
  enum { D = 64 };
  for (size_t n = 2; n < 2000; n *= 4) {
    real *x = new_features(5, n, D);
    for (size_t i = 0; i < n; i++) x[i * D] = (real)0.7, x[i * D + 1] = 0, x[i * D + 2] = x[i * D + 3];
    struct moments a = moments_of(n, D, x), b = new_moments(D);
    add(&b, n, x, 7);
    ck_assert_double_le(distance(&a, &a), allowed(&a, &a));
    ck_assert_double_le(distance(&a, &b), allowed(&a, &b));
    free_moments(&a), free_moments(&b);
    free(x);
  }
} END_TEST

START_TEST(frechet_distance_is_symmetric) {
  enum { D = 64 };
  const size_t counts[][2] = { { 500, 400 }, { 100, 32 }, { 32, 32 }, { 5, 1000 } };
  for (size_t c = 0; c < 4; c++) {
    real *x = new_features(6, counts[c][0], D), *y = new_features(7, counts[c][1], D);
    struct moments a = moments_of(counts[c][0], D, x), b = moments_of(counts[c][1], D, y);
    ck_assert_double_eq_tol(distance(&a, &b), distance(&b, &a), allowed(&a, &b));
    ck_assert_double_gt(distance(&a, &b), 1);
    free_moments(&a), free_moments(&b);
    free(x), free(y);
  }
} END_TEST

START_TEST(frechet_distance_goes_with_the_square_of_the_scale) {
  enum { D = 12, n = 90 };
  real *x = new_features(8, n, D), *y = new_features(9, n, D), *sx = new_zeros(n * D), *sy = new_zeros(n * D);
  struct moments a = moments_of(n, D, x), b = moments_of(n, D, y);
  for (double s = 1e-6; s < 1e7; s *= 16) {
    for (size_t i = 0; i < n * D; i++) sx[i] = (real)s * x[i], sy[i] = (real)s * y[i];
    struct moments c = moments_of(n, D, sx), d = moments_of(n, D, sy);
    ck_assert_double_eq_tol(distance(&c, &d) / (s * s), distance(&a, &b), 1e-5);   /* float rounds s x */
    free_moments(&c), free_moments(&d);
  }
  free_moments(&a), free_moments(&b);
  free(x), free(y), free(sx), free(sy);
} END_TEST

START_TEST(frechet_distance_does_not_know_the_axes) {
  enum { D = 40 };
  double *Q = new_rotation(10, D);
  for (size_t n = 10; n <= 1000; n *= 10) {
    real *x = new_features(11, n, D), *y = new_features(12, n, D);
    struct moments a = moments_of(n, D, x), b = moments_of(n, D, y);
    const double before = distance(&a, &b);
    rotate(Q, &a), rotate(Q, &b);
    ck_assert_double_eq_tol(distance(&a, &b), before, 1e-11 * (trace(&a) + trace(&b)));
    free_moments(&a), free_moments(&b);
    free(x), free(y);
  }
  free(Q);
} END_TEST

/* Fewer images than features. Where two sets differ along directions of their own, the mixed term is 0; a set of one image
 * again and again has no covariance at all. */
START_TEST(missing_directions_are_no_trouble) {
  enum { D = 64, n = 20 };
  double *Q = new_rotation(13, D);
  real *x = new_normal(14, n * D), *y = new_normal(15, n * D), *same = new_zeros(n * D);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < D; j++) {
      (j < D / 2 ? y : x)[i * D + j] = 0;
      same[i * D + j] = (real)0.1 * (real)j;
    }
  struct moments a = moments_of(n, D, x), b = moments_of(n, D, y), one = moments_of(n, D, same);
  struct moments *sets[] = { &a, &b, &one };
  for (int turned = 0; turned < 2; turned++) {
    for (int s = 0; turned && s < 3; s++) rotate(Q, sets[s]);
    for (int s = 0; s < 3; s++) {
      const struct moments *p = sets[s], *q = sets[(s + 1) % 3];
      double means = 0, d, clipped;
      for (size_t i = 0; i < D; i++) means += pow(p->mean[i] - q->mean[i], 2);
      ck_assert_int_eq(frechet_distance_clipped(p, q, &d, &clipped), STATUS_OK);
      ck_assert_double_eq_tol(d, means + trace(p) + trace(q), 1e-12 * (means + trace(p) + trace(q)));
      ck_assert_double_ge(clipped, 0);
      ck_assert_double_le(clipped, 1e-13);
    }
  }
  ck_assert_double_eq(distance(&one, &one), 0);
  free_moments(&a), free_moments(&b), free_moments(&one);
  free(x), free(y), free(same), free(Q);
} END_TEST

/* Negative eigenvalues beyond rounding count as 0, and are told. */
START_TEST(what_is_no_covariance_shows_in_the_clipped_mass) {
  enum { D = 4 };
  const double mean[D] = { 0 }, deviation[D] = { 1, 2, 3, 4 };
  struct moments a = diagonal(D, 10, mean, deviation), b = diagonal(D, 20, mean, deviation);
  double d, clipped;
  ck_assert_int_eq(frechet_distance_clipped(&a, &b, &d, &clipped), STATUS_OK);
  ck_assert_double_eq(clipped, 0);
  b.S[2 * D + 2] = -3 * 19;
  ck_assert_int_eq(frechet_distance_clipped(&a, &b, &d, &clipped), STATUS_OK);
  ck_assert_double_eq_tol(clipped, 3 / (30.0 + 18), 1e-14);
  ck_assert_double_eq_tol(d, 30 + 18 - 2 * (1 + 4 + 16), 1e-13);
  free_moments(&a), free_moments(&b);
} END_TEST

/* The last bits of the moments depend on who summed what; the distance shows no more than these. Deviations of 8 decades,
 * one feature a sum of others, 40 images and then 4000 of 64 features. */
START_TEST(frechet_distance_does_not_depend_on_the_partition) {
  enum { D = 64 };
  for (size_t n = 40; n <= 4000; n *= 100) {
    real *x = new_normal(16, n * D), *y = new_normal(17, n * D);
    for (size_t i = 0; i < n * D; i++) {
      const real scale = (real)pow(10, -8.0 * (double)(i % D) / D);
      x[i] *= scale, y[i] *= 2 * scale;
      if (i % D == D - 1) x[i] = x[i - 2] + x[i - 1], y[i] = y[i - 2] + y[i - 1];
    }
    struct moments a = moments_of(n, D, x), b = moments_of(n, D, y);
    const double expected = distance(&a, &b);
    for (size_t chunk = 1; chunk < 100; chunk += 13) {
      struct moments p = new_moments(D), q = new_moments(D);
      add(&p, n, x, chunk), add(&q, n, y, chunk + 5);
      ck_assert_double_eq_tol(distance(&p, &q), expected, 1e-10 * expected);
      free_moments(&p), free_moments(&q);
    }
    free_moments(&a), free_moments(&b);
    free(x), free(y);
  }
} END_TEST

START_TEST(frechet_distance_refuses_what_is_no_sample) {
  enum { D = 3, n = 5 };
  real *x = new_normal(18, n * D), *y = new_normal(19, n * D);
  struct moments good = moments_of(n, D, x), single = moments_of(1, D, x), none = new_moments(D);
  const real wrong[] = { (real)NAN, (real)INFINITY, -(real)INFINITY };
  double d = 7;
  ck_assert_int_eq(frechet_distance(&good, &single, &d), STATUS_BAD);
  ck_assert_int_eq(frechet_distance(&single, &good, &d), STATUS_BAD);
  ck_assert_int_eq(frechet_distance(&good, &none, &d), STATUS_BAD);
  ck_assert_ptr_nonnull(strstr(status_reason(), "2 images"));
  for (size_t i = 0; i < 3; i++) {
    y[4] = wrong[i];
    struct moments bad = moments_of(n, D, y);
    ck_assert_int_eq(frechet_distance(&good, &bad, &d), STATUS_BAD);
    ck_assert_int_eq(frechet_distance(&bad, &good, &d), STATUS_BAD);
    ck_assert_ptr_nonnull(strstr(status_reason(), "finite"));
    free_moments(&bad);
    bad = moments_of(n, D, x);   /* as moments may come from a file */
    bad.mean[D - 1] = (double)wrong[i];
    ck_assert_int_eq(frechet_distance(&good, &bad, &d), STATUS_BAD);
    bad.mean[D - 1] = 0, bad.S[1] = bad.S[D] = (double)wrong[i];
    ck_assert_int_eq(frechet_distance(&bad, &good, &d), STATUS_BAD);
    ck_assert_ptr_nonnull(strstr(status_reason(), "finite"));
    free_moments(&bad);
  }
  ck_assert_double_eq(d, 7);
  free_moments(&good), free_moments(&single), free_moments(&none);
  free(x), free(y);
} END_TEST

/* A line over 1/n is met exactly, whatever its slope; the parts go from half of them to all. */
START_TEST(limit_of_a_line_is_where_it_begins) {
  double n[LIMIT_POINTS], distance[LIMIT_POINTS];
  for (size_t all = 12; all < 60; all++) {
    for (int i = 0; i < LIMIT_POINTS; i++) {
      n[i] = 64 * (double)limit_part(all, i);
      distance[i] = 3.5 + 1234 / n[i];
      ck_assert(!i || n[i] > n[i - 1]);
    }
    ck_assert_double_eq_tol(limit_of(n, distance), 3.5, 1e-10);
    ck_assert_uint_eq(limit_part(all, 0), all / 2);
    ck_assert_uint_eq(limit_part(all, LIMIT_POINTS - 1), all);
  }
} END_TEST

/* Samples of one Gaussian (deviations s_j, means m_j) against the moments of the standard one: the distance is known, and n images
 * make it too large by c/n,  c = sum_j s_j^2 + sum_jk s_j s_k (1 + [j=k]) / (2 (s_j + s_k)):  that of the mean, and that of the
 * root of a covariance to second order. The distances' excess is c/n, their limit's is 0, each within four standard errors. */
START_TEST(limit_is_the_distance_of_the_laws) {
  enum { D = 6, N = 480, PAIRS = 400 };
  struct moments reference = new_moments(D), m;
  double s[D], truth = 0, c = 0, sum[2] = { 0 }, square[2] = { 0 };
  reference.n = 2;                                 /* S/(n-1) is the covariance */
  for (size_t j = 0; j < D; j++) {
    reference.S[j * D + j] = 1;
    s[j] = 0.6 + 0.2 * (double)j;
    truth += 0.1 * 0.1 + (s[j] - 1) * (s[j] - 1);
  }
  for (size_t j = 0; j < D; j++) {
    c += s[j] * s[j];
    for (size_t k = 0; k < D; k++) c += s[j] * s[k] * (1 + (j == k)) / (2 * (s[j] + s[k]));
  }
  for (uint32_t pair = 0; pair < PAIRS; pair++) {
    real *x = new_normal(5000 + pair, N * D);
    double n[LIMIT_POINTS], at[LIMIT_POINTS];
    for (size_t i = 0; i < N * D; i++) x[i] = (real)(s[i % D] * (double)x[i] + 0.1);
    for (int i = 0; i < LIMIT_POINTS; i++) {
      const size_t images = limit_part(N, i);
      m = moments_of(images, D, x);
      n[i] = m.n, at[i] = distance(&m, &reference);
      free_moments(&m);
    }
    const double excess[2] = { at[LIMIT_POINTS - 1] - truth - c / N, limit_of(n, at) - truth };
    for (int k = 0; k < 2; k++) sum[k] += excess[k] / PAIRS, square[k] += excess[k] * excess[k] / PAIRS;
    free(x);
  }
  for (int k = 0; k < 2; k++) {
    const double error = sqrt((square[k] - sum[k] * sum[k]) / PAIRS);
    ck_assert_double_le(fabs(sum[k]), 4 * error);
    ck_assert_double_lt(4 * error, c / N);         /* so that the excess of the plain distance would show */
  }
  free_moments(&reference);
} END_TEST

/* Few images of many features: the thin form is the distance of the moments. */
START_TEST(rows_give_the_distance_of_their_moments) {
  enum { D = 40, N = 9, M = 13 };
  float *x = new_normal(1, N * D), *y = new_normal(2, M * D);
  for (size_t i = 0; i < M * D; i++) y[i] = y[i] * 1.5f + 0.3f;
  struct moments p = { .D = D, .mean = new_doubles(D + D * D) }, q = { .D = D, .mean = new_doubles(D + D * D) };
  double *scratch = new_doubles(M * D + D * D + D), thin = 0, full = 0;
  p.S = p.mean + D, q.S = q.mean + D;
  moments_add(&p, N, x, scratch);
  moments_add(&q, M, y, scratch);
  ck_assert_int_eq(frechet_distance(&p, &q, &full), STATUS_OK);
  ck_assert_int_eq(frechet_distance_rows(D, N, x, M, y, &thin), STATUS_OK);
  ck_assert_double_eq_tol(thin, full, 1e-9 * full);
  ck_assert_int_eq(frechet_distance_rows(D, N, x, N, x, &thin), STATUS_OK);
  ck_assert_double_lt(thin, 1e-10 * full);
  ck_assert_int_eq(frechet_distance_rows(D, 1, x, M, y, &thin), STATUS_BAD);
  y[5] = NAN;
  ck_assert_int_eq(frechet_distance_rows(D, N, x, M, y, &thin), STATUS_BAD);
  free(x), free(y), free(p.mean), free(q.mean), free(scratch);
} END_TEST

int main(void) {
  return run_tests("frechet", (const TTest *[]){
    moments_are_those_of_two_passes, parts_merge_to_the_whole, a_great_mean_costs_nothing,
    frechet_distance_of_diagonal_gaussians_is_its_closed_form, frechet_distance_in_the_plane_is_its_closed_form,
    identical_sets_have_no_distance, frechet_distance_is_symmetric, frechet_distance_goes_with_the_square_of_the_scale,
    frechet_distance_does_not_know_the_axes, missing_directions_are_no_trouble, what_is_no_covariance_shows_in_the_clipped_mass,
    frechet_distance_does_not_depend_on_the_partition, frechet_distance_refuses_what_is_no_sample,
    limit_of_a_line_is_where_it_begins, limit_is_the_distance_of_the_laws, rows_give_the_distance_of_their_moments, NULL });
}
