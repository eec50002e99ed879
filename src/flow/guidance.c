#include "src/flow/guidance.h"

#include <math.h>

#include "src/base/random.h"

double guidance_scale(double beta, double s, double U) {
  if (beta == 1) return exp(U * log1p(s));
  return exp(log1p(U * expm1((1 - beta) * log1p(s))) / (1 - beta));
}

void guidance_draw(const struct guidance *c, uint64_t seed, uint64_t step, uint32_t index, int fm, real *w, real *t_min,
                   real *t_max, int *drop) {
  const double p = c->data_proportion, q = c->class_dropout_prob;
  if (c->unconditional) {
    *w = 1, *t_min = 0, *t_max = 1, *drop = 1;
    return;
  }
  real u[3], dropped;
  random_uniform((struct purpose){ seed, STREAM_GUIDANCE, step, index }, 3, u);
  random_uniform((struct purpose){ seed, STREAM_DROP, step, index }, 1, &dropped);
  *w = (real)guidance_scale(c->cfg_beta, c->cfg_max, (double)u[0]);
  *t_min = fm ? 0 : u[1] / 2;
  *t_max = fm ? 1 : (1 + u[2]) / 2;
  const double probability = fm ? fmin(1, q / p) : fmax(0, (q - p) / (1 - p));
  *drop = (double)dropped < probability;
}

real guidance_gated(int fm, real t, real w, real t_min, real t_max) {
  return fm || (t_min <= t && t <= t_max) ? w : 1;
}
