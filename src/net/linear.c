#include "src/net/linear.h"

#include "src/base/matmul.h"

void linear_forward(const struct linear *l, size_t N, size_t N_dot, const real *x, real *y) {
  const size_t I = l->I, O = l->O;
  matmul_layer_nt(N + N_dot, O, I, x, I, l->W, I, 0, y, O);
  if (l->b)
    for (size_t n = 0; n < N; n++)
      for (size_t o = 0; o < O; o++) y[n * O + o] += l->b[o];
}

void linear_backward_input(const struct linear *l, size_t N, const real *y_bar, real *x_bar) {
  matmul_layer_nn(N, l->I, l->O, y_bar, l->O, l->W, l->I, 0, x_bar, l->I);
}

void linear_backward_weights(const struct linear *l, size_t N, const real *x, const real *y_bar, real *W_bar, real *b_bar) {
  const size_t I = l->I, O = l->O;
  matmul_layer_tn(O, I, N, y_bar, O, x, I, 1, W_bar, I);
  if (l->b)
    for (size_t n = 0; n < N; n++)
      for (size_t o = 0; o < O; o++) b_bar[o] += y_bar[n * O + o];
}

void linear_backward(const struct linear *l, size_t N, const real *x, const real *y_bar, real *x_bar, real *W_bar,
                     real *b_bar) {
  if (x_bar) linear_backward_input(l, N, y_bar, x_bar);
  linear_backward_weights(l, N, x, y_bar, W_bar, b_bar);
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

size_t linear_rounded(size_t I, size_t O, size_t N, size_t N_dot, int x_bar) {
  return larger(matmul_rounded(N + N_dot, O, I), larger(x_bar ? matmul_rounded(N, I, O) : 0, matmul_rounded(O, I, N)));
}
