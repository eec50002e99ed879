/* gate.h - a gated branch joins the residual stream: y[n,c] = x[n,c] + a[n,c] g[c]   (SPEC 5: g starts at zero).
 * Memory: the caller owns every array; y may be x. Errors: none. Ranks: local. */
#ifndef NET_GATE_H
#define NET_GATE_H
#include <stddef.h>

#include "src/base/real.h"

/* y[N,C]. With x_dot and a_dot in place of x and a it is the tangent: the map is linear in them. */
void gate_forward(size_t N, size_t C, const real *g, const real *x, const real *a, real *y);
/* a_bar[N,C] = y_bar g is overwritten, g_bar[C] += sum_n a y_bar; x's gradient is y_bar itself. */
void gate_backward(size_t N, size_t C, const real *g, const real *a, const real *y_bar, real *a_bar, real *g_bar);
#endif
