/* sampler.h - images from noise z = s noise in n steps t_i = 1 - i/n (SPEC 1, 9).
 *   u head:  z <- z - (t_i - t_{i+1}) u(z; h = t_i - t_{i+1}, w, t_min, t_max, y);   one step gives x_u itself.
 *   v head:  the multi-step baseline, dz/dt = v(z; h = 0, w, t_min, t_max, y) by a solver; one step of Euler is z - v.
 * Memory: the workspace is laid out in the caller's arena. Errors: none. Ranks: local. */
#ifndef FLOW_SAMPLER_H
#define FLOW_SAMPLER_H
#include "src/flow/solver.h"
#include "src/flow/velocity.h"
#include "src/net/net.h"

struct sampler {
  enum prediction prediction;
  size_t steps;
  double omega, t_min, t_max, noise_scale;
  enum head head;
  enum solver solver;              /* of the v head */
};
struct sampler_work {
  struct net_work net;
  real *x, *conditions;            /* [2,B,H,H,C], [4,B] */
};
void sampler_layout(struct arena *a, const struct net *n, size_t B, struct sampler_work *w);
/* z[B,H,H,C] enters as unit noise and leaves as images in about [-1,1]; y[B] labels (classes: none). */
void sampler_images(const struct sampler *c, const struct net *n, const real *weights, struct sampler_work *w, size_t B,
                    const int32_t *y, real *z);
/* Evaluations of the net for an image. */
size_t sampler_evaluations(const struct sampler *c);
#endif
