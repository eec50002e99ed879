/* The toy experiment's laws, in double: the MLP's tangent and gradient, the velocity's derivative along a path, the gradient of
 * the loss with what it holds fixed, the roll and its plane, one-step samples, and the distance between sets of points. */
#include "src/flow/toy.h"
#include "src/score/chamfer.h"
#include "tests/layer.h"

/* --- the MLP, as a layer whose rows are all values --------------------------------------------------------------------- */

enum { MLP_B = 3, MLP_IN = 4, MLP_OUT = 2, MLP_X = MLP_B * MLP_IN, MLP_Y = MLP_B * MLP_OUT };
static struct mlp net;
static struct mlp_work work;

static void forward_mlp(const real *x, const real *w, real *y) { mlp_forward(&net, w, &work, MLP_B, 0, x, y); }
static void tangent_mlp(const real *x, const real *w, const real *x_dot, real *y_dot) {
  real in[2 * MLP_X], out[2 * MLP_Y], alone[MLP_Y];
  memcpy(in, x, MLP_X * sizeof *in), memcpy(in + MLP_X, x_dot, MLP_X * sizeof *in);
  forward_mlp(x, w, alone);
  mlp_forward(&net, w, &work, MLP_B, MLP_B, in, out);
  ck_assert_double_lt(max_abs_difference(MLP_Y, out, alone), 1e-13);
  memcpy(y_dot, out + MLP_Y, MLP_Y * sizeof *y_dot);
}
/* By the weights alone: x_bar is taken from the tangent, whose law with differences is checked beside it. */
static void backward_mlp(const real *x, const real *w, const real *y_bar, real *x_bar, real *w_bar) {
  real e[MLP_X] = { 0 }, y_dot[MLP_Y];
  for (size_t i = 0; i < MLP_X; i++) {
    e[i] = 1;
    tangent_mlp(x, w, e, y_dot);
    x_bar[i] = (real)dot(MLP_Y, y_bar, y_dot);
    e[i] = 0;
  }
  memset(w_bar, 0, net.table.size * sizeof *w_bar);
  forward_mlp(x, w, (real[MLP_Y]){ 0 });
  mlp_backward(&net, w, &work, MLP_B, x, y_bar, w_bar);
}
START_TEST(mlp_obeys) {
  struct arena a = { 0 };
  mlp_init(&net, MLP_IN, 5, 4, MLP_OUT);
  mlp_layout(&a, &net, MLP_B, MLP_B, &work);
  ck_assert_int_eq(arena_init(&a), 0);
  mlp_layout(&a, &net, MLP_B, MLP_B, &work);
  check_layer(&(struct layer){ MLP_X, net.table.size, MLP_Y, forward_mlp, tangent_mlp, backward_mlp });
  mlp_free(&net);
  arena_free(&a);
} END_TEST

/* --- the objective ----------------------------------------------------------------------------------------------------- */

struct bench { struct toy c; struct toy_work w; struct arena a; real *weights; };
static struct bench *open_toy(enum prediction prediction, size_t D, size_t B, size_t B_dot) {
  struct bench *b = calloc(1, sizeof *b);
  ck_assert_ptr_nonnull(b);
  b->c = (struct toy){ .prediction = prediction, .D = D, .B = B, .B_dot = B_dot, .seed = 7 };
  toy_init(&b->c);
  toy_layout(&b->a, &b->c, &b->w);
  ck_assert_int_eq(arena_init(&b->a), 0);
  toy_layout(&b->a, &b->c, &b->w);
  toy_begin(&b->c, &b->w);
  b->weights = new_zeros(b->c.net.table.size);
  table_init_weights(&b->c.net.table, 3, b->weights);
  return b;
}
static void close_toy(struct bench *b) {
  toy_free(&b->c);
  arena_free(&b->a);
  free(b->weights);
  free(b);
}

enum { D = 3, B = 6, B_DOT = 4 };
struct path { struct bench *b; const real *z, *t, *h, *v; };
static void along_path(void *context, double s, real *u) {
  const struct path *p = context;
  real z[B_DOT * D], t[B_DOT], h[B_DOT];
  move(B_DOT * D, p->z, s, p->v, z);
  for (size_t i = 0; i < B_DOT; i++) t[i] = p->t[i] + s, h[i] = p->h[i] + s;
  toy_velocity(&p->b->c, p->b->weights, &p->b->w, B_DOT, 0, z, t, h, NULL, u, NULL);
}
/* du/dt is the derivative of u(z + s v, t + s, h + s); the step is short, so that no ReLU turns on the way. */
START_TEST(du_dt_is_the_derivative_along_the_path) {
  for (enum prediction p = PREDICT_X; p <= PREDICT_U; p++) {
    struct bench *b = open_toy(p, D, B, B_DOT);
    real z[B_DOT * D], v[B_DOT * D], u[B_DOT * D], u_dot[B_DOT * D], numeric[B_DOT * D];
    const real t[B_DOT] = { 0.03, 0.3, 0.6, 0.9 }, h[B_DOT] = { 0.01, 0.2, 0.6, 0.4 };
    fill_normal(1, B_DOT * D, z), fill_normal(2, B_DOT * D, v);
    toy_velocity(&b->c, b->weights, &b->w, B_DOT, B_DOT, z, t, h, v, u, u_dot);
    differentiate(along_path, &(struct path){ b, z, t, h, v }, 1e-6, B_DOT * D, numeric);
    ck_assert_double_lt(relative_error(B_DOT * D, u_dot, numeric), 1e-8);
    close_toy(b);
  }
} END_TEST

/* The loss with du/dt held at what it was: mean of |u + h du/dt - v_t|^2. */
struct held { struct bench *b; const real *u_dot, *w_dot; real *moved; };
static void along_weights(void *context, double s, real *loss) {
  const struct held *k = context;
  const struct toy *c = &k->b->c;
  struct toy_work *w = &k->b->w;
  real u[B * D];
  double sum = 0;
  move(c->net.table.size, k->b->weights, s, k->w_dot, k->moved);
  toy_velocity(c, k->moved, w, B, 0, w->z, w->t, w->h, NULL, u, NULL);
  for (size_t i = 0; i < B * D; i++) {
    const double V = u[i] + (i / D < B_DOT ? w->h[i / D] * k->u_dot[i] : 0), e = V - w->v_t[i];
    sum += e * e;
  }
  *loss = (real)(sum / B);
}
START_TEST(gradient_is_that_of_the_loss_with_du_dt_held) {
  for (enum prediction p = PREDICT_X; p <= PREDICT_U; p++) {
    struct bench *b = open_toy(p, D, B, B_DOT);
    const size_t n = b->c.net.table.size;
    real *grads = new_zeros(n), *w_dot = new_normal(4, n), *moved = new_zeros(n), u_dot[B_DOT * D], numeric, loss;
    toy_draw(&b->c, 5, &b->w);
    const double told = toy_gradient(&b->c, b->weights, &b->w, grads);
    memcpy(u_dot, b->w.u_dot, sizeof u_dot);
    struct held k = { b, u_dot, w_dot, moved };
    along_weights(&k, 0, &loss);
    ck_assert_double_lt(fabs(told - loss) / loss, 1e-12);
    differentiate(along_weights, &k, 1e-7, 1, &numeric);
    ck_assert_double_lt(fabs(dot(n, grads, w_dot) - numeric) / fabs(numeric), 1e-6);
    free(grads), free(w_dot), free(moved);
    close_toy(b);
  }
} END_TEST
/* The direction of du/dt is the net's velocity at h = 0, not the sample's own. */
START_TEST(direction_is_the_velocity_at_h_0) {
  struct bench *b = open_toy(PREDICT_X, D, B, B_DOT);
  real *grads = new_zeros(b->c.net.table.size), v[B_DOT * D], u[B * D], u_dot[B_DOT * D];
  const real zero[B_DOT] = { 0 };
  toy_draw(&b->c, 5, &b->w);
  toy_gradient(&b->c, b->weights, &b->w, grads);
  toy_velocity(&b->c, b->weights, &b->w, B_DOT, 0, b->w.z, b->w.t, zero, NULL, v, NULL);
  ck_assert_double_lt(relative_error(B_DOT * D, b->w.v, v), 1e-13);
  real kept[B_DOT * D];
  memcpy(kept, b->w.u_dot, sizeof kept);
  toy_velocity(&b->c, b->weights, &b->w, B, B_DOT, b->w.z, b->w.t, b->w.h, v, u, u_dot);
  ck_assert_double_lt(relative_error(B_DOT * D, kept, u_dot), 1e-13);
  free(grads);
  close_toy(b);
} END_TEST

/* --- data and samples -------------------------------------------------------------------------------------------------- */

START_TEST(plane_is_orthonormal_and_points_lie_in_it) {
  static const size_t sizes[] = { 2, 8, 512 };
  for (size_t k = 0; k < 3; k++) {
    struct bench *b = open_toy(PREDICT_X, sizes[k], 5, 2);
    const size_t n = sizes[k];
    double G[3] = { 0 };
    for (size_t d = 0; d < n; d++) {
      const double p = b->w.P[2 * d], q = b->w.P[2 * d + 1];
      G[0] += p * p, G[1] += p * q, G[2] += q * q;
    }
    ck_assert_double_lt(fabs(G[0] - 1) + fabs(G[1]) + fabs(G[2] - 1), 1e-12);
    toy_draw(&b->c, 1, &b->w);
    for (size_t i = 0; i < 5; i++) {
      const real *x = b->w.x + i * n;
      double p = 0, q = 0;
      for (size_t d = 0; d < n; d++) p += b->w.P[2 * d] * x[d], q += b->w.P[2 * d + 1] * x[d];
      ck_assert_double_lt(fabs(dot(n, x, x) - p * p - q * q), 1e-12);   /* nothing beside the plane */
      ck_assert_double_gt(p * p + q * q, 0.4);                          /* the inner end: (3 pi/2 / s)^2 */
      ck_assert(i < 2 || b->w.h[i] == 0);
      ck_assert(b->w.h[i] >= 0 && b->w.h[i] <= b->w.t[i]);
    }
    close_toy(b);
  }
} END_TEST
START_TEST(roll_has_the_second_moment_of_the_noise) {
  enum { N = 20000 };
  real *p = new_zeros(2 * N), *other = new_zeros(2 * N);
  toy_roll(1, 0, N, p);
  ck_assert_double_eq_tol(dot(2 * N, p, p) / N, 2, 0.03);
  for (size_t i = 0; i < 100; i++) {   /* radius and angle go together */
    const double s = sqrt(9.75) * 1.5 * 3.14159265358979323846 / sqrt(4.5), a = s * hypot(p[2 * i], p[2 * i + 1]);
    ck_assert_double_lt(fabs(cos(a) * hypot(p[2 * i], p[2 * i + 1]) - p[2 * i]), 1e-9);
  }
  toy_roll(1, 1, N, other);
  ck_assert_double_gt(max_abs_difference(2 * N, p, other), 0.1);
  free(p), free(other);
} END_TEST
/* A net that predicts nothing: x = 0 by x-prediction; by u-prediction all of the noise stays. */
START_TEST(samples_of_a_net_of_zeros) {
  enum { N = 3000, DIM = 8 };
  real *p = new_zeros(2 * N);
  for (enum prediction k = PREDICT_X; k <= PREDICT_U; k++) {
    struct bench *b = open_toy(k, DIM, 64, 32);
    memset(b->weights, 0, b->c.net.table.size * sizeof(real));
    const double beside = toy_samples(&b->c, b->weights, &b->w, N, p);
    ck_assert_double_eq_tol(beside, k == PREDICT_U, 0.02);
    ck_assert_double_eq_tol(dot(2 * N, p, p) / (2 * N), k == PREDICT_U, 0.05);
    close_toy(b);
  }
  free(p);
} END_TEST
START_TEST(chamfer_is_a_distance_both_ways) {
  const real a[] = { 0, 0, 1, 0, 4, 0 }, b[] = { 0, 3, 1, 0 };   /* a to b: 1, 0, 3; b to a: 3, 0 */
  ck_assert_double_eq_tol(chamfer_one_way(2, 3, a, 2, b), 4.0 / 3, 1e-14);
  ck_assert_double_eq_tol(chamfer_distance(2, 3, a, 2, b), 4.0 / 3 + 1.5, 1e-14);
  ck_assert_double_eq(chamfer_distance(2, 3, a, 2, b), chamfer_distance(2, 2, b, 3, a));
  ck_assert_double_eq(chamfer_distance(2, 3, a, 3, a), 0);
  const real bad[] = { NAN, 0 };
  ck_assert(isinf(chamfer_distance(2, 3, a, 1, bad)));
  ck_assert(isinf(chamfer_distance(2, 3, a, 0, bad)));
} END_TEST

int main(void) {
  return run_tests("toy in double", (const TTest *[]){
    mlp_obeys, du_dt_is_the_derivative_along_the_path, gradient_is_that_of_the_loss_with_du_dt_held,
    direction_is_the_velocity_at_h_0, plane_is_orthonormal_and_points_lie_in_it, roll_has_the_second_moment_of_the_noise,
    samples_of_a_net_of_zeros, chamfer_is_a_distance_both_ways, NULL });
}
