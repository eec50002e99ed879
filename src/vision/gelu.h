/* gelu.h - y = x Phi(x), Phi the normal distribution's: exact, by erf. Source: arXiv:1606.08415.
 * Memory: the caller's. Errors: none. Ranks: local. */
#ifndef VISION_GELU_H
#define VISION_GELU_H
#include <stddef.h>

#include "src/base/real.h"

void gelu_forward(size_t n, const real *x, real *y);
/* x_bar[n] += (Phi(x) + x phi(x)) y_bar. */
void gelu_backward(size_t n, const real *x, const real *y_bar, real *x_bar);
#endif
