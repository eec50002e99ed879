/* attention.h - softmax attention of B sequences of T tokens in A heads of width d:
 *   P = softmax(q k^T / sqrt(d)),   o = P v      for each sequence and head.
 * Source: SPEC 5; its tangent (stable, from P itself):  P_dot = P (S_dot - sum_k P S_dot), S = q k^T / sqrt(d).
 * Shapes: q, k, v, o are rows of tokens with heads side by side, ldq, ldk, ldv, ldo apart; their tangents and
 * gradients are laid out likewise. P is kept for tangent and backward.
 * Memory: the caller owns every array, work holds attention_work(T) numbers; nothing is allocated.
 * Errors: none. Ranks: local; threads share the sequences and heads. */
#ifndef NET_ATTENTION_H
#define NET_ATTENTION_H
#include <stddef.h>

#include "src/base/real.h"

struct attention {
  size_t B, T, A, d;
  size_t ldq, ldk, ldv, ldo;
  const real *q, *k, *v;   /* [B*T, A*d] */
  real *P;                 /* [B,A,T,T], written by forward */
  real *o;                 /* [B*T, A*d], written by forward */
  real *work;
};
/* Numbers of scratch for all threads. */
size_t attention_work(size_t T);
void attention_forward(const struct attention *l);
/* o_dot for the first B_dot sequences. */
void attention_tangent(const struct attention *l, size_t B_dot, const real *q_dot, const real *k_dot, const real *v_dot,
                       real *o_dot);
/* q_bar, k_bar, v_bar are overwritten. */
void attention_backward(const struct attention *l, const real *o_bar, real *q_bar, real *k_bar, real *v_bar);
#endif
