#include "src/flow/sampler.h"

void sampler_layout(struct arena *a, const struct net *n, size_t B, struct sampler_work *w) {
  net_layout(a, n, B, 0, 0, &w->net);
  w->x = arena_take(a, B * n->pixels);
  w->conditions = arena_take(a, 4 * B);
}

void sampler_images(const struct sampler *c, const struct net *n, const real *weights, struct sampler_work *w, size_t B,
                    const int32_t *y, real *z) {
  const size_t P = n->pixels;
  real *h = w->conditions, *omega = h + B, *t_min = h + 2 * B, *t_max = h + 3 * B;
  for (size_t i = 0; i < B * P; i++) z[i] *= (real)c->noise_scale;
  for (size_t step = 0; step < c->steps; step++) {
    const double t = 1 - (double)step / (double)c->steps, next = 1 - (double)(step + 1) / (double)c->steps;
    for (size_t b = 0; b < B; b++) {
      h[b] = (real)(t - next);
      omega[b] = (real)c->omega;
      t_min[b] = (real)c->t_min;
      t_max[b] = (real)c->t_max;
    }
    const struct condition_input in = { .B = B, .z = z, .h = h, .w = omega, .t_min = t_min, .t_max = t_max, .y = y };
    net_forward(n, weights, &w->net, &in, 0, w->x, NULL, NULL, NULL);
    if (c->prediction == PREDICT_U) {
      for (size_t i = 0; i < B * P; i++) z[i] -= (real)(t - next) * w->x[i];
    } else {   /* the same step, written so that a whole step gives x exactly */
      const real share = (real)(t - next) / velocity_clip((real)t);
      for (size_t i = 0; i < B * P; i++) z[i] = (1 - share) * z[i] + share * w->x[i];
    }
  }
}
