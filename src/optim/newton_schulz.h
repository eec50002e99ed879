/* newton_schulz.h - a step of Newton-Schulz (muon.h) on a matrix or on a piece of one. A matrix of side n = min(out,in) can be cut across
 * its length max(out,in) into pieces, [n,share] of a wide one, [share,n] of a tall one, rows in a row. Each has its part of
 * A = X X^T or X^T X, the sum over the pieces, and by that A alone becomes its part of the next X.
 * Memory: the caller's. Errors: none. Ranks: local. */
#ifndef OPTIM_NEWTON_SCHULZ_H
#define OPTIM_NEWTON_SCHULZ_H
#include <stddef.h>

#include "src/base/real.h"

enum { NEWTON_SCHULZ_STEPS = 5 };
/* A[n,n] of a piece. */
void newton_schulz_gram(int tall, size_t n, size_t share, const real *piece, real *A);
/* A, which is symmetric, as half[n (n + 1) / 2], its rows up to the diagonal; and back. */
void newton_schulz_fold(size_t n, const real *A, real *half);
void newton_schulz_unfold(size_t n, const real *half, real *A);
/* Q[n,n] = a I + b A + c A^2. */
void newton_schulz_polynomial(size_t n, const real *A, real *Q);
/* next = Q piece or piece Q. */
void newton_schulz_turn(int tall, size_t n, size_t share, const real *Q, const real *piece, real *next);
/* The pieces of X[out,in], the k-th with count[k] columns or rows, one after the other in packed[out in]; and back: X holds them, and
 * has its rows again afterwards; scratch[out in]. */
void newton_schulz_cut(size_t out, size_t in, int pieces, const size_t *count, const real *X, real *packed);
void newton_schulz_join(size_t out, size_t in, int pieces, const size_t *count, real *X, real *scratch);
#endif
