/* The optimizer's laws (SPEC 6): Newton-Schulz makes singular values nearly 1, Muon does not care which way a matrix
 * lies, Adam's steps are those of its recursion, weight decay is AdamW's alone, nothing moves between tensors; the
 * schedule's and the averages' closed forms. Reference values are in check_reference. */
#include <omp.h>

#include "src/net/net.h"
#include "src/optim/adam.h"
#include "src/optim/muon.h"
#include "src/optim/optimizer.h"
#include "src/optim/schedule.h"
#include "src/optim/share.h"
#include "tests/harness.h"

/* Eigenvalues of the symmetric A[n,n], by Jacobi's rotations; A is overwritten. */
static void eigenvalues(size_t n, double *A, double *values) {
  for (int sweep = 0; sweep < 30; sweep++)
    for (size_t p = 0; p < n; p++)
      for (size_t q = p + 1; q < n; q++) {
        const double off = A[p * n + q];
        if (off == 0) continue;
        const double theta = (A[q * n + q] - A[p * n + p]) / (2 * off);
        const double t = (theta < 0 ? -1 : 1) / (fabs(theta) + hypot(theta, 1)), c = 1 / hypot(t, 1), s = t * c;
        for (size_t k = 0; k < n; k++) {
          const double a = A[k * n + p], b = A[k * n + q];
          A[k * n + p] = c * a - s * b, A[k * n + q] = s * a + c * b;
        }
        for (size_t k = 0; k < n; k++) {
          const double a = A[p * n + k], b = A[q * n + k];
          A[p * n + k] = c * a - s * b, A[q * n + k] = s * a + c * b;
        }
      }
  for (size_t i = 0; i < n; i++) values[i] = A[i * n + i];
}

/* The least and the greatest singular value of X[rows,cols], rows <= cols. */
struct range { double least, greatest; };
static struct range singular_values(size_t rows, size_t cols, const real *X) {
  double *A = calloc(rows * rows, sizeof *A), *values = calloc(rows, sizeof *values);
  ck_assert(A && values);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < rows; j++) A[i * rows + j] = dot(cols, X + i * cols, X + j * cols);
  eigenvalues(rows, A, values);
  struct range r = { INFINITY, 0 };
  for (size_t i = 0; i < rows; i++) r.least = fmin(r.least, values[i]), r.greatest = fmax(r.greatest, values[i]);
  free(A), free(values);
  return (struct range){ sqrt(fmax(0, r.least)), sqrt(r.greatest) };
}

/* Random, its square ones kept away from singular. */
static real *new_matrix(uint32_t which, size_t out, size_t in) {
  real *x = new_normal(which, out * in);
  for (size_t i = 0; out == in && i < in; i++) x[i * in + i] += 2 * (real)sqrt((double)in);
  return x;
}
static void transpose(size_t out, size_t in, const real *x, real *y) {
  for (size_t o = 0; o < out; o++)
    for (size_t i = 0; i < in; i++) y[i * out + o] = x[o * in + i];
}
/* Momentum and the rest of a step. */
static void muon_step(size_t out, size_t in, uint64_t k, double rate, const real *g, real *m, real *w, real *work) {
  muon_momentum(out * in, g, m);
  muon_update(out, in, k, rate, g, m, w, NULL, work);
}
static real *new_step(size_t out, size_t in, const real *g) {   /* what a first step of rate 1 takes away from w = 0 */
  real *m = new_zeros(out * in), *w = new_zeros(out * in), *work = new_zeros(muon_work(out, in));
  muon_step(out, in, 1, 1, g, m, w, work);
  for (size_t i = 0; i < out * in; i++) w[i] = -w[i];
  free(m), free(work);
  return w;
}

static const size_t shapes[][2] = { { 12, 40 }, { 40, 12 }, { 24, 24 }, { 1, 30 }, { 30, 1 }, { 33, 65 } };
enum { SHAPES = sizeof shapes / sizeof *shapes };

START_TEST(muon_steps_are_nearly_orthogonal) {
  for (size_t k = 0; k < SHAPES; k++) {
    const size_t out = shapes[k][0], in = shapes[k][1], rows = out < in ? out : in, cols = out < in ? in : out;
    real *g = new_matrix(1, out, in), *step = new_step(out, in, g), *wide = new_zeros(out * in);
    if (out > in) transpose(out, in, step, wide);
    else memcpy(wide, step, out * in * sizeof *wide);
    const double factor = sqrt(fmax(1, (double)out / (double)in));
    const struct range r = singular_values(rows, cols, wide);
    ck_assert_double_gt(r.least / factor, 0.6);
    ck_assert_double_lt(r.greatest / factor, 1.3);
    ck_assert_double_gt(dot(out * in, g, step), 0);    /* downhill */
    free(g), free(step), free(wide);
  }
} END_TEST

/* X <- a X + (b A + c A^2) X, A = X X^T, five times, in double. */
static void five_steps(size_t rows, size_t cols, double *X) {
  double *A = calloc(rows * rows, sizeof *A), *Q = calloc(rows * rows, sizeof *Q), *Y = calloc(rows * cols, sizeof *Y);
  for (int step = 0; step < 5; step++) {
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < rows; j++) {
        A[i * rows + j] = 0;
        for (size_t k = 0; k < cols; k++) A[i * rows + j] += X[i * cols + k] * X[j * cols + k];
      }
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < rows; j++) {
        Q[i * rows + j] = -4.7750 * A[i * rows + j] + (i == j ? 3.4445 : 0);
        for (size_t k = 0; k < rows; k++) Q[i * rows + j] += 2.0315 * A[i * rows + k] * A[k * rows + j];
      }
    memset(Y, 0, rows * cols * sizeof *Y);
    for (size_t i = 0; i < rows; i++)
      for (size_t k = 0; k < rows; k++)
        for (size_t j = 0; j < cols; j++) Y[i * cols + j] += Q[i * rows + k] * X[k * cols + j];
    memcpy(X, Y, rows * cols * sizeof *X);
  }
  free(A), free(Q), free(Y);
}
/* The five steps on d[out,in] / |d|, turned so that rows <= columns, and turned back. */
static void five_steps_turned(size_t out, size_t in, const double *d, real *result) {
  const size_t n = out * in, rows = out < in ? out : in, cols = out < in ? in : out;
  double *X = calloc(n, sizeof *X), square = 0;
  for (size_t i = 0; i < n; i++) square += d[i] * d[i];
  for (size_t o = 0; o < out; o++)
    for (size_t i = 0; i < in; i++) X[out > in ? i * out + o : o * in + i] = d[o * in + i] / (sqrt(square) + 1e-8);
  five_steps(rows, cols, X);
  for (size_t o = 0; o < out; o++)
    for (size_t i = 0; i < in; i++) result[o * in + i] = (real)X[out > in ? i * out + o : o * in + i];
  free(X);
}
START_TEST(newton_schulz_is_its_polynomial) {
  for (size_t k = 0; k < SHAPES; k++) {
    const size_t out = shapes[k][0], in = shapes[k][1], n = out * in, less = out < in ? out : in;
    real *X = new_matrix(2, out, in), *work = new_zeros(2 * less * less + n), *exact = new_zeros(n);
    double *d = calloc(n, sizeof *d);
    const double norm = sqrt(dot(n, X, X));
    for (size_t i = 0; i < n; i++) d[i] = (double)(X[i] = (real)((double)X[i] / norm));
    five_steps_turned(out, in, d, exact);
    muon_newton_schulz(out, in, X, work, NULL, NULL);
    ck_assert_double_lt(relative_error(n, X, exact), 2e-5);
    free(X), free(work), free(exact), free(d);
  }
} END_TEST

START_TEST(muon_follows_its_recursion) {   /* in double, four steps of one rate */
  for (size_t k = 0; k < SHAPES; k++) {
    const size_t out = shapes[k][0], in = shapes[k][1], n = out * in;
    const double rate = 0.01, factor = sqrt(fmax(1, (double)out / (double)in));
    real *m = new_zeros(n), *w = new_zeros(n), *work = new_zeros(muon_work(out, in));
    real *X = new_zeros(n), *expected = new_zeros(n);
    double *me = calloc(n, sizeof *me), *d = calloc(n, sizeof *d);
    for (uint64_t step = 1; step <= 4; step++) {
      real *g = new_matrix((uint32_t)step, out, in);
      const double now = 1 - pow(0.95, (double)step), next = 1 - pow(0.95, (double)step + 1);
      for (size_t i = 0; i < n; i++) {
        me[i] = 0.95 * me[i] + 0.05 * (double)g[i];
        d[i] = 0.95 * me[i] / next + 0.05 * (double)g[i] / now;
      }
      five_steps_turned(out, in, d, X);
      for (size_t i = 0; i < n; i++) expected[i] -= (real)(rate * factor) * X[i];
      muon_step(out, in, step, rate, g, m, w, work);
      free(g);
    }
    ck_assert_double_lt(relative_error(n, w, expected), 1e-4);
    free(m), free(w), free(work), free(X), free(expected), free(me), free(d);
  }
} END_TEST

/* Over three steps: the update of the transposed gradient is the transposed update, but for sqrt(max(1, out/in)). */
START_TEST(muon_does_not_care_which_way_a_matrix_lies) {
  for (size_t k = 0; k < SHAPES; k++) {
    const size_t out = shapes[k][0], in = shapes[k][1], n = out * in;
    real *m = new_zeros(n), *w = new_zeros(n), *mt = new_zeros(n), *wt = new_zeros(n), *gt = new_zeros(n);
    real *work = new_zeros(muon_work(out, in));
    for (uint64_t step = 1; step <= 3; step++) {
      real *g = new_matrix((uint32_t)step, out, in);
      transpose(out, in, g, gt);
      muon_step(out, in, step, 0.01, g, m, w, work);
      muon_step(in, out, step, 0.01, gt, mt, wt, work);
      free(g);
    }
    const double factor = sqrt(fmax(1, (double)out / (double)in)) / sqrt(fmax(1, (double)in / (double)out));
    transpose(in, out, wt, gt);
    for (size_t i = 0; i < n; i++) gt[i] *= (real)factor;
    ck_assert_double_lt(relative_error(n, w, gt), 1e-4);
    transpose(in, out, mt, gt);
    ck_assert_double_eq(max_abs_difference(n, m, gt), 0);
    free(m), free(w), free(mt), free(wt), free(gt), free(work);
  }
} END_TEST

START_TEST(muon_does_not_care_for_the_size_of_gradients) {
  real *g = new_matrix(1, 12, 40), *one = new_step(12, 40, g);
  for (size_t i = 0; i < 12 * 40; i++) g[i] *= 4096;
  real *other = new_step(12, 40, g);
  ck_assert_double_lt(relative_error(12 * 40, other, one), 1e-5);
  memset(g, 0, 12 * 40 * sizeof *g);
  free(one);
  one = new_step(12, 40, g);                                 /* and none gives none */
  ck_assert_double_eq(max_abs(12 * 40, one), 0);
  free(g), free(one), free(other);
} END_TEST

/* Nesterov: d = b1 (1-b1) g/(1-b1^2) + g = g (1 + b1/(1+b1));  plain: d = g;  root = |g|. */
START_TEST(adams_first_step_is_the_sign_of_the_gradient) {
  const real start = (real)0.5;
  for (int nesterov = 0; nesterov < 2; nesterov++)
    for (int power = -3; power <= 3; power++) {
      const struct adam c = { 0.9, 0.95, 0, nesterov };
      const real g[2] = { (real)pow(10, power), (real)-pow(10, power) };
      real m[2] = { 0 }, s[2] = { 0 }, w[2] = { start, start };
      adam_update(&c, 2, 1, 1e-2, g, m, s, w);
      const double size = 1e-2 * (nesterov ? 1 + 0.9 / 1.9 : 1);
      ck_assert_double_eq_tol((double)(start - w[0]), size, 1e-6);
      ck_assert_double_eq_tol((double)(start - w[1]), -size, 1e-6);
    }
} END_TEST

START_TEST(adam_follows_its_recursion) {   /* in double, ten steps */
  for (int nesterov = 0; nesterov < 2; nesterov++) {
    const double b1 = 0.9, b2 = 0.95, rate = 1e-2, decay = nesterov ? 0 : 0.1;
    const struct adam c = { b1, b2, decay, nesterov };
    real g, m = 0, s = 0, w = (real)0.3;
    double me = 0, se = 0, we = (double)w;
    for (uint64_t k = 1; k <= 10; k++) {
      fill_normal((uint32_t)k, 1, &g);
      adam_update(&c, 1, k, rate, &g, &m, &s, &w);
      const double now = 1 - pow(b1, (double)k), next = 1 - pow(b1, (double)k + 1), gk = (double)g;
      me = b1 * me + (1 - b1) * gk;
      se = b2 * se + (1 - b2) * gk * gk;
      const double d = nesterov ? b1 * me / next + (1 - b1) * gk / now : me / now;
      we -= rate * (d / (sqrt(se / (1 - pow(b2, (double)k))) + 1e-8) + decay * we);
      ck_assert_double_eq_tol((double)w, we, 1e-6);
      ck_assert_double_eq_tol((double)m, me, 1e-6);
      ck_assert_double_eq_tol((double)s, se, 1e-6);
    }
  }
} END_TEST

/* All state of a small net's optimizer; the places between tensors are known by `inside`. */
struct bench {
  struct net net;
  size_t n;
  real *g, *m, *s, *w, *work, *w0;
  unsigned char *inside;
};
static void set_up(struct bench *b, int adamw) {
  const struct net_config c = { .image = 12, .patch = 4, .channels = 3, .classes = 4, .width = 24, .depth = 2,
    .head_depth = 1, .heads = 2, .inner = 37, .bottleneck = 10, .class_tokens = 3, .omega_tokens = 2,
    .interval_tokens = 1, .time_tokens = 4 };
  *b = (struct bench){ .n = 0 };
  ck_assert_int_eq(net_init(&b->net, &c, adamw), 0);
  const struct table *t = &b->net.table;
  b->n = t->size;
  b->g = new_normal(1, b->n), b->m = new_zeros(b->n), b->s = new_zeros(t->second_size + 1);
  b->w = new_zeros(b->n), b->w0 = new_zeros(b->n), b->work = new_zeros(optimizer_work(&(struct optimizer){ 0 }, t) + 1);
  b->inside = calloc(b->n, 1);
  ck_assert_ptr_nonnull(b->inside);
  table_init_weights(t, 42, b->w);
  memcpy(b->w0, b->w, b->n * sizeof *b->w);
  for (size_t i = 0; i < t->count; i++) memset(b->inside + t->tensors[i].offset, 1, t->tensors[i].size);
}
static void tear_down(struct bench *b) {
  free(b->g), free(b->m), free(b->s), free(b->w), free(b->w0), free(b->work), free(b->inside);
  net_free(&b->net);
}
static void steps(struct bench *b, const struct optimizer *o, uint64_t count, double rate) {
  for (uint64_t k = 1; k <= count; k++) optimizer_step(o, &b->net.table, k, rate, b->g, b->m, b->s, b->w, b->work);
}

/* Even where the gradient holds something between tensors. */
START_TEST(nothing_moves_between_tensors) {
  for (int adamw = 0; adamw < 2; adamw++) {
    struct bench b;
    set_up(&b, adamw);
    const struct optimizer o = { .adamw = adamw, .b2 = 0.95, .weight_decay = 0.1 };
    steps(&b, &o, 3, 1e-3);
    size_t between = 0, wrong = 0, empty = 0, still = 0;
    for (size_t i = 0; i < b.n; i++) {
      if (b.inside[i]) {
        empty += b.m[i] == 0;
        still += b.w[i] == b.w0[i];
      } else {
        between++;
        wrong += b.w[i] != 0 || b.m[i] != 0;
      }
    }
    ck_assert_uint_gt(between, 0);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(empty, 0);
    ck_assert_uint_lt(still, b.n / 1000);   /* and every weight moves, but for the odd one by less than its rounding */
    ck_assert(b.s[b.net.table.second_size] == 0);
    tear_down(&b);
  }
} END_TEST

/* Every tensor is stepped by the rule that the table names, as if it were alone. */
START_TEST(each_tensor_goes_by_its_rule) {
  for (int adamw = 0; adamw < 2; adamw++) {
    struct bench b;
    set_up(&b, adamw);
    const struct optimizer o = { .adamw = adamw, .b2 = 0.95, .weight_decay = 0.1 };
    const struct adam adam = { 0.9, 0.95, adamw ? 0.1 : 0, !adamw };
    steps(&b, &o, 2, 1e-2);
    for (size_t i = 0; i < b.net.table.count; i++) {
      const struct tensor *t = &b.net.table.tensors[i];
      real *m = new_zeros(t->size), *s = new_zeros(t->size), *w = b.w0 + t->offset;
      for (uint64_t k = 1; k <= 2; k++) {
        if (adamw || t->rank != 2 || strstr(t->name, "embedding_table"))
          adam_update(&adam, t->size, k, 1e-2, b.g + t->offset, m, s, w);
        else
          muon_step(t->shape[0], t->shape[1], k, 1e-2, b.g + t->offset, m, w, b.work);
      }
      ck_assert_msg(max_abs_difference(t->size, w, b.w + t->offset) == 0, "%s", t->name);
      free(m), free(s);
    }
    tear_down(&b);
  }
} END_TEST

/* A rank with fewer matrices than threads, one of very many, computes the same as with a thread for each, but for rounding. */
START_TEST(threads_may_share_a_matrix) {
  const int before = omp_get_max_threads();
  struct bench b[2];
  omp_set_num_threads(4);
  for (int each = 0; each < 2; each++) {
    set_up(&b[each], 0);
    share_matrices(&b[each].net.table, 1000);
    const struct optimizer o = { .b2 = 0.95, .one_thread_each = each };
    steps(&b[each], &o, 2, 1e-2);
  }
  ck_assert_double_gt(max_abs_difference(b[0].n, b[0].w, b[0].w0), 0);
  ck_assert_double_le(max_abs_difference(b[0].n, b[0].w, b[1].w), 1e-5);
  tear_down(&b[0]), tear_down(&b[1]);
  omp_set_num_threads(before);
} END_TEST

START_TEST(weight_decay_is_adamws_alone) {
  for (int adamw = 0; adamw < 2; adamw++) {
    struct bench b[2];
    for (int decay = 0; decay < 2; decay++) {
      set_up(&b[decay], adamw);
      const struct optimizer o = { .adamw = adamw, .b2 = 0.95, .weight_decay = decay ? 0.5 : 0 };
      steps(&b[decay], &o, 1, 1e-2);
    }
    real *expected = new_zeros(b[0].n);   /* decay takes rate * decay * w besides */
    for (size_t i = 0; i < b[0].n; i++) expected[i] = b[0].w[i] - (adamw ? (real)(1e-2 * 0.5) * b[0].w0[i] : 0);
    ck_assert_double_le(max_abs_difference(b[0].n, b[1].w, expected), adamw ? 1e-6 : 0);
    free(expected);
    tear_down(&b[0]), tear_down(&b[1]);
  }
} END_TEST

START_TEST(a_rate_of_zero_moves_nothing) {
  struct bench b;
  set_up(&b, 0);
  const struct optimizer o = { .b2 = 0.95 };
  steps(&b, &o, 2, 0);
  ck_assert_double_eq(max_abs_difference(b.n, b.w, b.w0), 0);
  tear_down(&b);
} END_TEST

START_TEST(schedule_is_its_closed_form) {
  const struct schedule plain = { .rate = 2, .steps = 100 }, warm = { .rate = 2, .warmup = 10, .steps = 100 };
  const struct schedule cosine = { 1, 2, 0.1, 10, 100 };
  for (uint64_t k = 0; k <= 200; k++) {
    const double up = 2 * fmin(1, (double)k / 10);
    ck_assert_double_eq(schedule_rate(&plain, k), 2);
    ck_assert_double_eq_tol(schedule_rate(&warm, k), up, 1e-15);
    if (k <= 10) ck_assert_double_eq_tol(schedule_rate(&cosine, k), up, 1e-15);
    else ck_assert_double_le(schedule_rate(&cosine, k), schedule_rate(&cosine, k - 1));
    if (k >= 90) ck_assert_double_eq_tol(schedule_rate(&cosine, k), 0.2, 1e-15);   /* the floor, from S - W on */
    else ck_assert_double_gt(schedule_rate(&cosine, k), k ? 0.2 - 1e-15 : -1);
  }
  ck_assert_double_eq(schedule_rate(&warm, 0), 0);                            /* the first step moves nothing */
  ck_assert_double_eq_tol(schedule_rate(&cosine, 50), 2 * 0.55, 1e-12);       /* half way between 1 and the floor */
  const struct schedule cold = { 1, 2, 0, 0, 100 };
  ck_assert_double_eq_tol(schedule_rate(&cold, 0), 2, 1e-15);
  ck_assert_double_eq_tol(schedule_rate(&cold, 25), 1 + sqrt(0.5), 1e-12);
  ck_assert_double_eq_tol(schedule_rate(&cold, 100), 0, 1e-15);
} END_TEST

START_TEST(averages_have_the_half_life_asked_for) {
  const double batch = 1000, halflife = 500000;
  ck_assert_double_eq_tol(schedule_edm_decay(halflife, batch, batch), pow(0.5, 20), 1e-15);
  ck_assert_double_eq_tol(schedule_edm_decay(halflife, batch, 1e12), pow(0.5, 0.002), 1e-15);
  ck_assert_double_eq_tol(schedule_edm_decay(halflife, batch, 20 * halflife), pow(0.5, 0.002), 1e-12);
  ck_assert_double_lt(schedule_edm_decay(halflife, batch, 19 * halflife), pow(0.5, 0.002));
  double left = 1, last = 0;
  for (int k = 1; k <= 500; k++) left *= schedule_edm_decay(halflife, batch, 1e9 + k * batch);
  ck_assert_double_eq_tol(left, 0.5, 1e-9);
  for (double seen = batch; seen < 40 * halflife; seen *= 1.5) {
    const double decay = schedule_edm_decay(halflife, batch, seen);
    ck_assert_double_ge(decay, last);
    last = decay;
  }
  enum { n = 5 };
  real *w = new_normal(1, n), *ema = new_normal(2, n), *old = new_normal(2, n);
  optimizer_ema(n, 1, w, ema);
  ck_assert_double_eq(max_abs_difference(n, ema, old), 0);
  optimizer_ema(n, 0.75, w, ema);
  for (size_t i = 0; i < n; i++) old[i] = (real)0.75 * old[i] + (real)0.25 * w[i];
  ck_assert_double_lt(max_abs_difference(n, ema, old), 1e-6);
  optimizer_ema(n, 0, w, ema);
  ck_assert_double_eq(max_abs_difference(n, ema, w), 0);
  free(w), free(ema), free(old);
} END_TEST

int main(void) {
  return run_tests("optim", (const TTest *[]){
    muon_steps_are_nearly_orthogonal, newton_schulz_is_its_polynomial, muon_follows_its_recursion,
    muon_does_not_care_which_way_a_matrix_lies, muon_does_not_care_for_the_size_of_gradients,
    adams_first_step_is_the_sign_of_the_gradient, adam_follows_its_recursion, nothing_moves_between_tensors,
    each_tensor_goes_by_its_rule, threads_may_share_a_matrix, weight_decay_is_adamws_alone, a_rate_of_zero_moves_nothing,
    schedule_is_its_closed_form, averages_have_the_half_life_asked_for, NULL });
}
