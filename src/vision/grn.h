/* grn.h - global response normalisation of one image x[P,C], P pixels:
 *   y[p,c] = x[p,c] + bias[c] + weight[c] x[p,c] q[c],   q[c] = g[c]/(mean_c g + 1e-6),  g[c] = sqrt(sum_p x[p,c]^2 + 1e-6).
 * Source: arXiv:2301.00808 (ConvNeXt V2). Memory: the caller's; scratch[grn_work] numbers. Errors: none. Ranks: local. */
#ifndef VISION_GRN_H
#define VISION_GRN_H
#include <stddef.h>

#include "src/base/real.h"

struct grn {
  size_t P, C;
  const real *weight, *bias;   /* [C] */
};
size_t grn_work(const struct grn *l);
void grn_forward(const struct grn *l, const real *x, real *y, real *scratch);
/* x_bar[P,C] += (dy/dx)^T y_bar; x: what forward had. */
void grn_backward(const struct grn *l, const real *x, const real *y_bar, real *x_bar, real *scratch);
#endif
