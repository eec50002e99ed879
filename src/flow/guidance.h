/* guidance.h - classifier-free guidance learned at training time (SPEC 3): its scale w >= 1, the interval [t_min, t_max] in
 * which it acts, and which samples lose their label; a function of (seed, step, sample index).
 * Errors: none. Ranks: local. */
#ifndef FLOW_GUIDANCE_H
#define FLOW_GUIDANCE_H
#include <stdint.h>

#include "src/base/real.h"

struct guidance {
  double cfg_beta, cfg_max;        /* density proportional to w^-beta on [1, 1 + cfg_max] */
  double class_dropout_prob;
  double data_proportion;          /* share of FM samples, times_proportion */
  int unconditional;               /* no classes: w = 1 in [0, 1], every label dropped */
};
/* The scale of U in (0,1):  beta = 1: exp(U log(1+s));  else exp(log1p(U expm1((1-beta) log1p(s))) / (1-beta)). */
double guidance_scale(double beta, double s, double U);
/* w, t_min, t_max (0 and 1 for FM samples) and whether the label is dropped. Drops fall on FM samples first:
 * with probability min(1, q/p) on one of them, max(0, (q-p)/(1-p)) on another, p = data_proportion, q = dropout. */
void guidance_draw(const struct guidance *c, uint64_t seed, uint64_t step, uint32_t index, int fm, real *w, real *t_min,
                   real *t_max, int *drop);
/* w' of SPEC 3: w inside the interval, else 1; FM samples are never gated. */
real guidance_gated(int fm, real t, real w, real t_min, real t_max);
#endif
