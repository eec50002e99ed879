#include "src/optim/muon.h"

#include <math.h>
#include <string.h>

#include "src/optim/newton_schulz.h"

size_t muon_work(size_t out, size_t in) {
  const size_t rows = out < in ? out : in;
  return 2 * out * in + 2 * rows * rows;
}

double muon_piece_flops(size_t out, size_t in, int ranks) {
  const double rows = (double)(out < in ? out : in), cols = ceil((double)(out < in ? in : out) / ranks);
  return 5 * (rows * rows * cols + rows * rows * rows + 2 * rows * rows * cols);
}

double muon_flops(size_t out, size_t in) { return muon_piece_flops(out, in, 1); }

void muon_newton_schulz(size_t out, size_t in, real *X, real *work, void (*breathe)(void *), void *context) {
  const int tall = out > in;
  const size_t n = tall ? in : out;
  real *A = work, *Q = A + n * n, *next = Q + n * n, *now = X;
  for (int step = 0; step < NEWTON_SCHULZ_STEPS; step++) {
    if (step && breathe) breathe(context);
    newton_schulz_gram(tall, n, tall ? out : in, now, A);
    if (breathe) breathe(context);
    newton_schulz_polynomial(n, A, Q);
    if (breathe) breathe(context);
    newton_schulz_turn(tall, n, tall ? out : in, Q, now, next);
    real *swap = now;
    now = next;
    next = swap;
  }
  memcpy(X, now, out * in * sizeof *X);   /* five is odd: the last result lies in the other place */
}

void muon_momentum(size_t n, const real *g, real *m) {
  for (size_t i = 0; i < n; i++) m[i] = (real)0.95 * m[i] + (real)0.05 * g[i];
}

void muon_update(size_t out, size_t in, uint64_t k, double rate, const real *g, const real *m, real *w,
                 const struct muon_help *help, real *work) {
  const real momentum = (real)(0.95 / (1 - pow(0.95, (double)k + 1))), gradient = (real)(0.05 / (1 - pow(0.95, (double)k)));
  real *X = work;
  double square = 0;
  for (size_t o = 0; o < out; o++) {
    real row = 0;
#pragma omp simd reduction(+ : row)
    for (size_t j = o * in; j < (o + 1) * in; j++) {
      const real d = X[j] = momentum * m[j] + gradient * g[j];
      row += d * d;
    }
    square += (double)row;
  }
  const real scale = (real)(1 / (sqrt(square) + 1e-8));
  for (size_t j = 0; j < out * in; j++) X[j] *= scale;
  if (help) help->newton_schulz(help->context, out, in, X, work + out * in);
  else muon_newton_schulz(out, in, X, work + out * in, NULL, NULL);
  const real step = (real)(rate * sqrt(out > in ? (double)out / (double)in : 1));
  for (size_t j = 0; j < out * in; j++) w[j] -= step * X[j];
}
