/* objective.h - what the tests of the objective in double share: ten samples that between them take every way, a small net, the
 * gradient of their loss by src/flow/objective.c, and a direct transcription of SPEC 3 and 4: one sample at a time, every guidance
 * evaluation, no savings, du/dt by central differences (fourth order, step 1e-4).
 * Memory: new_* and set_* have a free_*, set_up a tear_down, freeze a thaw. */
#ifndef TESTS_OBJECTIVE_H
#define TESTS_OBJECTIVE_H
#include "src/flow/objective.h"
#include "tests/laws.h"

static const double step_t = 1e-4, step_w = 1e-3, limit_difference = 1e-6, limit_same = 1e-12;
static const struct net_config shape = { .image = 8, .patch = 4, .channels = 3, .classes = 4, .width = 16, .depth = 3,
  .head_depth = 1, .heads = 2, .bottleneck = 6, .class_tokens = 2, .omega_tokens = 1, .interval_tokens = 1,
  .time_tokens = 3 };
static const struct objective_config configs[] = { { PREDICT_X, 1, 0.01, NULL }, { PREDICT_U, 0.75, 0.1, NULL } };
enum { CONFIGS = sizeof configs / sizeof *configs };

struct sample_case {
  const char *name;
  real t, r, w, t_min, t_max;
  int32_t y;
  int fm, drop;
  size_t evaluations;   /* of guidance, as SPEC 4 counts them */
};
static const struct sample_case cases[] = {
  { "FM, kept",                  0.7,  0.7,  3,   0,    1,    1, 1, 0, 1 },
  { "gate open",                 0.6,  0.2,  5,   0.3,  0.8,  0, 0, 0, 2 },
  { "FM, dropped",               0.4,  0.4,  2.5, 0,    1,    2, 1, 1, 0 },
  { "gate shut above",           0.9,  0.5,  4,   0.2,  0.7,  3, 0, 0, 1 },
  { "gate shut below",           0.25, 0.1,  6,   0.45, 0.9,  1, 0, 0, 1 },
  { "not FM, dropped, open",     0.65, 0.35, 2,   0.1,  0.75, 2, 0, 1, 1 },
  { "not FM, dropped, shut",     0.8,  0,    3,   0.1,  0.6,  0, 0, 1, 1 },
  { "t < 0.05, gate open",       0.03, 0.01, 7,   0,    0.5,  3, 0, 0, 2 },
  { "FM, t < 0.05",              0.02, 0.02, 1.5, 0,    1,    0, 1, 0, 1 },
  { "gate open at its end",      0.5,  0.5,  2,   0.5,  0.6,  1, 0, 0, 2 },
};
enum { CASES = sizeof cases / sizeof *cases };

/* A batch of cases in some order; noise and image belong to the case. */
struct batch {
  struct objective_batch b;
  real *x, *e, t[CASES], r[CASES], w[CASES], t_min[CASES], t_max[CASES];
  int32_t y[CASES];
  int fm[CASES], drop[CASES];
  size_t order[CASES];
};
static inline void set_batch(struct batch *k, size_t P, size_t count, const size_t *order) {
  *k = (struct batch){ .x = new_zeros(CASES * P), .e = new_zeros(CASES * P) };
  for (size_t i = 0; i < count; i++) {
    const struct sample_case *c = &cases[k->order[i] = order[i]];
    fill_normal(100 + (uint32_t)order[i], P, k->x + i * P);
    fill_normal(200 + (uint32_t)order[i], P, k->e + i * P);
    k->t[i] = c->t, k->r[i] = c->r, k->w[i] = c->w, k->t_min[i] = c->t_min, k->t_max[i] = c->t_max;
    k->y[i] = c->y, k->fm[i] = c->fm, k->drop[i] = c->drop;
  }
  k->b = (struct objective_batch){ count, k->x, k->e, k->t, k->r, k->w, k->t_min, k->t_max, k->y, k->fm, k->drop, 9, 4, 0 };
}
static inline void free_batch(struct batch *k) { free(k->x), free(k->e); }
/* The part of a batch from `first` on. */
static inline struct objective_batch part(const struct objective_batch *b, size_t P, size_t first, size_t count) {
  return (struct objective_batch){ count, b->x + first * P, b->e + first * P, b->t + first, b->r + first, b->w + first,
    b->t_min + first, b->t_max + first, b->y + first, b->fm + first, b->drop + first, b->seed, b->step,
    b->first + (uint32_t)first };
}
static const size_t in_order[CASES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };

/* What the tests measure: gradient, sums and values per sample. */
struct result {
  real *grads;
  struct objective_sums sums;
  struct objective_values values;
};
static inline struct result new_result(const struct net *n) {
  const size_t size = CASES * n->pixels;
  return (struct result){ .grads = new_zeros(n->table.size),
    .values = { new_zeros(size), new_zeros(size), new_zeros(size), new_zeros(size), new_zeros(size), new_zeros(CASES),
                new_zeros(CASES) } };
}
static inline void free_result(struct result *r) {
  free(r->grads), free(r->values.v_t), free(r->values.v_g), free(r->values.u), free(r->values.v), free(r->values.V);
  free(r->values.L_u), free(r->values.L_v);
}
static inline size_t tangents_of(const struct objective_batch *b) {
  size_t count = 0;
  for (size_t i = 0; i < b->B; i++) count += !b->fm[i];
  return count;
}
/* In a workspace for exactly B samples; adds. */
static inline void run(const struct objective_config *c, const struct net *n, const real *weights, size_t B,
                const struct objective_batch *b, struct result *r, int with_values, const struct net_hooks *hooks) {
  struct objective_work work;
  struct arena a = { 0 };
  for (int pass = 0; pass < 2; pass++) {
    if (pass && arena_init(&a)) abort();
    objective_layout(&a, n, B, tangents_of(b), &work);
  }
  objective_gradient(c, n, weights, &work, b, r->grads, &r->sums, with_values ? &r->values : NULL,
                     hooks);
  arena_free(&a);
}

static struct net net;
static struct net_work one;   /* for one sample, forward only */
static struct arena one_arena;
static real *weights;
static inline void set_up(const struct net_config *config) {
  ck_assert_int_eq(net_init(&net, config, 0), 0);
  new_net_work(&net, 1, 0, 0, &one_arena, &one);
  weights = new_zeros(net.table.size);
  fill_weights(10, &net.table, weights);
}
static inline void tear_down(void) {
  free(weights);
  arena_free(&one_arena);
  net_free(&net);
}

/* The transcription. Velocities of both heads at (z, t, h) under the other conditions; tc = clip(t, 0.05, 1). */
struct told { real h, w, t_min, t_max; int32_t y; };
static inline void velocities(enum prediction p, const real *at, const real *z, real t, struct told c, real *u, real *v) {
  const struct condition_input in = { 1, 0, z, NULL, &c.h, &c.w, &c.t_min, &c.t_max, &c.y };
  const size_t P = net.pixels;
  net_forward(&net, at, &one, &in, 0, u, NULL, v, NULL, NULL);
  for (size_t j = 0; p == PREDICT_X && j < P; j++) {
    const real tc = fmin(fmax(t, 0.05), 1);
    u[j] = (z[j] - u[j]) / tc;
    v[j] = (z[j] - v[j]) / tc;
  }
}
/* Everything of one sample that carries no gradient. */
struct frozen {
  real *z, *v_t, *v_g, *v_c, *du_dt, *u, *v;
  real t, h;
  struct told own;
  double L_u, L_v, a_u, a_v;
};
struct path { const struct objective_config *c; const struct frozen *f; real *v; };
static inline void along_path(void *context, double s, real *u) {   /* (z, t, h) + s (v_c, 1, 1) */
  const struct path *p = context;
  const struct frozen *f = p->f;
  real *z = new_zeros(net.pixels);
  struct told own = f->own;
  own.h += s;
  move(net.pixels, f->z, s, f->v_c, z);
  velocities(p->c->prediction, weights, z, f->t + s, own, u, p->v);
  free(z);
}
static inline struct frozen freeze(const struct objective_config *c, const struct objective_batch *b, size_t i) {
  const size_t P = net.pixels;
  const real t = b->t[i], tc = fmin(fmax(t, 0.05), 1), *x = b->x + i * P, *e = b->e + i * P;
  const int32_t null = (int32_t)net.config.classes;
  struct frozen f = { new_zeros(P), new_zeros(P), new_zeros(P), new_zeros(P), new_zeros(P), new_zeros(P), new_zeros(P),
                      t, t - b->r[i], { t - b->r[i], b->w[i], b->t_min[i], b->t_max[i], b->drop[i] ? null : b->y[i] },
                      0, 0, 0, 0 };
  real *v_u = new_zeros(P), *other = new_zeros(P);
  for (size_t j = 0; j < P; j++) {
    f.z[j] = (1 - t) * x[j] + t * e[j];
    f.v_t[j] = (f.z[j] - x[j]) / tc;
  }
  const int open = b->fm[i] || (b->t_min[i] <= t && t <= b->t_max[i]);
  const real w = open ? b->w[i] : 1;
  velocities(c->prediction, weights, f.z, t, (struct told){ 0, w, 0, 1, b->y[i] }, other, f.v_c);
  velocities(c->prediction, weights, f.z, t, (struct told){ 0, 1, 0, 1, null }, other, v_u);
  for (size_t j = 0; j < P; j++) f.v_g[j] = f.v_t[j] + (b->drop[i] ? 0 : (1 - 1 / w) * (f.v_c[j] - v_u[j]));
  struct path path = { c, &f, other };
  differentiate(along_path, &path, step_t, P, f.du_dt);
  velocities(c->prediction, weights, f.z, t, f.own, f.u, f.v);
  for (size_t j = 0; j < P; j++) {
    f.L_u += pow(f.u[j] + f.h * f.du_dt[j] - f.v_g[j], 2);
    f.L_v += pow(f.v[j] - f.v_g[j], 2);
  }
  f.a_u = 1 / pow(f.L_u + c->norm_eps, c->norm_p);
  f.a_v = 1 / pow(f.L_v + c->norm_eps, c->norm_p);
  free(v_u), free(other);
  return f;
}
static inline void thaw(struct frozen *f) {
  free(f->z), free(f->v_t), free(f->v_g), free(f->v_c), free(f->du_dt), free(f->u), free(f->v);
}
#endif
