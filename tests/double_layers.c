/* For every layer, in double:
 *   tangent and backward are adjoint:  <y_bar, J x_dot> = <J^T y_bar, x_dot>, to 1e-12 of |y_bar| |J x_dot|;
 *   the tangent is the derivative of forward, and the weights' gradients are those of <y_bar, y>, both against central
 *   differences of fourth order with step 1e-3, to 1e-8 (their own error is about 1e-11). */
#include "src/flow/velocity.h"
#include "src/net/attention.h"
#include "src/net/final.h"
#include "src/net/gate.h"
#include "src/net/linear.h"
#include "src/net/rmsnorm.h"
#include "src/net/rotary.h"
#include "src/net/scalar.h"
#include "src/net/swiglu.h"
#include "tests/laws.h"

static const double step = 1e-3, limit_difference = 1e-8, limit_adjoint = 1e-12;

/* A layer seen as y[ny] of x[nx] and weights w[nw]. Tangent and backward follow a forward at the same x and w.
 * backward overwrites x_bar and w_bar. NULL where a layer has none. */
struct layer {
  size_t nx, nw, ny;
  void (*forward)(const real *x, const real *w, real *y);
  void (*tangent)(const real *x, const real *w, const real *x_dot, real *y_dot);
  void (*backward)(const real *x, const real *w, const real *y_bar, real *x_bar, real *w_bar);
};

struct moved {
  const struct layer *l;
  real *x, *w;
  const real *x0, *w0, *x_dot, *w_dot, *y_bar;
  real *y;
};
static void along_x(void *context, double s, real *y) {
  struct moved *m = context;
  move(m->l->nx, m->x0, s, m->x_dot, m->x);
  m->l->forward(m->x, m->w0, y);
}
static void along_w(void *context, double s, real *y) {   /* <y_bar, y> */
  struct moved *m = context;
  move(m->l->nw, m->w0, s, m->w_dot, m->w);
  m->l->forward(m->x0, m->w, m->y);
  *y = (real)dot(m->l->ny, m->y_bar, m->y);
}

/* Every weight's gradient against differences, one weight at a time. */
static void check_weights(const struct layer *l, struct moved *m, const real *w_bar) {
  real *w_dot = new_zeros(l->nw), *numeric = new_zeros(l->nw);
  m->w_dot = w_dot;
  for (size_t i = 0; i < l->nw; i++) {
    w_dot[i] = 1;
    differentiate(along_w, m, step, 1, numeric + i);
    w_dot[i] = 0;
  }
  ck_assert_double_lt(relative_error(l->nw, w_bar, numeric), limit_difference);
  free(w_dot), free(numeric);
}

/* x and w hold where to look. */
static void check_layer_at(const struct layer *l, double h, double limit, const real *x, const real *w) {
  real *x_dot = new_normal(3, l->nx), *y = new_zeros(l->ny), *y_dot = new_zeros(l->ny), *numeric = new_zeros(l->ny);
  real *y_bar = new_normal(4, l->ny), *x_bar = new_normal(5, l->nx), *w_bar = new_normal(6, l->nw);
  real *x_moved = new_zeros(l->nx), *w_moved = new_zeros(l->nw);
  struct moved m = { l, x_moved, w_moved, x, w, x_dot, NULL, y_bar, y };
  differentiate(along_x, &m, h, l->ny, numeric);
  l->forward(x, w, y);
  l->tangent(x, w, x_dot, y_dot);
  ck_assert_double_gt(max_abs(l->ny, y_dot), 0);
  ck_assert_double_lt(relative_error(l->ny, y_dot, numeric), limit);

  l->forward(x, w, y);
  l->backward(x, w, y_bar, x_bar, w_bar);
  const double scale = sqrt(dot(l->ny, y_bar, y_bar) * dot(l->ny, y_dot, y_dot));
  ck_assert_double_lt(fabs(dot(l->ny, y_bar, y_dot) - dot(l->nx, x_bar, x_dot)) / scale, limit_adjoint);
  check_weights(l, &m, w_bar);
  free(x_dot), free(y), free(y_dot), free(numeric), free(y_bar), free(x_bar), free(w_bar), free(x_moved), free(w_moved);
}
static void check_layer(const struct layer *l) {
  real *x = new_normal(1, l->nx), *w = new_normal(2, l->nw);
  check_layer_at(l, step, limit_difference, x, w);
  free(x), free(w);
}

/* Where backward adds, what it finds must come through: it starts from a mark and loses it. */
static const real mark = 0.25;
static void set_mark(size_t n, real *x) { for (size_t i = 0; i < n; i++) x[i] = mark; }
static void lose_mark(size_t n, real *x) { for (size_t i = 0; i < n; i++) x[i] -= mark; }

/* linear: y = W x + b, tangent rows stacked under the rows of values */
enum { LINEAR_N = 5, LINEAR_I = 7, LINEAR_O = 4 };
static struct linear linear(const real *w) { return (struct linear){ LINEAR_I, LINEAR_O, w, w + LINEAR_I * LINEAR_O }; }
static void forward_linear(const real *x, const real *w, real *y) {
  const struct linear l = linear(w);
  linear_forward(&l, LINEAR_N, 0, x, y);
}
static void tangent_linear(const real *x, const real *w, const real *x_dot, real *y_dot) {
  enum { NX = LINEAR_N * LINEAR_I, NY = LINEAR_N * LINEAR_O };
  const struct linear l = linear(w);
  real stacked[2 * NX], y[2 * NY], alone[NY];
  memcpy(stacked, x, NX * sizeof *x);
  memcpy(stacked + NX, x_dot, NX * sizeof *x);
  linear_forward(&l, LINEAR_N, LINEAR_N, stacked, y);
  linear_forward(&l, LINEAR_N, 0, x, alone);
  ck_assert_double_lt(max_abs_difference(NY, y, alone), 1e-14);
  memcpy(y_dot, y + NY, NY * sizeof *y);
}
static void backward_linear(const real *x, const real *w, const real *y_bar, real *x_bar, real *w_bar) {
  enum { NW = LINEAR_I * LINEAR_O };
  const struct linear l = linear(w);
  set_mark(NW + LINEAR_O, w_bar);
  linear_backward(&l, LINEAR_N, x, y_bar, NULL, w_bar, w_bar + NW);   /* the input's gradient may be unwanted */
  set_mark(NW + LINEAR_O, w_bar);
  linear_backward(&l, LINEAR_N, x, y_bar, x_bar, w_bar, w_bar + NW);
  lose_mark(NW + LINEAR_O, w_bar);
}
START_TEST(linear_obeys) {
  check_layer(&(struct layer){ LINEAR_N * LINEAR_I, LINEAR_O * (LINEAR_I + 1), LINEAR_N * LINEAR_O, forward_linear,
                               tangent_linear, backward_linear });
} END_TEST

/* rmsnorm of G groups of C in rows that lie apart; what lies between stays as it is */
enum { NORM_N = 4, NORM_C = 6 };
static size_t norm_G, norm_ldx, norm_ldy;
static real norm_s[NORM_N * 3];
static struct rmsnorm norm(const real *x, const real *w, real *y) {
  return (struct rmsnorm){ NORM_N, norm_G, NORM_C, norm_ldx, norm_ldy, w, x, y, norm_s };
}
static void forward_norm(const real *x, const real *w, real *y) {
  const struct rmsnorm l = norm(x, w, y);
  rmsnorm_forward(&l);
}
static void tangent_norm(const real *x, const real *w, const real *x_dot, real *y_dot) {
  const struct rmsnorm l = norm(x, w, NULL);
  rmsnorm_tangent(&l, NORM_N, x_dot, y_dot);
}
static void backward_norm(const real *x, const real *w, const real *y_bar, real *x_bar, real *w_bar) {
  const struct rmsnorm l = norm(x, w, NULL);
  set_mark(NORM_N * norm_ldx, x_bar), set_mark(NORM_C, w_bar);
  rmsnorm_backward(&l, y_bar, x_bar, w_bar);
  lose_mark(NORM_N * norm_ldx, x_bar), lose_mark(NORM_C, w_bar);
}
static void check_norm(size_t G, size_t ldx, size_t ldy, double size) {
  norm_G = G, norm_ldx = ldx, norm_ldy = ldy;
  const struct layer l = { NORM_N * ldx, NORM_C, NORM_N * ldy, forward_norm, tangent_norm, backward_norm };
  real *x = new_normal(1, l.nx), *w = new_normal(2, l.nw);
  for (size_t i = 0; i < l.nx; i++) x[i] *= (real)size;
  check_layer_at(&l, step * size, limit_difference, x, w);
  free(x), free(w);
}
START_TEST(rmsnorm_obeys) {
  check_norm(1, NORM_C, NORM_C, 1);
  check_norm(3, 3 * NORM_C + 5, 3 * NORM_C + 2, 1);
  check_norm(2, 2 * NORM_C, 2 * NORM_C, 1e-3);   /* where eps counts: mean square 1e-6 */
} END_TEST

START_TEST(rmsnorm_makes_the_mean_square_one) {   /* less eps, whatever the scale of x */
  real x[NORM_N * NORM_C], w[NORM_C], y[NORM_N * NORM_C];
  norm_G = 1, norm_ldx = norm_ldy = NORM_C;
  for (size_t c = 0; c < NORM_C; c++) w[c] = 1;
  for (int power = -9; power <= 9; power += 3) {
    fill_normal(1, NORM_N * NORM_C, x);
    for (size_t i = 0; i < NORM_N * NORM_C; i++) x[i] *= pow(10, power);
    forward_norm(x, w, y);
    for (size_t n = 0; n < NORM_N; n++) {
      const double square = dot(NORM_C, x + n * NORM_C, x + n * NORM_C) / NORM_C;
      ck_assert_double_eq_tol(dot(NORM_C, y + n * NORM_C, y + n * NORM_C) / NORM_C, square / (square + 1e-6), 1e-14);
    }
  }
} END_TEST

/* rotary: B sequences of prefix + side^2 tokens, A heads of d, rows ld apart */
enum { TURN_B = 2, TURN_SIDE = 3, TURN_PREFIX = 2, TURN_A = 2, TURN_D = 8, TURN_LD = TURN_A * TURN_D + 3,
       TURN_T = TURN_PREFIX + TURN_SIDE * TURN_SIDE, TURN_SIZE = TURN_B * TURN_T * TURN_LD };
static real cosine[TURN_SIDE * TURN_SIDE * TURN_D / 2], sine[TURN_SIDE * TURN_SIDE * TURN_D / 2];
static const struct rotary turning = { TURN_SIDE, TURN_PREFIX, TURN_D, cosine, sine };
static void forward_rotary(const real *x, const real *w, real *y) {
  (void)w;
  rotary_angles(TURN_SIDE, TURN_D, cosine, sine);
  memcpy(y, x, TURN_SIZE * sizeof *y);
  rotary_forward(&turning, TURN_B, TURN_A, TURN_LD, y);
}
static void tangent_rotary(const real *x, const real *w, const real *x_dot, real *y_dot) {
  (void)x;
  forward_rotary(x_dot, w, y_dot);
}
static void backward_rotary(const real *x, const real *w, const real *y_bar, real *x_bar, real *w_bar) {
  (void)x, (void)w, (void)w_bar;
  memcpy(x_bar, y_bar, TURN_SIZE * sizeof *x_bar);
  rotary_backward(&turning, TURN_B, TURN_A, TURN_LD, x_bar);
}
START_TEST(rotary_obeys) {
  check_layer(&(struct layer){ TURN_SIZE, 0, TURN_SIZE, forward_rotary, tangent_rotary, backward_rotary });
} END_TEST

START_TEST(rotary_turns_back_what_it_turned) {
  real *x = new_normal(1, TURN_SIZE), *y = new_zeros(TURN_SIZE), *back = new_zeros(TURN_SIZE);
  forward_rotary(x, NULL, y);
  backward_rotary(NULL, NULL, y, back, NULL);
  ck_assert_double_lt(max_abs_difference(TURN_SIZE, back, x), 1e-14);
  ck_assert_double_eq_tol(dot(TURN_SIZE, y, y), dot(TURN_SIZE, x, x), 1e-11);
  free(x), free(y), free(back);
} END_TEST

/* Prefix tokens, patch 0 and what lies between rows stay; another patch turns its pairs by row, then by column. */
START_TEST(rotary_turns_by_row_and_column) {
  real *x = new_normal(1, TURN_SIZE), *y = new_zeros(TURN_SIZE);
  forward_rotary(x, NULL, y);
  for (size_t b = 0; b < TURN_B; b++)
    for (size_t t = 0; t < TURN_T; t++) {
      const real *a = x + (b * TURN_T + t) * TURN_LD, *z = y + (b * TURN_T + t) * TURN_LD;
      if (t <= TURN_PREFIX) ck_assert_double_eq(max_abs_difference(TURN_LD, a, z), 0);
      ck_assert_double_eq(max_abs_difference(TURN_LD - TURN_A * TURN_D, a + TURN_A * TURN_D, z + TURN_A * TURN_D), 0);
      for (size_t i = 0; t >= TURN_PREFIX && i < TURN_A * TURN_D / 2; i++) {
        const size_t n = t - TURN_PREFIX, pair = i % (TURN_D / 2), place = pair < 2 ? n / TURN_SIDE : n % TURN_SIDE;
        const double angle = (double)place * (pair % 2 ? 0.01 : 1);   /* 10000^(-2/4) */
        ck_assert_double_eq_tol(z[2 * i], a[2 * i] * cos(angle) - a[2 * i + 1] * sin(angle), 1e-14);
        ck_assert_double_eq_tol(z[2 * i + 1], a[2 * i] * sin(angle) + a[2 * i + 1] * cos(angle), 1e-14);
      }
    }
  free(x), free(y);
} END_TEST

/* attention: q and k side by side in rows of their own length, v in another array, o in a third */
static size_t att_B, att_T, att_A, att_d;
static real *att_P, *att_work;
static size_t ld_qk(void) { return 2 * att_A * att_d + 1; }
static size_t ld_v(void) { return att_A * att_d + 2; }
static size_t ld_o(void) { return att_A * att_d + 3; }
static size_t at_v(void) { return att_B * att_T * ld_qk(); }
static struct attention attention(const real *x, real *o) {
  return (struct attention){ att_B, att_T, att_A, att_d, ld_qk(), ld_qk(), ld_v(), ld_o(), x, x + att_A * att_d,
                             x + at_v(), att_P, o, att_work };
}
static void forward_attention(const real *x, const real *w, real *o) {
  (void)w;
  const struct attention l = attention(x, o);
  attention_forward(&l);
}
static void tangent_attention(const real *x, const real *w, const real *x_dot, real *o_dot) {
  (void)w;
  const struct attention l = attention(x, NULL);
  attention_tangent(&l, att_B, x_dot, x_dot + att_A * att_d, x_dot + at_v(), o_dot);
}
static void backward_attention(const real *x, const real *w, const real *o_bar, real *x_bar, real *w_bar) {
  (void)w, (void)w_bar;
  const struct attention l = attention(x, NULL);
  memset(x_bar, 0, (at_v() + att_B * att_T * ld_v()) * sizeof *x_bar);   /* what lies between rows has no gradient */
  attention_backward(&l, o_bar, x_bar, x_bar + att_A * att_d, x_bar + at_v());
}
/* Queries times `sharpness`; the step is that much smaller. Rows of P are probabilities. */
static void check_attention(size_t B, size_t T, size_t A, size_t d, double sharpness, double limit) {
  att_B = B, att_T = T, att_A = A, att_d = d;
  att_P = new_zeros(B * A * T * T);
  att_work = new_zeros(attention_work(T));
  const struct layer l = { at_v() + B * T * ld_v(), 0, B * T * ld_o(), forward_attention, tangent_attention,
                           backward_attention };
  real *x = new_normal(1, l.nx);
  for (size_t n = 0; n < B * T; n++)
    for (size_t c = 0; c < A * d; c++) x[n * ld_qk() + c] *= (real)sharpness;
  check_layer_at(&l, step / sharpness, limit, x, NULL);
  size_t negative = 0;
  double off = 0;
  for (size_t n = 0; n < B * A * T; n++) {
    double sum = 0;
    for (size_t i = 0; i < T; i++) {
      negative += !(att_P[n * T + i] >= 0);
      sum += att_P[n * T + i];
    }
    off = fmax(off, isfinite(sum) ? fabs(sum - 1) : INFINITY);
  }
  ck_assert_uint_eq(negative, 0);
  ck_assert_double_lt(off, 1e-12);
  free(x), free(att_P), free(att_work);
}
START_TEST(attention_obeys) {
  check_attention(2, 7, 3, 4, 1, limit_difference);
  check_attention(1, 33, 2, 12, 1, limit_difference);
} END_TEST
START_TEST(attention_obeys_with_large_logits) {   /* rows near a single 1; beyond 710, where e^x is no number */
  check_attention(2, 17, 2, 8, 50, 1e-6);
  check_attention(2, 17, 2, 8, 1000, 1e-6);
} END_TEST
START_TEST(attention_obeys_with_many_tokens) { check_attention(1, 1024, 1, 4, 5, 1e-6); } END_TEST

/* swiglu, wider than its tile */
enum { GLU_N = 3, GLU_I = 300 };
static void forward_glu(const real *x, const real *w, real *y) {
  (void)w;
  swiglu_forward(GLU_N, GLU_I, x, y);
}
static void tangent_glu(const real *x, const real *w, const real *x_dot, real *y_dot) {
  (void)w;
  swiglu_tangent(GLU_N, GLU_I, x, x_dot, y_dot);
}
static void backward_glu(const real *x, const real *w, const real *y_bar, real *x_bar, real *w_bar) {
  (void)w, (void)w_bar;
  swiglu_backward(GLU_N, GLU_I, x, y_bar, x_bar);
}
START_TEST(swiglu_obeys) {
  check_layer(&(struct layer){ GLU_N * 2 * GLU_I, 0, GLU_N * GLU_I, forward_glu, tangent_glu, backward_glu });
} END_TEST

/* gate: x holds the stream and the branch */
enum { GATE_N = 4, GATE_C = 5, GATE = GATE_N * GATE_C };
static void forward_gate(const real *x, const real *w, real *y) { gate_forward(GATE_N, GATE_C, w, x, x + GATE, y); }
static void tangent_gate(const real *x, const real *w, const real *x_dot, real *y_dot) {
  (void)x;
  memcpy(y_dot, x_dot, GATE * sizeof *y_dot);
  gate_forward(GATE_N, GATE_C, w, y_dot, x_dot + GATE, y_dot);   /* in place */
}
static void backward_gate(const real *x, const real *w, const real *y_bar, real *x_bar, real *w_bar) {
  memcpy(x_bar, y_bar, GATE * sizeof *x_bar);
  set_mark(GATE_C, w_bar);
  gate_backward(GATE_N, GATE_C, w, x + GATE, y_bar, x_bar + GATE, w_bar);
  lose_mark(GATE_C, w_bar);
}
START_TEST(gate_obeys) {
  check_layer(&(struct layer){ 2 * GATE, GATE_C, GATE, forward_gate, tangent_gate, backward_gate });
} END_TEST

/* The embedding of a condition c: its tangent is for c_dot = 1, its gradient for the weights alone. */
enum { SCALAR_B = 3, SCALAR_D = 6 };
struct embedding {
  struct scalar l;
  struct scalar_kept k;
  real *weights, *moved, *c;
  const real *e_bar;
  size_t at;          /* the weight that moves */
};
static void along_condition(void *context, double s, real *e) {
  const struct embedding *m = context;
  real c[SCALAR_B];
  for (size_t b = 0; b < SCALAR_B; b++) c[b] = m->c[b] + s;
  scalar_forward(&m->l, m->weights, &m->k, SCALAR_B, 0, c, e);
}
static void along_weight(void *context, double s, real *y) {
  const struct embedding *m = context;
  real e[SCALAR_B * SCALAR_D];
  const real keep = m->weights[m->at];
  m->weights[m->at] += s;
  scalar_forward(&m->l, m->weights, &m->k, SCALAR_B, 0, m->c, e);
  m->weights[m->at] = keep;
  *y = dot(SCALAR_B * SCALAR_D, m->e_bar, e);
}
START_TEST(scalar_obeys) {
  struct table t = { 0 };
  struct embedding m = { 0 };
  struct arena a = { 0 };
  scalar_tensors(&t, "", SCALAR_D, &m.l);
  for (int pass = 0; pass < 2; pass++) {
    if (pass) ck_assert_int_eq(arena_init(&a), 0);
    scalar_layout(&a, SCALAR_D, SCALAR_B, SCALAR_B, &m.k);
  }
  real c[SCALAR_B] = { 0, 0.3, 1 }, e[2 * SCALAR_B * SCALAR_D], numeric[SCALAR_B * SCALAR_D];
  real e_bar[SCALAR_B * SCALAR_D], work[SCALAR_B * SCALAR_D], *grads = new_zeros(t.size);
  m.weights = new_zeros(t.size), m.c = c, m.e_bar = e_bar;
  fill_weights(1, &t, m.weights);
  fill_normal(40, SCALAR_B * SCALAR_D, e_bar);
  differentiate(along_condition, &m, step, SCALAR_B * SCALAR_D, numeric);
  scalar_forward(&m.l, m.weights, &m.k, SCALAR_B, 2, c, e);   /* two of three with tangents */
  ck_assert_double_lt(relative_error(2 * SCALAR_D, e + SCALAR_B * SCALAR_D, numeric), limit_difference);
  scalar_forward(&m.l, m.weights, &m.k, SCALAR_B, SCALAR_B, c, e);
  ck_assert_double_lt(relative_error(SCALAR_B * SCALAR_D, e + SCALAR_B * SCALAR_D, numeric), limit_difference);

  set_mark(t.size, grads);
  scalar_backward(&m.l, m.weights, &m.k, SCALAR_B, e_bar, work, grads);
  lose_mark(t.size, grads);
  for (size_t i = 0; i < t.count; i++) {
    const struct tensor *n = &t.tensors[i];
    const size_t some = n->size < 40 ? n->size : 40;
    for (size_t j = 0; j < some; j++) {
      real derivative;
      m.at = n->offset + place(j, some, n->size);
      differentiate(along_weight, &m, step, 1, &derivative);
      ck_assert_double_eq_tol(grads[m.at], derivative, limit_difference * max_abs(n->size, grads + n->offset));
    }
  }
  free(m.weights), free(grads);
  table_free(&t);
  arena_free(&a);
} END_TEST

/* The features are 128 cosines, then 128 sines, of c 10000^(-i/128). */
START_TEST(scalar_features_are_those_of_the_spec) {
  struct table t = { 0 };
  struct embedding m = { 0 };
  struct arena a = { 0 };
  scalar_tensors(&t, "", SCALAR_D, &m.l);
  for (int pass = 0; pass < 2; pass++) {
    if (pass) ck_assert_int_eq(arena_init(&a), 0);
    scalar_layout(&a, SCALAR_D, 1, 0, &m.k);
  }
  real *weights = new_zeros(t.size), e[SCALAR_D];
  scalar_forward(&m.l, weights, &m.k, 1, 0, (real[]){ 0.7 }, e);
  for (size_t i = 0; i < 128; i++) {
    ck_assert_double_eq_tol(m.k.f[i], cos(0.7 * pow(10000, -(double)i / 128)), 1e-15);
    ck_assert_double_eq_tol(m.k.f[128 + i], sin(0.7 * pow(10000, -(double)i / 128)), 1e-15);
  }
  free(weights);
  table_free(&t);
  arena_free(&a);
} END_TEST

/* patch */
enum { PATCH_B = 2, PATCH_H = 6, PATCH_P = 3, PATCH_C = 2, PATCH_SIZE = PATCH_B * PATCH_H * PATCH_H * PATCH_C };
static const struct patch patch = { PATCH_H, PATCH_P, PATCH_C };
START_TEST(patch_orders_are_those_of_the_spec) {
  real image[PATCH_SIZE], in[PATCH_SIZE], out[PATCH_SIZE];
  for (size_t i = 0; i < PATCH_SIZE; i++) image[i] = (real)i;
  patch_split(&patch, PATCH_B, image, in);
  patch_split_out(&patch, PATCH_B, image, out);
  for (size_t b = 0, k = 0; b < PATCH_B; b++)
    for (size_t row = 0; row < PATCH_H / PATCH_P; row++)
      for (size_t column = 0; column < PATCH_H / PATCH_P; column++, k += PATCH_P * PATCH_P * PATCH_C)
        for (size_t i = 0; i < PATCH_P; i++)
          for (size_t j = 0; j < PATCH_P; j++)
            for (size_t c = 0; c < PATCH_C; c++) {
              const size_t y = row * PATCH_P + i, x = column * PATCH_P + j;
              const real pixel = image[((b * PATCH_H + y) * PATCH_H + x) * PATCH_C + c];
              ck_assert_double_eq(in[k + c * PATCH_P * PATCH_P + i * PATCH_P + j], pixel);    /* channel, row, column */
              ck_assert_double_eq(out[k + (i * PATCH_P + j) * PATCH_C + c], pixel);           /* row, column, channel */
            }
} END_TEST
START_TEST(patch_join_undoes_split_out) {   /* a permutation: so split_out is its transpose too */
  real image[PATCH_SIZE], rows[PATCH_SIZE], back[PATCH_SIZE];
  fill_normal(1, PATCH_SIZE, image);
  patch_split_out(&patch, PATCH_B, image, rows);
  patch_join(&patch, PATCH_B, rows, back);
  ck_assert_double_eq(max_abs_difference(PATCH_SIZE, back, image), 0);
  patch_join(&patch, PATCH_B, image, back);
  patch_split_out(&patch, PATCH_B, back, rows);
  ck_assert_double_eq(max_abs_difference(PATCH_SIZE, rows, image), 0);
} END_TEST

/* final: the end of a head */
enum { FINAL_B = 2, FINAL_D = 5, FINAL_PREFIX = 2, FINAL_T = FINAL_PREFIX + 4, FINAL_X = FINAL_B * FINAL_T * FINAL_D };
static struct final end = { .D = FINAL_D, .N = 4, .prefix = FINAL_PREFIX, .patch = { PATCH_H, PATCH_P, PATCH_C } };
static struct final_kept end_kept;
static real *end_work;
static void forward_final(const real *x, const real *w, real *y) {
  final_forward(&end, w, &end_kept, end_work, FINAL_B, 0, x, NULL, y, NULL);
}
static void tangent_final(const real *x, const real *w, const real *x_dot, real *y_dot) {
  real image[PATCH_SIZE], alone[PATCH_SIZE];
  forward_final(x, w, alone);
  final_forward(&end, w, &end_kept, end_work, FINAL_B, FINAL_B, x, x_dot, image, y_dot);
  ck_assert_double_lt(max_abs_difference(PATCH_SIZE, image, alone), 1e-13);
}
static size_t end_weights;
static void backward_final(const real *x, const real *w, const real *y_bar, real *x_bar, real *w_bar) {
  set_mark(end_weights, w_bar);
  final_backward(&end, w, &end_kept, end_work, FINAL_B, x, y_bar, x_bar, w_bar);
  lose_mark(end_weights, w_bar);
  for (size_t b = 0; b < FINAL_B; b++)
    ck_assert_double_eq(max_abs(FINAL_PREFIX * FINAL_D, x_bar + b * FINAL_T * FINAL_D), 0);
}
START_TEST(final_obeys) {
  struct table t = { 0 };
  struct arena a = { 0 };
  final_tensors(&t, "", &end);
  for (int pass = 0; pass < 2; pass++) {
    if (pass) ck_assert_int_eq(arena_init(&a), 0);
    final_layout(&a, &end, FINAL_B, FINAL_B, &end_kept);
    end_work = arena_take(&a, final_work(&end, FINAL_B, FINAL_B));
  }
  end_weights = t.size;
  check_layer(&(struct layer){ FINAL_X, t.size, PATCH_SIZE, forward_final, tangent_final, backward_final });
  table_free(&t);
  arena_free(&a);
} END_TEST

/* velocity: x holds z and x; t moves along */
enum { SPEED_N = 6 };
static enum prediction prediction;
struct flight { double t; const real *z, *x, *z_dot, *x_dot; };
static void along_t(void *context, double s, real *u) {
  const struct flight *f = context;
  real z[SPEED_N], x[SPEED_N];
  move(SPEED_N, f->z, s, f->z_dot, z);
  move(SPEED_N, f->x, s, f->x_dot, x);
  velocity_forward(prediction, SPEED_N, f->t + s, z, x, u);
}
START_TEST(velocity_obeys) {
  static const double times[] = { 0, 0.02, 0.06, 0.4, 0.97 };
  real z[SPEED_N], x[SPEED_N], z_dot[SPEED_N], x_dot[SPEED_N], u_dot[SPEED_N], numeric[SPEED_N];
  real u_bar[SPEED_N], x_bar[SPEED_N], zero[SPEED_N] = { 0 };
  fill_normal(1, SPEED_N, z), fill_normal(2, SPEED_N, x);
  fill_normal(3, SPEED_N, z_dot), fill_normal(4, SPEED_N, x_dot);
  fill_normal(5, SPEED_N, u_bar);
  for (prediction = PREDICT_X; prediction <= PREDICT_U; prediction++)
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
      struct flight f = { times[i], z, x, z_dot, x_dot };
      differentiate(along_t, &f, 1e-4, SPEED_N, numeric);
      velocity_tangent(prediction, SPEED_N, f.t, z, x, z_dot, x_dot, u_dot);
      ck_assert_double_lt(relative_error(SPEED_N, u_dot, numeric), limit_difference);
      /* adjoint in x alone: z_dot = 0, and the part of t_dot, which is u_dot at x_dot = 0, taken off */
      real still[SPEED_N];
      velocity_tangent(prediction, SPEED_N, f.t, z, x, zero, x_dot, u_dot);
      velocity_tangent(prediction, SPEED_N, f.t, z, x, zero, zero, still);
      velocity_backward(prediction, SPEED_N, f.t, u_bar, x_bar);
      const double forward = dot(SPEED_N, u_bar, u_dot) - dot(SPEED_N, u_bar, still), back = dot(SPEED_N, x_bar, x_dot);
      ck_assert_double_eq_tol(forward, back, limit_adjoint * fmax(1, dot(SPEED_N, u_dot, u_dot)));
    }
} END_TEST
/* tc does not move at the ends of (0.05, 1) and beyond. */
START_TEST(velocity_at_the_ends_of_the_clip) {
  const real z = 3, x = 1, z_dot = 5, x_dot = 2;
  real u, u_dot;
  static const struct { double t, tc; } ends[] = { { 0, 0.05 }, { 0.03, 0.05 }, { 0.05, 0.05 }, { 1, 1 } };
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    ck_assert_double_eq(velocity_clip(ends[i].t), ends[i].tc);
    velocity_forward(PREDICT_X, 1, ends[i].t, &z, &x, &u);
    velocity_tangent(PREDICT_X, 1, ends[i].t, &z, &x, &z_dot, &x_dot, &u_dot);
    ck_assert_double_eq_tol(u, 2 / ends[i].tc, 1e-13);
    ck_assert_double_eq_tol(u_dot, 3 / ends[i].tc, 1e-13);
  }
  velocity_forward(PREDICT_U, 1, 0.5, &z, &x, &u);
  ck_assert_double_eq(u, x);
} END_TEST

int main(void) {
  return run_tests("layers in double", (const TTest *[]){
    linear_obeys, rmsnorm_obeys, rmsnorm_makes_the_mean_square_one, rotary_obeys,
    rotary_turns_back_what_it_turned, rotary_turns_by_row_and_column, attention_obeys,
    attention_obeys_with_large_logits, attention_obeys_with_many_tokens, swiglu_obeys, gate_obeys,
    scalar_obeys, scalar_features_are_those_of_the_spec, patch_orders_are_those_of_the_spec,
    patch_join_undoes_split_out, final_obeys, velocity_obeys, velocity_at_the_ends_of_the_clip, NULL });
}
