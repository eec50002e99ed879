/* layernorm.h - each row of x to mean 0 and variance 1:
 *   y[n,c] = weight[c] (x[n,c] - m[n]) s[n] + bias[c],   s[n] = (mean_c (x[n,c] - m[n])^2 + eps)^(-1/2).
 * Source: arXiv:1607.06450. Shapes: rows [N,C], a pixel each. Memory: the caller's; mean and scale are found anew on the way
 * back. Errors: none. Ranks: local. */
#ifndef VISION_LAYERNORM_H
#define VISION_LAYERNORM_H
#include <stddef.h>

#include "src/base/real.h"

struct layernorm {
  size_t N, C;
  const real *weight, *bias;   /* [C] */
  double eps;
};
void layernorm_forward(const struct layernorm *l, const real *x, real *y);
/* x_bar[N,C] += (dy/dx)^T y_bar; x: what forward had. */
void layernorm_backward(const struct layernorm *l, const real *x, const real *y_bar, real *x_bar);
#endif
