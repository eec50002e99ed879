/* attention.h - softmax attention of B sequences of T tokens in A heads of width d:
 *   P = softmax(q k^T / sqrt(d)),   o = P v      for each sequence and head.
 * Source: SPEC 5; its tangent (stable, from P itself):  P_dot = P (S_dot - sum_k P S_dot), S = q k^T / sqrt(d).
 * In tiles of queries: their scores, weights and sums, the tangents' too, are done while they lie in the cache (base/tile.h).
 * Shapes: q, k, v, o are rows of tokens with heads side by side, ldq, ldk, ldv, ldo apart; their tangents and
 * gradients are laid out likewise. P is kept for backward; its rows are attention_width(T) apart.
 * Memory: the caller owns every array, work holds attention_work(T, d) numbers; nothing is allocated.
 * Errors: none. Ranks: local; threads share the sequences and heads. */
#ifndef NET_ATTENTION_H
#define NET_ATTENTION_H
#include <stddef.h>

#include "src/base/real.h"

struct attention {
  size_t B, T, A, d;
  size_t ldq, ldk, ldv, ldo;
  const real *q, *k, *v;   /* [B*T, A*d] */
  real *P;                 /* [B,A,T,attention_width(T)], written by forward */
  real *o;                 /* [B*T, A*d], written by forward */
  real *work;
};
/* Tangents; o is written. */
struct attention_dot {
  const real *q, *k, *v;
  real *o;
};
/* Numbers from one row of P to the next: T in whole vectors. */
size_t attention_width(size_t T);
/* Numbers of scratch for all threads. */
size_t attention_work(size_t T, size_t d);
/* With tangents of the first B_dot sequences (0: dot may be NULL). */
void attention_forward(const struct attention *l, size_t B_dot, const struct attention_dot *dot);
/* q_bar, k_bar, v_bar are overwritten. */
void attention_backward(const struct attention *l, const real *o_bar, real *q_bar, real *k_bar, real *v_bar);
#endif
