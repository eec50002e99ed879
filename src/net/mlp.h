/* mlp.h - a plain net of linear layers with ReLU between them:
 *   a_0 = x,  a_l = max(0, W_l a_{l-1} + b_l) for l = 1 .. depth-1,  y = W_depth a_{depth-1} + b_depth.
 * Where a ReLU's input is 0 its derivative is taken as 0.
 * Shapes: in brackets; rows of values and, stacked under them, rows of tangents: row B + n is the tangent of row n, n < B_dot.
 * Memory: the table owns its list (mlp_free); the work is laid out in the caller's arena. Errors: none. Ranks: local. */
#ifndef NET_MLP_H
#define NET_MLP_H
#include "src/base/arena.h"
#include "src/base/table.h"

enum { MLP_DEPTH = 8 };
struct mlp {
  size_t in, width, out, depth;          /* depth: linear layers, 2 .. MLP_DEPTH */
  struct table table;                    /* initial weights N(0, 2/inputs), biases 0 */
  size_t W[MLP_DEPTH], b[MLP_DEPTH];     /* offsets */
};
struct mlp_work {
  real *a[MLP_DEPTH];                    /* [B+B_dot,width]: a_1 .. a_{depth-1}, written by forward */
  real *bar[2];                          /* [B,width] */
};
void mlp_init(struct mlp *m, size_t in, size_t width, size_t depth, size_t out);
void mlp_free(struct mlp *m);
void mlp_layout(struct arena *arena, const struct mlp *m, size_t B, size_t B_dot, struct mlp_work *k);
/* y[B+B_dot,out] of x[B+B_dot,in]. */
void mlp_forward(const struct mlp *m, const real *weights, struct mlp_work *k, size_t B, size_t B_dot, const real *x, real *y);
/* grads[table.size] += (dy/dweights)^T y_bar[B,out] at the x[B,in] of the last forward. */
void mlp_backward(const struct mlp *m, const real *weights, struct mlp_work *k, size_t B, const real *x, const real *y_bar,
                  real *grads);
#endif
