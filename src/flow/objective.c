#include "src/flow/objective.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "src/flow/guidance.h"

enum { H, W, T_MIN, T_MAX, EVAL_H, EVAL_W, EVAL_T_MIN, EVAL_T_MAX, CONDITION_ROWS };

/* An array of n elements of the given size, in the arena of reals. */
static void *take(struct arena *a, size_t n, size_t size) {
  return arena_take(a, (n * size + sizeof(real) - 1) / sizeof(real));
}

void objective_layout(struct arena *a, const struct net *n, size_t B, size_t B_dot, struct objective_work *w) {
  const size_t P = n->pixels;
  w->B = B;
  w->B_dot = B_dot;
  net_layout(a, n, B, B_dot, 1, &w->net);
  w->order = take(a, B, sizeof *w->order);
  w->y = take(a, 2 * B, sizeof *w->y);
  w->list = take(a, B, sizeof *w->list);
  w->conditions = arena_take(a, CONDITION_ROWS * B);
  w->z = arena_take(a, B * P);
  w->v_t = arena_take(a, B * P);
  w->v_u = arena_take(a, B * P);
  w->x_u = arena_take(a, B * P);
  w->x_v = arena_take(a, B * P);
  w->v_c = arena_take(a, B_dot * P);
  w->x_u_dot = arena_take(a, B_dot * P);
  w->eval_z = arena_take(a, B * P);
  w->eval_v = arena_take(a, B * P);
}

/* What a sample needs, and the scale that its guidance acts with. */
static real gated(const struct objective_batch *b, size_t i) {
  return guidance_gated(b->fm[i], b->t[i], b->w[i], b->t_min[i], b->t_max[i]);
}
static int gate_open(const struct objective_batch *b, size_t i) {
  return b->fm[i] || (b->t_min[i] <= b->t[i] && b->t[i] <= b->t_max[i]);
}
static int needs_v_c(const struct objective_batch *b, size_t i) { return !b->fm[i]; }   /* as tangent direction */
static int needs_v_u(const struct objective_batch *b, size_t i) { return !b->drop[i] && gate_open(b, i); }

/* Samples with tangents first; returns how many. */
static size_t group(const struct objective_batch *b, size_t *order) {
  size_t place = 0, tangents;
  for (size_t i = 0; i < b->B; i++)
    if (!b->fm[i]) order[place++] = i;
  tangents = place;
  for (size_t i = 0; i < b->B; i++)
    if (b->fm[i]) order[place++] = i;
  return tangents;
}

static void evaluate(const struct objective_config *c, const struct net *n, const real *weights,
                     struct objective_work *w, const struct objective_batch *b, size_t count,
                     const struct guidance_evaluation *list, const struct net_hooks *hooks) {
  const size_t P = n->pixels;
  const real *k = w->conditions;
  const struct condition_input in = { .B = count, .z = w->eval_z, .h = k + EVAL_H * w->B, .w = k + EVAL_W * w->B,
                                      .t_min = k + EVAL_T_MIN * w->B, .t_max = k + EVAL_T_MAX * w->B, .y = w->y + w->B };
  net_forward(n, weights, &w->net, &in, 0, NULL, NULL, w->eval_v, NULL, hooks);
  for (size_t i = 0; i < count; i++)
    velocity_forward(c->prediction, P, b->t[w->order[list[i].place]], w->eval_z + i * P, w->eval_v + i * P, list[i].v);
}

/* v_c(w') of the samples with tangents and v_u where it counts, all at h = 0, t_min = 0, t_max = 1 from the v head,
 * stacked into as few passes as the workspace holds. Returns their number. */
static size_t guide(const struct objective_config *c, const struct net *n, const real *weights, struct objective_work *w,
                    const struct objective_batch *b, const struct net_hooks *hooks) {
  const size_t P = n->pixels, B = w->B;
  struct guidance_evaluation *list = w->list;
  size_t waiting = 0, done = 0;
  for (size_t j = 0; j < b->B; j++) {
    const size_t i = w->order[j];
    for (int unconditional = 0; unconditional < 2; unconditional++) {
      if (unconditional ? !needs_v_u(b, i) : !needs_v_c(b, i)) continue;
      memcpy(w->eval_z + waiting * P, w->z + j * P, P * sizeof(real));
      w->conditions[EVAL_H * B + waiting] = 0;
      w->conditions[EVAL_W * B + waiting] = unconditional ? 1 : gated(b, i);
      w->conditions[EVAL_T_MIN * B + waiting] = 0;
      w->conditions[EVAL_T_MAX * B + waiting] = 1;
      w->y[B + waiting] = unconditional ? (int32_t)n->config.classes : b->y[i];
      list[waiting++] = (struct guidance_evaluation){ j, (unconditional ? w->v_u : w->v_c) + j * P };
      if (waiting == B) evaluate(c, n, weights, w, b, waiting, list, hooks), done += waiting, waiting = 0;
    }
  }
  if (waiting) evaluate(c, n, weights, w, b, waiting, list, hooks);
  return done + waiting;
}

/* One sample after the net: velocities, target, losses, and the gradients by the net's outputs (over x_u and x_v). */
struct sample {
  size_t i, P;
  int tangent;
  const real *z, *v_t, *v_c, *v_u, *x_u_dot;
  real *x_u, *x_v;
  const real *x_p_bar;   /* NULL: no network looked at it */
};
/* Rows for the samples below the threshold; the networks look at where their velocities lead. */
static void perceive(const struct objective_config *c, size_t P, struct objective_work *w, const struct objective_batch *b,
                     struct objective_sums *sums) {
  const struct perceptual *p = c->perceptual;
  size_t rows = 0;
  for (size_t j = 0; j < b->B; j++) {
    const size_t i = w->order[j];
    const real t = b->t[i], *z = w->z + j * P;
    p->row[j] = GRAPH_NONE;
    if (!((double)t < p->max_t)) continue;
    real *x_p = p->x_p + rows * P;
    velocity_forward(c->prediction, P, t, z, w->x_u + j * P, x_p);
    for (size_t k = 0; k < P; k++) x_p[k] = z[k] - t * x_p[k];
    memcpy(p->x + rows * P, b->x + i * P, P * sizeof *p->x);
    p->crop[rows] = perceptual_crop(p, b->seed, b->step, b->first + (uint32_t)i);
    p->row[j] = rows++;
  }
  if (!rows) return;
  perceptual_gradient(p, c->norm_p, c->norm_eps, rows, &sums->loss, sums->distance);
  sums->seen += rows;
}

static void copy_out(size_t i, size_t P, const real *from, real *to) {
  if (to) memcpy(to + i * P, from, P * sizeof *to);
}
static void finish(const struct objective_config *c, const struct objective_batch *b, const struct sample *s,
                   struct objective_work *w, struct objective_sums *sums, const struct objective_values *values) {
  static const struct objective_values none;
  const struct objective_values *out = values ? values : &none;
  const size_t i = s->i, P = s->P;
  const real t = b->t[i], h = t - b->r[i];
  real *u = w->eval_z, *v = w->eval_v;   /* free again: [P] each */

  velocity_forward(c->prediction, P, t, s->z, s->x_u, u);
  velocity_forward(c->prediction, P, t, s->z, s->x_v, v);
  real *v_g = s->x_v;                    /* the outputs are read; their places serve */
  const real guide = needs_v_u(b, i) ? 1 - 1 / gated(b, i) : 0;
  const real *v_c = s->tangent ? s->v_c : v;
  real *V = s->x_u;
  if (s->tangent) {
    real *du_dt = s->x_u;
    velocity_tangent(c->prediction, P, t, s->z, s->x_u, s->v_c, s->x_u_dot, du_dt);
    double square = 0, max = 0;
    for (size_t j = 0; j < P; j++) {
      square += (double)du_dt[j] * du_dt[j];
      max = fmax(max, fabs((double)du_dt[j]));
      V[j] = u[j] + h * du_dt[j];
    }
    sums->du_dt_square += square / (double)P;
    sums->du_dt_max = fmax(sums->du_dt_max, max);
  } else {
    memcpy(V, u, P * sizeof *V);
  }
  for (size_t j = 0; j < P; j++) v_g[j] = s->v_t[j] + (guide ? guide * (v_c[j] - s->v_u[j]) : 0);

  double L_u = 0, L_v = 0;
  for (size_t j = 0; j < P; j++) {
    L_u += (double)(V[j] - v_g[j]) * (V[j] - v_g[j]);
    L_v += (double)(v[j] - v_g[j]) * (v[j] - v_g[j]);
  }
  const double a_u = pow(L_u + c->norm_eps, -c->norm_p), a_v = pow(L_v + c->norm_eps, -c->norm_p);
  copy_out(i, P, s->v_t, out->v_t);
  copy_out(i, P, v_g, out->v_g);
  copy_out(i, P, u, out->u);
  copy_out(i, P, v, out->v);
  copy_out(i, P, V, out->V);
  if (out->L_u) out->L_u[i] = (real)L_u;
  if (out->L_v) out->L_v[i] = (real)L_v;

  for (size_t j = 0; j < P; j++) {       /* dV = du, for du/dt carries no gradient; v_g carries none either */
    u[j] = (real)(2 * a_u) * (V[j] - v_g[j]);
    v[j] = (real)(2 * a_v) * (v[j] - v_g[j]);
  }
  for (size_t j = 0; s->x_p_bar && j < P; j++) u[j] -= t * s->x_p_bar[j];
  velocity_backward(c->prediction, P, t, u, s->x_u);
  velocity_backward(c->prediction, P, t, v, s->x_v);
  const double loss = L_u * a_u + L_v * a_v;
  sums->loss += loss;
  sums->mse_u += L_u / (double)P;
  sums->mse_v += L_v / (double)P;
  if (b->fm[i]) sums->loss_fm += loss, sums->mse_u_fm += L_u / (double)P, sums->mse_v_fm += L_v / (double)P;
  else sums->loss_others += loss;
}

void objective_gradient(const struct objective_config *c, const struct net *n, const real *weights,
                        struct objective_work *w, const struct objective_batch *b, real *grads,
                        struct objective_sums *sums, const struct objective_values *values,
                        const struct net_hooks *hooks) {
  const size_t P = n->pixels, B = w->B;
  assert(b->B <= B);
  const size_t tangents = group(b, w->order);
  assert(tangents <= w->B_dot);
  real *k = w->conditions;
  for (size_t j = 0; j < b->B; j++) {
    const size_t i = w->order[j];
    const real t = b->t[i], tc = velocity_clip(t);
    real *z = w->z + j * P, *v_t = w->v_t + j * P;
    for (size_t p = 0; p < P; p++) {
      const real x = b->x[i * P + p];
      z[p] = (1 - t) * x + t * b->e[i * P + p];
      v_t[p] = (z[p] - x) / tc;
    }
    k[H * B + j] = t - b->r[i];
    k[W * B + j] = b->w[i];
    k[T_MIN * B + j] = b->t_min[i];
    k[T_MAX * B + j] = b->t_max[i];
    w->y[j] = b->drop[i] ? (int32_t)n->config.classes : b->y[i];
  }
  hooks_phase(hooks, NET_GUIDANCE);
  sums->guidance += guide(c, n, weights, w, b, hooks);

  const struct condition_input in = { .B = b->B, .B_dot = tangents, .z = w->z, .z_dot = w->v_c, .h = k + H * B,
                                      .w = k + W * B, .t_min = k + T_MIN * B, .t_max = k + T_MAX * B, .y = w->y };
  hooks_phase(hooks, NET_FORWARD);
  net_forward(n, weights, &w->net, &in, 1, w->x_u, w->x_u_dot, w->x_v, NULL, hooks);
  if (c->perceptual) {
    hooks_phase(hooks, NET_PERCEPTUAL);
    perceive(c, P, w, b, sums);
  }
  for (size_t j = 0; j < b->B; j++) {
    const int tangent = j < tangents;
    const struct perceptual *p = c->perceptual;
    const struct sample s = { w->order[j], P, tangent, w->z + j * P, w->v_t + j * P, tangent ? w->v_c + j * P : NULL,
                              w->v_u + j * P, tangent ? w->x_u_dot + j * P : NULL, w->x_u + j * P, w->x_v + j * P,
                              p && p->row[j] != GRAPH_NONE ? p->x_p_bar + p->row[j] * P : NULL };
    finish(c, b, &s, w, sums, values);
  }
  sums->images += b->B;
  sums->fm += b->B - tangents;
  sums->tangents += tangents;
  hooks_phase(hooks, NET_BACKWARD);
  net_backward(n, weights, &w->net, &in, w->x_u, w->x_v, grads, hooks);
}
