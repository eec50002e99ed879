#include "src/flow/toy.h"

#include <math.h>
#include <string.h>

#include "src/base/random.h"

static const double pi = 3.14159265358979323846;

void toy_init(struct toy *c) { mlp_init(&c->net, c->D + 2, TOY_WIDTH, TOY_DEPTH, c->D); }
void toy_free(struct toy *c) { mlp_free(&c->net); }

void toy_layout(struct arena *a, const struct toy *c, struct toy_work *w) {
  const size_t D = c->D, B = c->B, B_dot = c->B_dot;
  w->P = arena_take(a, D * 2);
  w->x = arena_take(a, B * D), w->z = arena_take(a, B * D), w->v_t = arena_take(a, B * D);
  w->t = arena_take(a, B), w->h = arena_take(a, B), w->zero = arena_take(a, B_dot);
  w->in = arena_take(a, (B + B_dot) * (D + 2)), w->out = arena_take(a, (B + B_dot) * D);
  w->v = arena_take(a, B_dot * D), w->u = arena_take(a, B * D), w->u_dot = arena_take(a, B_dot * D);
  w->u_bar = arena_take(a, B * D);
  mlp_layout(a, &c->net, B, B_dot, &w->mlp);
}

/* --- data -------------------------------------------------------------------------------------------------------------- */

/* What the draws of this file are for; training's steps come above. */
enum { FOR_PLANE, FOR_ROLL = 16, FOR_STEPS = 1 << 16 };

static struct purpose purpose(uint64_t seed, uint64_t what, size_t sample) {
  return (struct purpose){ seed, STREAM_TOY, what, (uint32_t)sample };
}

static double dot_columns(size_t D, const real *P, int i, int j) {
  double sum = 0;
  for (size_t d = 0; d < D; d++) sum += (double)P[d * 2 + i] * (double)P[d * 2 + j];
  return sum;
}

/* Two normal columns, made orthonormal one after the other; twice, so that rounding leaves nothing. */
void toy_begin(const struct toy *c, struct toy_work *w) {
  random_normal(purpose(c->seed, FOR_PLANE, 0), c->D * 2, w->P);
  for (int pass = 0; pass < 2; pass++)
    for (int j = 0; j < 2; j++) {
      const double along = j ? dot_columns(c->D, w->P, 0, 1) : 0;
      for (size_t d = 0; d < c->D && j; d++) w->P[d * 2 + 1] -= (real)along * w->P[d * 2];
      const double norm = sqrt(dot_columns(c->D, w->P, j, j));
      for (size_t d = 0; d < c->D; d++) w->P[d * 2 + j] /= (real)norm;
    }
}

/* The point of U in (0,1). E a^2 = (l^2 + l m + m^2)/3 over [l, m], and half of it is s^2. */
static void roll(double U, real p[2]) {
  const double l = 1.5 * pi, m = 4.5 * pi, a = l + (m - l) * U, s = sqrt((l * l + l * m + m * m) / 6);
  p[0] = (real)(a * cos(a) / s), p[1] = (real)(a * sin(a) / s);
}

void toy_roll(uint64_t seed, uint64_t which, size_t n, real *p) {
  for (size_t i = 0; i < n; i++) {
    real U;
    random_uniform(purpose(seed, FOR_ROLL + which, i), 1, &U);
    roll((double)U, p + 2 * i);
  }
}

void toy_draw(const struct toy *c, uint64_t step, struct toy_work *w) {
  const size_t D = c->D;
  for (size_t i = 0; i < c->B; i++) {
    real U[3], p[2], *const x = w->x + i * D, *const z = w->z + i * D;
    random_uniform(purpose(c->seed, FOR_STEPS + step, i), 3, U);
    random_normal((struct purpose){ c->seed, STREAM_NOISE, step, (uint32_t)i }, D, z);
    roll((double)U[0], p);
    const real t = i < c->B_dot && U[2] > U[1] ? U[2] : U[1], r = i >= c->B_dot ? t : U[2] > U[1] ? U[1] : U[2];
    for (size_t d = 0; d < D; d++) {
      x[d] = w->P[d * 2] * p[0] + w->P[d * 2 + 1] * p[1];
      z[d] = (1 - t) * x[d] + t * z[d];
    }
    w->t[i] = t, w->h[i] = t - r;
    velocity_forward(PREDICT_X, D, t, z, x, w->v_t + i * D);
  }
}

/* --- the objective ----------------------------------------------------------------------------------------------------- */

void toy_velocity(const struct toy *c, const real *weights, struct toy_work *w, size_t n, size_t n_dot, const real *z,
                  const real *t, const real *h, const real *z_dot, real *u, real *u_dot) {
  const size_t D = c->D, I = D + 2;
  for (size_t i = 0; i < n + n_dot; i++) {
    real *const in = w->in + i * I;
    const int value = i < n;
    memcpy(in, value ? z + i * D : z_dot + (i - n) * D, D * sizeof *in);
    in[D] = value ? t[i] : 1, in[D + 1] = value ? h[i] : 1;
  }
  mlp_forward(&c->net, weights, &w->mlp, n, n_dot, w->in, w->out);
  for (size_t i = 0; i < n_dot; i++)
    velocity_tangent(c->prediction, D, t[i], z + i * D, w->out + i * D, z_dot + i * D, w->out + (n + i) * D, u_dot + i * D);
  for (size_t i = 0; i < n; i++) velocity_forward(c->prediction, D, t[i], z + i * D, w->out + i * D, u + i * D);
}

double toy_gradient(const struct toy *c, const real *weights, struct toy_work *w, real *grads) {
  const size_t D = c->D, B = c->B, B_dot = c->B_dot;
  double loss = 0;
  toy_velocity(c, weights, w, B_dot, 0, w->z, w->t, w->zero, NULL, w->v, NULL);
  toy_velocity(c, weights, w, B, B_dot, w->z, w->t, w->h, w->v, w->u, w->u_dot);
  for (size_t i = 0; i < B; i++) {
    real *const bar = w->u_bar + i * D;
    double L = 0;
    for (size_t d = 0; d < D; d++) {
      const size_t k = i * D + d;
      bar[d] = w->u[k] + (i < B_dot ? w->h[i] * w->u_dot[k] : 0) - w->v_t[k];
      L += (double)bar[d] * (double)bar[d];
      bar[d] *= 2 / (real)B;
    }
    loss += L / (double)B;
    velocity_backward(c->prediction, D, w->t[i], bar, bar);
  }
  mlp_backward(&c->net, weights, &w->mlp, B, w->in, w->u_bar, grads);
  return loss;
}

/* --- samples ----------------------------------------------------------------------------------------------------------- */

/* p = P^T x; returns |x - P p|^2. */
static double project(size_t D, const real *P, const real *x, real p[2]) {
  double beside = 0;
  p[0] = p[1] = 0;
  for (size_t d = 0; d < D; d++) p[0] += P[d * 2] * x[d], p[1] += P[d * 2 + 1] * x[d];
  for (size_t d = 0; d < D; d++) {
    const double rest = (double)(x[d] - P[d * 2] * p[0] - P[d * 2 + 1] * p[1]);
    beside += rest * rest;
  }
  return beside;
}

double toy_samples(const struct toy *c, const real *weights, struct toy_work *w, size_t n, real *p) {
  const size_t D = c->D;
  double beside = 0;
  for (size_t first = 0; first < n; first += c->B) {
    const size_t m = n - first < c->B ? n - first : c->B;
    for (size_t i = 0; i < m; i++) {
      random_normal((struct purpose){ c->seed, STREAM_SAMPLE, 0, (uint32_t)(first + i) }, D, w->z + i * D);
      w->t[i] = w->h[i] = 1;
    }
    toy_velocity(c, weights, w, m, 0, w->z, w->t, w->h, NULL, w->u, NULL);
    for (size_t k = 0; k < m * D; k++) w->x[k] = w->z[k] - w->u[k];
    for (size_t i = 0; i < m; i++) beside += project(D, w->P, w->x + i * D, p + (first + i) * 2);
  }
  return D > 2 ? sqrt(beside / ((double)n * (double)(D - 2))) : 0;
}
