/* The objective in double against a direct transcription of SPEC 3 and 4: one sample at a time, every guidance
 * evaluation, no savings, du/dt by central differences (fourth order, step 1e-4). With target, du/dt and adaptive
 * weights frozen, the loss's gradient by every tensor is compared with central differences (step 1e-3) to 1e-6; what
 * must be the same, to 1e-12. */
#include "src/flow/objective.h"
#include "src/vision/classifier.h"
#include "src/vision/convnext.h"
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
static void set_batch(struct batch *k, size_t P, size_t count, const size_t *order) {
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
static void free_batch(struct batch *k) { free(k->x), free(k->e); }
/* The part of a batch from `first` on. */
static struct objective_batch part(const struct objective_batch *b, size_t P, size_t first, size_t count) {
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
static struct result new_result(const struct net *n) {
  const size_t size = CASES * n->pixels;
  return (struct result){ .grads = new_zeros(n->table.size),
    .values = { new_zeros(size), new_zeros(size), new_zeros(size), new_zeros(size), new_zeros(size), new_zeros(CASES),
                new_zeros(CASES) } };
}
static void free_result(struct result *r) {
  free(r->grads), free(r->values.v_t), free(r->values.v_g), free(r->values.u), free(r->values.v), free(r->values.V);
  free(r->values.L_u), free(r->values.L_v);
}
static size_t tangents_of(const struct objective_batch *b) {
  size_t count = 0;
  for (size_t i = 0; i < b->B; i++) count += !b->fm[i];
  return count;
}
/* In a workspace for exactly B samples; adds. */
static void run(const struct objective_config *c, const struct net *n, const real *weights, size_t B,
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
static void set_up(const struct net_config *config) {
  ck_assert_int_eq(net_init(&net, config, 0), 0);
  new_net_work(&net, 1, 0, 0, &one_arena, &one);
  weights = new_zeros(net.table.size);
  fill_weights(10, &net.table, weights);
}
static void tear_down(void) {
  free(weights);
  arena_free(&one_arena);
  net_free(&net);
}

/* The transcription. Velocities of both heads at (z, t, h) under the other conditions; tc = clip(t, 0.05, 1). */
struct told { real h, w, t_min, t_max; int32_t y; };
static void velocities(enum prediction p, const real *at, const real *z, real t, struct told c, real *u, real *v) {
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
static void along_path(void *context, double s, real *u) {   /* (z, t, h) + s (v_c, 1, 1) */
  const struct path *p = context;
  const struct frozen *f = p->f;
  real *z = new_zeros(net.pixels);
  struct told own = f->own;
  own.h += s;
  move(net.pixels, f->z, s, f->v_c, z);
  velocities(p->c->prediction, weights, z, f->t + s, own, u, p->v);
  free(z);
}
static struct frozen freeze(const struct objective_config *c, const struct objective_batch *b, size_t i) {
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
static void thaw(struct frozen *f) {
  free(f->z), free(f->v_t), free(f->v_g), free(f->v_c), free(f->du_dt), free(f->u), free(f->v);
}

/* Values of each sample: v_t, guided target, both velocities, du/dt (as (V - u)/h), losses; and their sums. */
static void check_values(const struct batch *k) {
  const size_t P = net.pixels;
  for (size_t n = 0; n < CONFIGS; n++) {
    struct result r = new_result(&net);
    run(&configs[n], &net, weights, CASES, &k->b, &r, 1, NULL);
    double loss = 0, loss_fm = 0, mse_u = 0, mse_v = 0, mse_u_fm = 0, mse_v_fm = 0, square = 0, max = 0;
    real *du_dt = new_zeros(P);
    for (size_t i = 0; i < CASES; i++) {
      struct frozen f = freeze(&configs[n], &k->b, i);
      const struct objective_values *o = &r.values;
      ck_assert_msg(relative_error(P, o->v_t + i * P, f.v_t) < limit_same, "v_t of %s", cases[i].name);
      ck_assert_msg(relative_error(P, o->v_g + i * P, f.v_g) < limit_same, "v_g of %s", cases[i].name);
      ck_assert_msg(relative_error(P, o->u + i * P, f.u) < limit_same, "u of %s", cases[i].name);
      ck_assert_msg(relative_error(P, o->v + i * P, f.v) < limit_same, "v of %s", cases[i].name);
      for (size_t j = 0; f.h > 0 && j < P; j++) du_dt[j] = (o->V[i * P + j] - o->u[i * P + j]) / f.h;
      if (f.h > 0) ck_assert_msg(relative_error(P, du_dt, f.du_dt) < limit_difference, "du/dt of %s", cases[i].name);
      else ck_assert_double_eq(max_abs_difference(P, o->V + i * P, o->u + i * P), 0);
      ck_assert_double_eq_tol(o->L_u[i], f.L_u, limit_difference * f.L_u);
      ck_assert_double_eq_tol(o->L_v[i], f.L_v, limit_same * f.L_v);
      loss += f.a_u * f.L_u + f.a_v * f.L_v;
      mse_u += f.L_u / (double)P, mse_v += f.L_v / (double)P;
      if (k->fm[i]) loss_fm += f.a_u * f.L_u + f.a_v * f.L_v, mse_u_fm += f.L_u / (double)P, mse_v_fm += f.L_v / (double)P;
      else square += dot(P, f.du_dt, f.du_dt) / (double)P, max = fmax(max, max_abs(P, f.du_dt));
      thaw(&f);
    }
    ck_assert_double_eq_tol(r.sums.loss, loss, limit_difference * loss);
    ck_assert_double_eq_tol(r.sums.mse_u, mse_u, limit_difference * mse_u);
    ck_assert_double_eq_tol(r.sums.mse_v, mse_v, limit_difference * mse_v);
    ck_assert_double_eq_tol(r.sums.mse_u_fm, mse_u_fm, limit_difference * mse_u_fm);
    ck_assert_double_eq_tol(r.sums.mse_v_fm, mse_v_fm, limit_difference * mse_v_fm);
    ck_assert_double_eq_tol(r.sums.loss_fm, loss_fm, limit_difference * loss_fm);
    ck_assert_double_eq_tol(r.sums.loss_others, loss - loss_fm, limit_difference * loss);
    ck_assert_double_eq_tol(r.sums.du_dt_square, square, limit_difference * square);
    ck_assert_double_eq_tol(r.sums.du_dt_max, max, limit_difference * max);
    free(du_dt);
    free_result(&r);
  }
}
START_TEST(values_are_those_of_the_definition) {
  set_up(&shape);
  struct batch k;
  set_batch(&k, net.pixels, CASES, in_order);
  check_values(&k);
  free_batch(&k);
  tear_down();
} END_TEST

/* The loss of all samples with everything frozen but u and v, as weights move. */
struct frozen_loss { const struct objective_config *c; const struct frozen *f; const real *direction; };
static void along_weights(void *context, double s, real *loss) {
  const struct frozen_loss *l = context;
  const size_t P = net.pixels;
  real *moved = new_zeros(net.table.size), *u = new_zeros(P), *v = new_zeros(P);
  move(net.table.size, weights, s, l->direction, moved);
  *loss = 0;
  for (size_t i = 0; i < CASES; i++) {
    const struct frozen *f = &l->f[i];
    velocities(l->c->prediction, moved, f->z, f->t, f->own, u, v);
    for (size_t j = 0; j < P; j++)
      *loss += f->a_u * pow(u[j] + f->h * f->du_dt[j] - f->v_g[j], 2) + f->a_v * pow(v[j] - f->v_g[j], 2);
  }
  free(moved), free(u), free(v);
}
/* In a random direction inside each tensor, and by two of its elements. */
static void check_gradient(const struct batch *k) {
  for (size_t n = 0; n < CONFIGS; n++) {
    struct frozen f[CASES];
    for (size_t i = 0; i < CASES; i++) f[i] = freeze(&configs[n], &k->b, i);
    struct result r = new_result(&net);
    run(&configs[n], &net, weights, CASES, &k->b, &r, 0, NULL);
    real *direction = new_zeros(net.table.size), numeric;
    struct frozen_loss loss = { &configs[n], f, direction };
    for (size_t i = 0; i < net.table.count; i++) {
      const struct tensor *t = &net.table.tensors[i];
      const real *g = r.grads + t->offset;
      real *d = direction + t->offset;
      const double scale = sqrt(dot(t->size, g, g));
      ck_assert_msg(scale > 0, "%s has no gradient", t->name);
      for (size_t j = 0; j < 3; j++) {
        if (j < 2) {
          d[place(j, 2, t->size)] = 1;
        } else {
          fill_normal((uint32_t)i, t->size, d);
          const double length = sqrt(dot(t->size, d, d));
          for (size_t e = 0; e < t->size; e++) d[e] /= length;
        }
        differentiate(along_weights, &loss, step_w, 1, &numeric);
        const double error = fabs(dot(t->size, g, d) - numeric) / scale;
        ck_assert_msg(error < limit_difference, "%s: relative error %g of its gradient", t->name, error);
        memset(d, 0, t->size * sizeof *d);
      }
    }
    for (size_t i = 0; i < CASES; i++) thaw(&f[i]);
    free(direction);
    free_result(&r);
  }
}
START_TEST(gradient_is_that_of_the_frozen_loss) {
  set_up(&shape);
  struct batch k;
  set_batch(&k, net.pixels, CASES, in_order);
  check_gradient(&k);
  free_batch(&k);
  tear_down();
} END_TEST

/* A net without classes: the label table has the null row alone, w = 1 in [0, 1], all labels are dropped. Then v_g = v_t, and
 * the samples that are not FM need one evaluation, the direction of their tangent. */
START_TEST(without_classes_there_is_no_guidance) {
  struct net_config unconditional = shape;
  unconditional.classes = 0;
  set_up(&unconditional);
  struct batch k;
  set_batch(&k, net.pixels, CASES, in_order);
  for (size_t i = 0; i < CASES; i++) k.w[i] = 1, k.t_min[i] = 0, k.t_max[i] = 1, k.y[i] = 0, k.drop[i] = 1;
  check_values(&k);
  check_gradient(&k);
  for (size_t n = 0; n < CONFIGS; n++) {
    struct result r = new_result(&net);
    run(&configs[n], &net, weights, CASES, &k.b, &r, 1, NULL);
    ck_assert_uint_eq(r.sums.guidance, tangents_of(&k.b));
    ck_assert_double_eq(max_abs_difference(CASES * net.pixels, r.values.v_g, r.values.v_t), 0);
    free_result(&r);
  }
  free_batch(&k);
  tear_down();
} END_TEST


static void check_sums(const struct objective_sums *a, const struct objective_sums *b) {
  ck_assert_double_eq_tol(a->loss, b->loss, limit_same * b->loss);
  ck_assert_double_eq_tol(a->mse_u, b->mse_u, limit_same * b->mse_u);
  ck_assert_double_eq_tol(a->mse_v, b->mse_v, limit_same * b->mse_v);
  ck_assert_double_eq_tol(a->mse_u_fm, b->mse_u_fm, limit_same * b->mse_u_fm);
  ck_assert_double_eq_tol(a->mse_v_fm, b->mse_v_fm, limit_same * b->mse_v_fm);
  ck_assert_double_eq_tol(a->loss_fm, b->loss_fm, limit_same * b->loss_fm);
  ck_assert_double_eq_tol(a->loss_others, b->loss_others, limit_same * b->loss_others);
  ck_assert_double_eq_tol(a->du_dt_square, b->du_dt_square, limit_same * b->du_dt_square);
  ck_assert_double_eq_tol(a->du_dt_max, b->du_dt_max, limit_same * b->du_dt_max);
  ck_assert_uint_eq(a->images, b->images);
  ck_assert_uint_eq(a->fm, b->fm);
  ck_assert_uint_eq(a->guidance, b->guidance);
  ck_assert_uint_eq(a->tangents, b->tangents);
}

/* In whatever order samples come: the same gradient and sums; values stay with their sample. */
START_TEST(order_of_samples_does_not_matter) {
  static const size_t orders[][CASES] = { { 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 }, { 2, 8, 0, 1, 3, 4, 5, 6, 7, 9 },
                                          { 5, 0, 6, 8, 1, 2, 9, 3, 7, 4 } };
  set_up(&shape);
  const size_t P = net.pixels;
  for (size_t n = 0; n < CONFIGS; n++) {
    struct batch k;
    set_batch(&k, P, CASES, in_order);
    struct result first = new_result(&net);
    run(&configs[n], &net, weights, CASES, &k.b, &first, 1, NULL);
    free_batch(&k);
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
      set_batch(&k, P, CASES, orders[o]);
      struct result r = new_result(&net);
      run(&configs[n], &net, weights, CASES, &k.b, &r, 1, NULL);
      ck_assert_double_lt(relative_error(net.table.size, r.grads, first.grads), limit_same);
      check_sums(&r.sums, &first.sums);
      for (size_t i = 0; i < CASES; i++) {
        const size_t j = orders[o][i];
        ck_assert_double_lt(relative_error(P, r.values.V + i * P, first.values.V + j * P), limit_same);
        ck_assert_double_lt(relative_error(P, r.values.v_g + i * P, first.values.v_g + j * P), limit_same);
      }
      free_result(&r);
      free_batch(&k);
    }
    free_result(&first);
  }
  tear_down();
} END_TEST

/* Micro-batches of 1, 3 (the last one short) and all; a workspace larger than its batch. */
START_TEST(micro_batches_add_up) {
  set_up(&shape);
  const size_t P = net.pixels;
  struct batch k;
  set_batch(&k, P, CASES, in_order);
  for (size_t n = 0; n < CONFIGS; n++) {
    struct result all = new_result(&net);
    run(&configs[n], &net, weights, CASES, &k.b, &all, 0, NULL);
    static const struct { size_t batch, work; } ways[] = { { 1, 1 }, { 3, 3 }, { 4, CASES + 3 } };
    for (size_t s = 0; s < sizeof ways / sizeof *ways; s++) {
      struct result r = new_result(&net);
      for (size_t i = 0; i < CASES; i += ways[s].batch) {
        const size_t left = CASES - i;
        const struct objective_batch b = part(&k.b, P, i, left < ways[s].batch ? left : ways[s].batch);
        run(&configs[n], &net, weights, ways[s].work, &b, &r, 0, NULL);
      }
      ck_assert_double_lt(relative_error(net.table.size, r.grads, all.grads), limit_same);
      check_sums(&r.sums, &all.sums);
      free_result(&r);
    }
    free_result(&all);
  }
  free_batch(&k);
  tear_down();
} END_TEST

START_TEST(only_what_is_needed_is_evaluated) {
  set_up(&shape);
  const size_t P = net.pixels;
  struct batch k;
  set_batch(&k, P, CASES, in_order);
  for (size_t i = 0; i < CASES; i++) {
    struct result r = new_result(&net);
    const struct objective_batch b = part(&k.b, P, i, 1);
    run(&configs[0], &net, weights, 1, &b, &r, 0, NULL);
    ck_assert_msg(r.sums.guidance == cases[i].evaluations, "%s: %zu evaluations", cases[i].name, r.sums.guidance);
    ck_assert_uint_eq(r.sums.tangents, !cases[i].fm);
    ck_assert_uint_eq(r.sums.fm, (size_t)cases[i].fm);
    ck_assert_uint_eq(r.sums.images, 1);
    free_result(&r);
  }
  free_batch(&k);
  tear_down();
} END_TEST

/* Whoever listens hears guidance, forward and backward begin, and the gradient grow final; nothing changes. */
struct listener { enum net_phase phases[4]; size_t count, offset, wrong; };
static void hear_phase(void *context, enum net_phase phase) {
  struct listener *l = context;
  if (l->count < 4) l->phases[l->count++] = phase;
}
static void hear_final(void *context, size_t offset) {
  struct listener *l = context;
  l->wrong += l->count != 3 || offset > l->offset;
  l->offset = offset;
}
START_TEST(hooks_hear_of_every_part) {
  set_up(&shape);
  struct batch k;
  set_batch(&k, net.pixels, CASES, in_order);
  struct result r = new_result(&net), silent = new_result(&net);
  struct listener l = { .offset = net.table.size };
  const struct net_hooks hooks = { .final = hear_final, .phase = hear_phase, .context = &l };
  run(&configs[0], &net, weights, CASES, &k.b, &silent, 0, NULL);
  run(&configs[0], &net, weights, CASES, &k.b, &r, 0, &hooks);
  ck_assert_uint_eq(l.count, 3);
  ck_assert(l.phases[0] == NET_GUIDANCE && l.phases[1] == NET_FORWARD && l.phases[2] == NET_BACKWARD);
  ck_assert_uint_eq(l.wrong, 0);
  ck_assert_uint_eq(l.offset, 0);
  ck_assert_double_eq(max_abs_difference(net.table.size, r.grads, silent.grads), 0);
  free_result(&r), free_result(&silent);
  free_batch(&k);
  tear_down();
} END_TEST

/* The cases as flow-matching samples: r = t, the whole interval; no guidance, by dropped labels or by w = 1. */
static void make_plain(struct batch *k, int by_drop) {
  for (size_t i = 0; i < CASES; i++) {
    k->r[i] = k->t[i], k->t_min[i] = 0, k->t_max[i] = 1, k->fm[i] = 1, k->drop[i] = by_drop;
    if (!by_drop) k->w[i] = 1;
  }
}
/* Then V = u, and the loss is a(|u - v_t|^2) + a(|v - v_t|^2) at h = 0: plain flow matching, here by hand. */
START_TEST(at_equal_times_the_loss_is_flow_matching) {
  set_up(&shape);
  const size_t P = net.pixels;
  for (size_t n = 0; n < CONFIGS; n++)
    for (int by_drop = 0; by_drop < 2; by_drop++) {
      struct batch k;
      set_batch(&k, P, CASES, in_order);
      make_plain(&k, by_drop);
      struct result r = new_result(&net);
      run(&configs[n], &net, weights, CASES, &k.b, &r, 1, NULL);
      ck_assert_double_eq(max_abs_difference(CASES * P, r.values.V, r.values.u), 0);
      ck_assert_double_eq(max_abs_difference(CASES * P, r.values.v_g, r.values.v_t), 0);
      ck_assert_uint_eq(r.sums.tangents, 0);
      ck_assert_uint_eq(r.sums.fm, CASES);
      double loss = 0;
      real *u = new_zeros(P), *v = new_zeros(P), *z = new_zeros(P);
      for (size_t i = 0; i < CASES; i++) {
        const real *x = k.x + i * P, *e = k.e + i * P, t = k.t[i];
        const struct told c = { 0, k.w[i], 0, 1, by_drop ? (int32_t)net.config.classes : k.y[i] };
        double L_u = 0, L_v = 0;
        for (size_t j = 0; j < P; j++) z[j] = x[j] + t * (e[j] - x[j]);
        velocities(configs[n].prediction, weights, z, t, c, u, v);
        for (size_t j = 0; j < P; j++) {
          const double target = t < 0.05 ? (e[j] - x[j]) * t / 0.05 : e[j] - x[j];
          L_u += pow(u[j] - target, 2);
          L_v += pow(v[j] - target, 2);
        }
        loss += L_u / pow(L_u + configs[n].norm_eps, configs[n].norm_p);
        loss += L_v / pow(L_v + configs[n].norm_eps, configs[n].norm_p);
      }
      ck_assert_double_eq_tol(r.sums.loss, loss, limit_same * loss);
      free(u), free(v), free(z);
      free_result(&r);
      free_batch(&k);
    }
  tear_down();
} END_TEST

/* ---- perceptual terms ---- */

/* Two networks: a classifier's maps at the images' own size, and a small ConvNeXt at 32 x 32, which wants three channels. */
struct seeing {
  struct perceptual p;
  struct classifier classifier;
  struct contrast contrast[2];
  real *weights[2];
  struct arena arena;
  struct contrast_work one[2];   /* for distances by hand, with room for their images */
  struct resample resample[2];
  real *small[2], *pair[2][2];
  struct arena by_hand;
};
static void lay_out_seeing(struct seeing *s) {
  perceptual_layout(&s->arena, CASES, 2, &s->p);
  for (int k = 0; k < 2; k++) {
    const size_t n = s->contrast[k].graph.maps[0].H, wide = s->contrast[k].graph.maps[0].C;
    contrast_layout(&s->by_hand, &s->contrast[k], 1, &s->one[k]);
    resample_layout(&s->by_hand, s->p.H, s->p.W, s->p.C, n, &s->resample[k]);
    s->small[k] = arena_take(&s->by_hand, n * n * s->p.C);
    for (int which = 0; which < 2; which++) s->pair[k][which] = arena_take(&s->by_hand, n * n * wide);
  }
}
static void open_eyes(struct seeing *s, const struct net_config *config, double max_t) {
  static const struct convnext_sizes small = { { 1, 1, 1, 1 }, { 4, 6, 6, 8 } };
  const size_t size = config->image;
  *s = (struct seeing){ .p = { .H = size, .W = size, .C = config->channels, .max_t = max_t } };
  ck_assert_int_eq(classifier_init_kind(&s->classifier, CLASSIFIER_5X5, size, config->channels, 3), 0);
  classifier_contrast(&s->contrast[0], &s->classifier, 0);
  convnext_init(&s->contrast[1], &small, 32, 32);
  for (uint32_t k = 0; k < 2; k++) {
    const struct table *t = k ? &s->contrast[1].table : &s->classifier.table;
    s->weights[k] = new_zeros(t->size);
    fill_weights(70 + 100 * k, t, s->weights[k]);
    ck_assert_int_eq(contrast_prepare(&s->contrast[k], s->weights[k]), 0);
    s->p.term[k] = (struct perceptual_term){ &s->contrast[k], s->weights[k], k ? 300 : 0.7 };
  }
  lay_out_seeing(s);
  if (arena_init(&s->arena) || arena_init(&s->by_hand)) abort();
  lay_out_seeing(s);
}
static void shut_eyes(struct seeing *s) {
  for (int k = 0; k < 2; k++) contrast_free(&s->contrast[k]), free(s->weights[k]);
  classifier_free(&s->classifier);
  arena_free(&s->arena), arena_free(&s->by_hand);
}

/* d_k(x_p, x) of a sample by its definition: crop, three channels, the network. */
static double seen_distance(struct seeing *s, int k, const struct objective_batch *b, size_t i, const real *x_p) {
  const size_t n = s->contrast[k].graph.maps[0].H, C = s->p.C, wide = s->contrast[k].graph.maps[0].C;
  real *small = s->small[k], *const *pair = s->pair[k], d;
  struct resample *r = &s->resample[k];
  resample_cubic(r, perceptual_crop(&s->p, b->seed, b->step, b->first + (uint32_t)i));
  for (int which = 0; which < 2; which++) {
    resample_forward(r, which ? b->x + i * net.pixels : x_p, small);
    for (size_t j = 0; j < n * n * wide; j++) pair[which][j] = small[j / wide * C + (C == wide ? j % wide : 0)];
  }
  contrast_distance(&s->contrast[k], s->weights[k], &s->one[k], 1, pair[0], pair[1], &d, NULL);
  return d;
}

/* sum over samples and terms of lambda a d, the adaptive weights a frozen (NULL: written there), as weights move. */
struct seen_loss {
  struct seeing *s;
  const struct objective_config *c;
  const struct objective_batch *b;
  const struct frozen *f;
  const real *direction;
  double a[CASES][2], distance[2];
  size_t seen;
  int freeze;
};
static void along_seen(void *context, double step, real *loss) {
  struct seen_loss *l = context;
  const size_t P = net.pixels;
  real *moved = new_zeros(net.table.size), *u = new_zeros(P), *v = new_zeros(P);
  move(net.table.size, weights, step, l->direction, moved);
  *loss = 0;
  for (size_t i = 0; i < CASES; i++) {
    const struct frozen *f = &l->f[i];
    if (f->t >= l->s->p.max_t) continue;
    velocities(l->c->prediction, moved, f->z, f->t, f->own, u, v);
    for (size_t j = 0; j < P; j++) u[j] = f->z[j] - f->t * u[j];
    l->seen += (size_t)l->freeze;
    for (int k = 0; k < 2; k++) {
      const double d = seen_distance(l->s, k, l->b, i, u);
      if (l->freeze) l->a[i][k] = l->s->p.term[k].lambda / pow(d + l->c->norm_eps, l->c->norm_p), l->distance[k] += d;
      *loss += l->a[i][k] * d;
    }
  }
  free(moved), free(u), free(v);
}

static void check_seen(const struct net_config *config, const struct objective_config *plain, double max_t) {
  set_up(config);
  struct seeing s;
  open_eyes(&s, config, max_t);
  struct batch k;
  set_batch(&k, net.pixels, CASES, in_order);
  k.b.first = 3;
  struct objective_config c = *plain;
  struct frozen f[CASES];
  for (size_t i = 0; i < CASES; i++) f[i] = freeze(&c, &k.b, i);
  struct result without = new_result(&net), with = new_result(&net), parts = new_result(&net);
  run(&c, &net, weights, CASES, &k.b, &without, 0, NULL);
  c.perceptual = &s.p;
  run(&c, &net, weights, CASES, &k.b, &with, 0, NULL);
  real *direction = new_zeros(net.table.size), numeric, loss;
  struct seen_loss l = { .s = &s, .c = &c, .b = &k.b, .f = f, .direction = direction, .freeze = 1 };
  along_seen(&l, 0, &loss);
  l.freeze = 0;
  ck_assert_uint_eq(with.sums.seen, l.seen);
  for (int t = 0; t < 2; t++) ck_assert_double_eq_tol(with.sums.distance[t], l.distance[t], limit_same * (1 + l.distance[t]));
  ck_assert_double_eq_tol(with.sums.loss - without.sums.loss, loss, limit_same * (1 + loss));
  for (size_t i = 0; i < net.table.size; i++) with.grads[i] -= without.grads[i];
  if (!l.seen) ck_assert_double_eq(max_abs(net.table.size, with.grads), 0);
  for (size_t i = 0; l.seen && i < net.table.count; i += 2) {   /* a random direction in every other tensor */
    const struct tensor *t = &net.table.tensors[i];
    real *d = direction + t->offset;
    const double scale = sqrt(dot(t->size, with.grads + t->offset, with.grads + t->offset));
    fill_normal((uint32_t)i, t->size, d);
    const double length = sqrt(dot(t->size, d, d));
    for (size_t e = 0; e < t->size; e++) d[e] /= length;
    if (net_in_v_head(t)) ck_assert_double_lt(scale, 1e-12);
    else {
      differentiate(along_seen, &l, 1e-7, 1, &numeric);
      const double error = fabs(dot(t->size, with.grads + t->offset, d) - numeric) / scale;
      ck_assert_msg(error < 1e-5, "%s: relative error %g of the perceptual terms' gradient", t->name, error);
    }
    memset(d, 0, t->size * sizeof *d);
  }
  for (size_t i = 0; i < CASES; i += 3) {   /* in micro-batches crops stay with their samples */
    const struct objective_batch b = part(&k.b, net.pixels, i, CASES - i < 3 ? CASES - i : 3);
    run(&c, &net, weights, 3, &b, &parts, 0, NULL);
  }
  for (size_t i = 0; i < net.table.size; i++) with.grads[i] += without.grads[i];
  ck_assert_double_lt(relative_error(net.table.size, parts.grads, with.grads), 1e-11);
  ck_assert_double_eq_tol(parts.sums.loss, with.sums.loss, limit_same * with.sums.loss);
  for (size_t i = 0; i < CASES; i++) thaw(&f[i]);
  free(direction);
  free_result(&without), free_result(&with), free_result(&parts);
  free_batch(&k);
  shut_eyes(&s);
  tear_down();
}
START_TEST(networks_see_where_velocities_lead) {
  struct net_config grey = shape;
  grey.channels = 1;
  check_seen(&shape, &configs[0], 0.5);
  check_seen(&grey, &configs[1], 0.3);
  check_seen(&shape, &configs[0], 0);   /* nothing is below, nothing is looked at */
} END_TEST

/* A sample that is not FM but has r = t and the whole interval gives what an FM sample gives: the savings are exact. */
START_TEST(savings_of_flow_matching_are_exact) {
  set_up(&shape);
  for (size_t n = 0; n < CONFIGS; n++) {
    struct result r[2];
    for (int fm = 0; fm < 2; fm++) {
      struct batch k;
      set_batch(&k, net.pixels, CASES, in_order);
      for (size_t i = 0; i < CASES; i++) k.r[i] = k.t[i], k.t_min[i] = 0, k.t_max[i] = 1, k.fm[i] = fm;
      r[fm] = new_result(&net);
      run(&configs[n], &net, weights, CASES, &k.b, &r[fm], 1, NULL);
      free_batch(&k);
    }
    ck_assert_double_lt(relative_error(net.table.size, r[1].grads, r[0].grads), limit_same);
    ck_assert_double_lt(relative_error(CASES * net.pixels, r[1].values.v_g, r[0].values.v_g), limit_same);
    ck_assert_double_eq_tol(r[1].sums.loss, r[0].sums.loss, limit_same * r[0].sums.loss);
    free_result(&r[0]), free_result(&r[1]);
  }
  tear_down();
} END_TEST

int main(void) {
  return run_tests("objective in double", (const TTest *[]){
    values_are_those_of_the_definition, gradient_is_that_of_the_frozen_loss,
    without_classes_there_is_no_guidance, order_of_samples_does_not_matter,
    micro_batches_add_up, hooks_hear_of_every_part, only_what_is_needed_is_evaluated,
    at_equal_times_the_loss_is_flow_matching, networks_see_where_velocities_lead, savings_of_flow_matching_are_exact, NULL });
}
