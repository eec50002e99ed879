/* velocity.h - from what the net predicts to the velocity it means (SPEC 1), for one sample of n numbers at time t:
 *   prediction x:  u = (z - x)/tc,  tc = clip(t, 0.05, 1);       prediction u:  u = x, the output itself.
 * Memory: the caller owns every array. Errors: none. Ranks: local. */
#ifndef FLOW_VELOCITY_H
#define FLOW_VELOCITY_H
#include <stddef.h>

#include "src/base/real.h"

enum prediction { PREDICT_X, PREDICT_U };

/* clip(t, 0.05, 1) */
real velocity_clip(real t);
/* u[n]; z and u may not overlap, x and u may be one. */
void velocity_forward(enum prediction p, size_t n, real t, const real *z, const real *x, real *u);
/* u_dot[n] along (z_dot, x_dot) and t_dot = 1: d(1/tc) = -1/tc^2 for 0.05 < t < 1, else 0. */
void velocity_tangent(enum prediction p, size_t n, real t, const real *z, const real *x, const real *z_dot,
                      const real *x_dot, real *u_dot);
/* x_bar[n], overwritten; may be u_bar. */
void velocity_backward(enum prediction p, size_t n, real t, const real *u_bar, real *x_bar);
#endif
