/* What lies around the blocks, in double, by the laws of layer.h: conditions come in, images go in and out as patches, the
 * end of a head, and the velocity that follows from it. */
#include "src/flow/velocity.h"
#include "src/net/final.h"
#include "src/net/scalar.h"
#include "tests/layer.h"

/* The embedding of a condition c: its tangent is for c_dot = 1, its gradient for the weights alone. */
enum { SCALAR_B = 3, SCALAR_D = 6 };
struct embedding {
  struct table table;
  struct arena arena;
  struct scalar l;
  struct scalar_kept k;
  real *weights, *moved, *c;
  const real *e_bar;
  size_t at;          /* the weight that moves */
};
static void open_embedding(struct embedding *m, size_t B, size_t B_dot) {
  *m = (struct embedding){ 0 };
  scalar_tensors(&m->table, "", SCALAR_D, &m->l);
  for (int pass = 0; pass < 2; pass++) {
    if (pass) ck_assert_int_eq(arena_init(&m->arena), 0);
    scalar_layout(&m->arena, SCALAR_D, B, B_dot, &m->k);
  }
  m->weights = new_zeros(m->table.size);
}
static void close_embedding(struct embedding *m) {
  free(m->weights);
  table_free(&m->table);
  arena_free(&m->arena);
}
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
  struct embedding m;
  open_embedding(&m, SCALAR_B, SCALAR_B);
  const struct table *t = &m.table;
  real c[SCALAR_B] = { 0, 0.3, 1 }, e[2 * SCALAR_B * SCALAR_D], numeric[SCALAR_B * SCALAR_D];
  real e_bar[SCALAR_B * SCALAR_D], work[SCALAR_B * SCALAR_D], *grads = new_zeros(t->size);
  m.c = c, m.e_bar = e_bar;
  fill_weights(1, t, m.weights);
  fill_normal(40, SCALAR_B * SCALAR_D, e_bar);
  differentiate(along_condition, &m, step, SCALAR_B * SCALAR_D, numeric);
  scalar_forward(&m.l, m.weights, &m.k, SCALAR_B, 2, c, e);   /* two of three with tangents */
  ck_assert_double_lt(relative_error(2 * SCALAR_D, e + SCALAR_B * SCALAR_D, numeric), limit_difference);
  scalar_forward(&m.l, m.weights, &m.k, SCALAR_B, SCALAR_B, c, e);
  ck_assert_double_lt(relative_error(SCALAR_B * SCALAR_D, e + SCALAR_B * SCALAR_D, numeric), limit_difference);

  set_mark(t->size, grads);
  scalar_backward(&m.l, m.weights, &m.k, SCALAR_B, e_bar, work, grads);
  lose_mark(t->size, grads);
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    const size_t some = n->size < 40 ? n->size : 40;
    for (size_t j = 0; j < some; j++) {
      real derivative;
      m.at = n->offset + place(j, some, n->size);
      differentiate(along_weight, &m, step, 1, &derivative);
      ck_assert_double_eq_tol(grads[m.at], derivative, limit_difference * max_abs(n->size, grads + n->offset));
    }
  }
  free(grads);
  close_embedding(&m);
} END_TEST

/* The features are 128 cosines, then 128 sines, of c 10000^(-i/128). */
START_TEST(scalar_features_are_those_of_the_spec) {
  struct embedding m;
  real e[SCALAR_D];
  open_embedding(&m, 1, 0);
  scalar_forward(&m.l, m.weights, &m.k, 1, 0, (real[]){ 0.7 }, e);
  for (size_t i = 0; i < 128; i++) {
    ck_assert_double_eq_tol(m.k.f[i], cos(0.7 * pow(10000, -(double)i / 128)), 1e-15);
    ck_assert_double_eq_tol(m.k.f[128 + i], sin(0.7 * pow(10000, -(double)i / 128)), 1e-15);
  }
  close_embedding(&m);
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
  return run_tests("ends in double", (const TTest *[]){
    scalar_obeys, scalar_features_are_those_of_the_spec, patch_orders_are_those_of_the_spec,
    patch_join_undoes_split_out, final_obeys, velocity_obeys, velocity_at_the_ends_of_the_clip, NULL });
}
