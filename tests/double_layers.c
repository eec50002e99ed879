/* The layers inside a block obey the laws of layer.h, and each its own. */
#include "src/net/attention.h"
#include "src/net/gate.h"
#include "src/net/linear.h"
#include "src/net/rmsnorm.h"
#include "src/net/rotary.h"
#include "src/net/swiglu.h"
#include "tests/layer.h"

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
  attention_forward(&l, 0, NULL);
}
static void tangent_attention(const real *x, const real *w, const real *x_dot, real *o_dot) {
  (void)w;
  real *o = new_zeros(att_B * att_T * ld_o());
  const struct attention l = attention(x, o);
  attention_forward(&l, att_B, &(struct attention_dot){ x_dot, x_dot + att_A * att_d, x_dot + at_v(), o_dot });
  free(o);
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
  att_P = new_zeros(B * A * T * attention_width(T));
  att_work = new_zeros(attention_work(T, d));
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
      negative += !(att_P[n * attention_width(T) + i] >= 0);
      sum += att_P[n * attention_width(T) + i];
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
  check_attention(1, 131, 1, 20, 1, limit_difference);   /* tiles of queries, the last one smaller */
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

int main(void) {
  return run_tests("layers in double", (const TTest *[]){
    linear_obeys, rmsnorm_obeys, rmsnorm_makes_the_mean_square_one, rotary_obeys,
    rotary_turns_back_what_it_turned, rotary_turns_by_row_and_column, attention_obeys,
    attention_obeys_with_large_logits, attention_obeys_with_many_tokens, swiglu_obeys, gate_obeys, NULL });
}
