/* linear.h - y[n,o] = sum_i W[o,i] x[n,i] + b[o].
 * Shapes: in brackets, row-major; rows of x are I apart, rows of y O apart.
 * Memory: the caller owns every array; outputs do not overlap inputs. Errors: none. Ranks: local. */
#ifndef NET_LINEAR_H
#define NET_LINEAR_H
#include <stddef.h>

#include "src/base/real.h"

struct linear {
  size_t I, O;
  const real *W;   /* [O,I] */
  const real *b;   /* [O], or NULL */
};
/* y[N+N_dot,O]: rows of values, and stacked under them rows of tangents, in one product. A tangent takes no bias:
 * y_dot = x_dot W^T, with W held fixed. */
void linear_forward(const struct linear *l, size_t N, size_t N_dot, const real *x, real *y);
/* x_bar[N,I] = y_bar W is overwritten (NULL: not wanted); W_bar[O,I] += y_bar^T x and b_bar[O] += sum_n y_bar add. */
void linear_backward(const struct linear *l, size_t N, const real *x, const real *y_bar, real *x_bar, real *W_bar,
                     real *b_bar);
/* Its two products apart, with both wanted. */
void linear_backward_input(const struct linear *l, size_t N, const real *y_bar, real *x_bar);
void linear_backward_weights(const struct linear *l, size_t N, const real *x, const real *y_bar, real *W_bar, real *b_bar);
/* The most numbers that a product of the two rounds (matmul_rounded); x_bar: whether it is wanted. */
size_t linear_rounded(size_t I, size_t O, size_t N, size_t N_dot, int x_bar);
#endif
