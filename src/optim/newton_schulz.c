#include "src/optim/newton_schulz.h"

#include <string.h>

#include "src/base/matmul.h"

void newton_schulz_gram(int tall, size_t n, size_t share, const real *piece, real *A) {
  if (tall) matmul_symmetric_tn(n, share, 1, piece, n, 0, A, n);
  else matmul_symmetric_nt(n, share, 1, piece, share, 0, A, n);
}

void newton_schulz_fold(size_t n, const real *A, real *half) {
  for (size_t i = 0; i < n; half += ++i) memcpy(half, A + i * n, (i + 1) * sizeof *half);
}

void newton_schulz_unfold(size_t n, const real *half, real *A) {
  for (size_t i = 0; i < n; half += ++i)
    for (size_t j = 0; j <= i; j++) A[i * n + j] = A[j * n + i] = half[j];
}

void newton_schulz_polynomial(size_t n, const real *A, real *Q) {
  const real a = (real)3.4445, b = (real)-4.7750, c = (real)2.0315;
  memcpy(Q, A, n * n * sizeof *Q);
  matmul_symmetric_nt(n, n, c, A, n, b, Q, n);
  for (size_t i = 0; i < n; i++) Q[i * n + i] += a;
}

void newton_schulz_turn(int tall, size_t n, size_t share, const real *Q, const real *piece, real *next) {
  if (tall) matmul_nn(share, n, n, 1, piece, n, Q, n, 0, next, n);
  else matmul_nn(n, share, n, 1, Q, n, piece, share, 0, next, share);
}

void newton_schulz_cut(size_t out, size_t in, int pieces, const size_t *count, const real *X, real *packed) {
  if (out > in) memcpy(packed, X, out * in * sizeof *X);   /* pieces of a tall one lie one after the other */
  for (size_t k = 0, first = 0; k < (size_t)pieces && out <= in; first += count[k++])
    for (size_t i = 0; i < out; i++, packed += count[k]) memcpy(packed, X + i * in + first, count[k] * sizeof *X);
}

void newton_schulz_join(size_t out, size_t in, int pieces, const size_t *count, real *X, real *scratch) {
  if (out > in) return;
  memcpy(scratch, X, out * in * sizeof *X);
  for (size_t k = 0, first = 0; k < (size_t)pieces; first += count[k++])
    for (size_t i = 0; i < out; i++, scratch += count[k]) memcpy(X + i * in + first, scratch, count[k] * sizeof *X);
}
