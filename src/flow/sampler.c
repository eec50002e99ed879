#include "src/flow/sampler.h"

void sampler_layout(struct arena *a, const struct net *n, size_t B, struct sampler_work *w) {
  net_layout(a, n, B, 0, 0, &w->net);
  w->x = arena_take(a, 2 * B * n->pixels);
  w->conditions = arena_take(a, 4 * B);
}

/* B samples under way. */
struct flow {
  const struct sampler *c;
  const struct net *n;
  const real *weights;
  struct sampler_work *w;
  size_t B;
  const int32_t *y;
};

/* x[B,H,H,C]: what the sampler's head predicts at z. */
static void evaluate(const struct flow *f, double h, const real *z, real *x) {
  const size_t B = f->B;
  const struct sampler *c = f->c;
  const double condition[4] = { h, c->omega, c->t_min, c->t_max };
  real *k = f->w->conditions;
  for (size_t i = 0; i < 4 * B; i++) k[i] = (real)condition[i / B];
  const struct condition_input in = { .B = B, .z = z, .h = k, .w = k + B, .t_min = k + 2 * B, .t_max = k + 3 * B, .y = f->y };
  net_forward(f->n, f->weights, &f->w->net, &in, 0, c->head == HEAD_U ? x : NULL, NULL, c->head == HEAD_V ? x : NULL, NULL, NULL);
}

static void velocity(void *context, real t, const real *z, real *v) {
  const struct flow *f = context;
  evaluate(f, 0, z, v);
  velocity_forward(f->c->prediction, f->B * f->n->pixels, t, z, v, v);
}

static void jump(const struct flow *f, real *z) {
  const size_t size = f->B * f->n->pixels, steps = f->c->steps;
  const real *x = f->w->x;
  for (size_t step = 0; step < steps; step++) {
    const double t = 1 - (double)step / (double)steps, next = 1 - (double)(step + 1) / (double)steps;
    evaluate(f, t - next, z, f->w->x);
    if (f->c->prediction == PREDICT_U) {
      for (size_t i = 0; i < size; i++) z[i] -= (real)(t - next) * x[i];
    } else {   /* the same step, written so that a whole step gives x exactly */
      const real share = (real)(t - next) / velocity_clip((real)t);
      for (size_t i = 0; i < size; i++) z[i] = (1 - share) * z[i] + share * x[i];
    }
  }
}

void sampler_images(const struct sampler *c, const struct net *n, const real *weights, struct sampler_work *w, size_t B,
                    const int32_t *y, real *z) {
  struct flow f = { c, n, weights, w, B, y };
  for (size_t i = 0; i < B * n->pixels; i++) z[i] *= (real)c->noise_scale;
  if (c->head == HEAD_U) jump(&f, z);
  else solver_run(c->solver, c->steps, velocity, &f, B * n->pixels, z, w->x);
}

size_t sampler_evaluations(const struct sampler *c) {
  return c->head == HEAD_V ? solver_evaluations(c->solver, c->steps) : c->steps;
}
