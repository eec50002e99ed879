/* toy.h - pixel MeanFlow on points of a plane that lie in a space of D dimensions (SPEC 11): a Swiss roll through a fixed
 * random matrix P[D,2] with orthonormal columns, x = P p, and a ReLU MLP that predicts x or u (velocity.h).
 *   p = a (cos a, sin a) / s,  a uniform on [3 pi/2, 9 pi/2],  s so that E|p|^2 = 2;   z = (1-t) x + t e,  e ~ N(0, 1);
 *   loss = mean of L,  L = |V - v_t|^2,  V = u + h stopgrad(du/dt)   (SPEC 4, without classes).
 * L as it is, without the adaptive weight 1/(L + eps): of a plane's points L is small for some and large for others, which images
 * do not know, and the weight then draws all samples to the few.
 * The direction of du/dt is the net's own velocity at h = 0 (SPEC 4: v_c). There is no v head. Unlike images, points of the plane
 * do not show how noisy they are, so the net is told t and h.
 * All draws are functions of (seed, step, sample): x- and u-prediction meet the same.
 * Shapes: in brackets, row-major. Memory: views of the caller's arena. Errors: none. Ranks: local. */
#ifndef FLOW_TOY_H
#define FLOW_TOY_H
#include <stdint.h>

#include "src/flow/velocity.h"
#include "src/net/mlp.h"

enum { TOY_WIDTH = 256, TOY_DEPTH = 5 };
struct toy {
  enum prediction prediction;
  size_t D, B, B_dot;              /* B samples a step; the first B_dot of them have r < t, the others r = t (h = 0) */
  uint64_t seed;
  struct mlp net;                  /* D + 2 -> D */
};
struct toy_work {
  real *P;                         /* [D,2] */
  real *x, *z, *v_t, *t, *h;       /* [B,D], [B]: the step's samples, by toy_draw */
  real *in, *out;                  /* [B+B_dot,D+2], [B+B_dot,D] */
  real *v, *u, *u_dot, *u_bar;     /* [B_dot,D], [B,D], [B_dot,D], [B,D] */
  real *zero;                      /* [B_dot] */
  struct mlp_work mlp;
};
/* The fields above net are the caller's. Free with toy_free. */
void toy_init(struct toy *c);
void toy_free(struct toy *c);
/* Twice, as arena.h has it; then toy_begin writes P. */
void toy_layout(struct arena *a, const struct toy *c, struct toy_work *w);
void toy_begin(const struct toy *c, struct toy_work *w);
/* p[n,2]: points of the roll; which: another set for another number. Not those of training. */
void toy_roll(uint64_t seed, uint64_t which, size_t n, real *p);
/* x, z, v_t, t, h of a step: t and r uniform. */
void toy_draw(const struct toy *c, uint64_t step, struct toy_work *w);
/* u[n,D] at z[n,D], t[n], h[n] and, for the first n_dot, u_dot: along (z_dot, 1, 1). n <= B, n_dot <= B_dot. */
void toy_velocity(const struct toy *c, const real *weights, struct toy_work *w, size_t n, size_t n_dot, const real *z,
                  const real *t, const real *h, const real *z_dot, real *u, real *u_dot);
/* Adds the gradient of the loss of what toy_draw has drawn to grads[table.size]; returns the loss. */
double toy_gradient(const struct toy *c, const real *weights, struct toy_work *w, real *grads);
/* n one-step samples projected back, p[n,2] = P^T x; returns the root mean square, over samples and the D - 2 other directions, of
 * what lies beside the plane (0 for D = 2). */
double toy_samples(const struct toy *c, const real *weights, struct toy_work *w, size_t n, real *p);
#endif
