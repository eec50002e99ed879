#include "src/optim/muon.h"

#include <math.h>
#include <string.h>

#include "src/base/matmul.h"

size_t muon_work(size_t out, size_t in) {
  const size_t rows = out < in ? out : in;
  return 2 * out * in + 2 * rows * rows;
}

void muon_newton_schulz(size_t rows, size_t cols, real *X, real *work) {
  const real a = (real)3.4445, b = (real)-4.7750, c = (real)2.0315;
  real *A = work, *Q = A + rows * rows, *Y = Q + rows * rows;
  for (int step = 0; step < 5; step++) {
    matmul_nt(rows, rows, cols, 1, X, cols, X, cols, 0, A, rows);
    memcpy(Q, A, rows * rows * sizeof *Q);
    matmul_nt(rows, rows, rows, c, A, rows, A, rows, b, Q, rows);   /* Q = b A + c A^2, for A is symmetric */
    memcpy(Y, X, rows * cols * sizeof *Y);
    matmul_nn(rows, cols, rows, 1, Q, rows, Y, cols, a, X, cols);   /* X = a X + Q X */
  }
}

void muon_update(size_t out, size_t in, uint64_t k, double rate, const real *g, real *m, real *w, real *work) {
  const size_t n = out * in;
  const int turned = out > in;
  const size_t rows = turned ? in : out, cols = turned ? out : in;
  const real momentum = (real)(0.95 / (1 - pow(0.95, (double)k + 1))), gradient = (real)(0.05 / (1 - pow(0.95, (double)k)));
  real *X = work;
  double square = 0;
  for (size_t o = 0; o < out; o++)
    for (size_t i = 0; i < in; i++) {
      const size_t j = o * in + i;
      m[j] = (real)0.95 * m[j] + (real)0.05 * g[j];
      const real d = momentum * m[j] + gradient * g[j];
      X[turned ? i * out + o : j] = d;
      square += (double)d * (double)d;
    }
  const real scale = (real)(1 / (sqrt(square) + 1e-8));
  for (size_t j = 0; j < n; j++) X[j] *= scale;
  muon_newton_schulz(rows, cols, X, work + n);
  const real step = (real)(rate * sqrt(out > in ? (double)out / (double)in : 1));
  for (size_t o = 0; o < out; o++)
    for (size_t i = 0; i < in; i++) w[o * in + i] -= step * X[turned ? i * out + o : o * in + i];
}
