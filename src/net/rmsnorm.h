/* rmsnorm.h - scale each group of C numbers by the inverse of its root mean square:
 *   y[n,g,c] = w[c] x[n,g,c] s[n,g],    s[n,g] = (mean_c x[n,g,c]^2 + eps)^(-1/2)
 * A token's D channels are one group (G = 1, C = D); its A heads are A groups of d that share one weight.
 * Source: arXiv:1910.07467, eq. 4, with eps = 1e-6 added under the root (SPEC 5).
 * Shapes: in brackets; rows of x lie ldx apart, rows of y ldy apart (the same for tangents and gradients).
 * Units:  s in 1/(unit of x), so y is in the unit of w.
 * Memory: the caller owns every array; outputs do not overlap inputs; nothing is allocated.
 * Errors: none. Ranks: local, no communication. */
#ifndef NET_RMSNORM_H
#define NET_RMSNORM_H
#include <stddef.h>

#include "src/base/real.h"

struct rmsnorm {
  size_t N, G, C;    /* rows (tokens), groups in a row, numbers in a group */
  size_t ldx, ldy;
  const real *w;     /* [C]      weight */
  const real *x;     /* [N,G,C]  input, unchanged until backward is done */
  real *y, *s;       /* [N,G,C] and [N,G], written by forward */
};
void rmsnorm_forward(const struct rmsnorm *l);
/* y_dot[N_dot,G,C] = (dy/dx) x_dot for the first N_dot rows, with w held fixed. */
void rmsnorm_tangent(const struct rmsnorm *l, size_t N_dot, const real *x_dot, real *y_dot);
/* x_bar[N,G,C] += (dy/dx)^T y_bar and w_bar[C] += (dy/dw)^T y_bar: they add, as paths may meet. */
void rmsnorm_backward(const struct rmsnorm *l, const real *y_bar, real *x_bar, real *w_bar);
#endif
