/* sampler.h - images from noise in n evaluations of the u head (SPEC 9): z = s noise, t_i = 1 - i/n,
 *   z <- z - (t_i - t_{i+1}) u(z; h = t_i - t_{i+1}, w, t_min, t_max, y);   one evaluation gives x_u itself.
 * Memory: the workspace is laid out in the caller's arena. Errors: none. Ranks: local. */
#ifndef FLOW_SAMPLER_H
#define FLOW_SAMPLER_H
#include "src/flow/velocity.h"
#include "src/net/net.h"

struct sampler {
  enum prediction prediction;
  size_t steps;
  double omega, t_min, t_max, noise_scale;
};
struct sampler_work {
  struct net_work net;
  real *x, *conditions;            /* [B,H,H,C], [4,B] */
};
void sampler_layout(struct arena *a, const struct net *n, size_t B, struct sampler_work *w);
/* z[B,H,H,C] enters as unit noise and leaves as images in about [-1,1]; y[B] labels (classes: none). */
void sampler_images(const struct sampler *c, const struct net *n, const real *weights, struct sampler_work *w, size_t B,
                    const int32_t *y, real *z);
#endif
