/* moments.h - count, mean and sum of squared deviations of feature vectors, in double, mergeable:
 *   n = n1 + n2,  m = m1 + (n2/n) (m2 - m1),  S = S1 + S2 + (n1 n2/n) (m2 - m1)(m2 - m1)^T.
 * Deviations are taken from a chunk's own mean before they are squared, so a great mean costs the covariance nothing.
 * Source: Chan, Golub, LeVeque 1983. Units: mean in those of x, S in their square.
 * Memory: the caller's: mean[D], S[D,D]. Errors: none. Ranks: local. */
#ifndef SCORE_MOMENTS_H
#define SCORE_MOMENTS_H
#include <stddef.h>

struct moments {
  size_t D;
  double n;
  double *mean;   /* [D] */
  double *S;      /* [D,D], symmetric to the bit, sum of (x - mean)(x - mean)^T; the covariance is S/(n-1) */
};
/* Nothing seen: all zero, and the identity of moments_merge. */
void moments_reset(struct moments *m);
/* Adds n vectors x[n,D]. scratch: n D + D D + D doubles. */
void moments_add(struct moments *m, size_t n, const float *x, double *scratch);
/* a takes b in; b stays. */
void moments_merge(struct moments *a, const struct moments *b);
#endif
