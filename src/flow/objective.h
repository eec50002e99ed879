/* objective.h - the loss of pixel MeanFlow and its gradient on one micro-batch (SPEC 3 and 4).
 *   z = (1-t) x + t e,  v_t = (z - x)/tc,  v_g the guided target,  V = u + (t-r) stopgrad(du/dt),
 *   loss = sum over samples of a(L_u) + a(L_v) (and of the perceptual terms, perceptual.h),
 *   L_u = |V - v_g|^2,  L_v = |v - v_g|^2,  a(L) = L / stopgrad((L + eps)^p).
 * Only what each sample needs is evaluated (SPEC 4, "exact savings"): tangents for samples that are not FM; guidance
 * evaluations 0 (FM, label dropped), 1 (FM; or gate shut; or dropped and not FM) or 2 (gate open).
 * Sums, not means: whoever knows the global batch divides, once.
 * Memory: the workspace is laid out in the caller's arena. Errors: none. Ranks: local. */
#ifndef FLOW_OBJECTIVE_H
#define FLOW_OBJECTIVE_H
#include "src/flow/perceptual.h"
#include "src/flow/velocity.h"
#include "src/net/net.h"

struct objective_config {
  enum prediction prediction;
  double norm_p, norm_eps;
  const struct perceptual *perceptual;     /* NULL: without; laid out for the micro-batch */
};
/* B samples, in any order. fm: r = t, t_min = 0, t_max = 1. y: true labels, also of dropped samples. */
struct objective_batch {
  size_t B;
  const real *x, *e;                       /* [B,H,H,C] images in [-1,1]; noise, already scaled */
  const real *t, *r, *w, *t_min, *t_max;   /* [B] */
  const int32_t *y;
  const int *fm, *drop;
  uint64_t seed, step;                     /* what crops are drawn by; */
  uint32_t first;                          /* and the first sample's index in the global batch, the others' follow */
};
struct objective_sums {
  double loss, mse_u, mse_v;               /* mse: mean over the numbers of an image, summed over images */
  double mse_u_fm, mse_v_fm, du_dt_square; /* parts of FM samples; mean square of du/dt, over the others */
  double loss_fm, loss_others;             /* a(L_u) + a(L_v) of FM samples, and of the others */
  double du_dt_max;
  size_t images, fm, guidance, tangents;   /* samples evaluated, by kind */
  double distance[PERCEPTUAL_TERMS];       /* that networks see, 0 beyond the threshold */
  size_t seen;                             /* samples below it, which they look at */
};
/* Values per sample in the caller's order, for reports and tests; each may be NULL. */
struct objective_values {
  real *v_t, *v_g, *u, *v, *V;             /* [B,H,H,C] */
  real *L_u, *L_v;                         /* [B] */
};
/* A guidance evaluation waiting: the sample's place, and where its velocity goes. */
struct guidance_evaluation { size_t place; real *v; };
struct objective_work {
  size_t B, B_dot;
  struct net_work net;
  size_t *order;                           /* [B]: place -> sample; those with tangents first */
  real *z, *v_t, *v_u, *v_c, *x_u, *x_v, *x_u_dot;   /* by place */
  real *eval_z, *eval_v;
  real *conditions;                        /* [8,B] */
  struct guidance_evaluation *list;                 /* [B] */
  int32_t *y;                              /* [2,B] */
};

/* Lays out for micro-batches of B samples of which at most B_dot are not FM. Integers lie in the arena too. */
void objective_layout(struct arena *a, const struct net *n, size_t B, size_t B_dot, struct objective_work *w);
/* Adds the gradient of the summed loss to grads[table.size] and to *sums. hooks (may be NULL) hear of it. */
void objective_gradient(const struct objective_config *c, const struct net *n, const real *weights,
                        struct objective_work *w, const struct objective_batch *batch, real *grads,
                        struct objective_sums *sums, const struct objective_values *values,
                        const struct net_hooks *hooks);
#endif
