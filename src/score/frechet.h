/* frechet.h - Frechet distance of two Gaussians (SPEC 10):
 *   |m1-m2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1^1/2 S2 S1^1/2),    S: covariances with divisor n-1.
 * Each S = R^T R by a symmetric eigen-decomposition (LAPACK dsyevd): the rows of R[r,D] are eigenvectors times the roots of
 * their eigenvalues. The matrix under the last root has the eigenvalues of (R2 R1^T)^T (R2 R1^T), so its trace is the sum of
 * R2 R1^T's singular values (dgesdd): no square is formed whose root would keep half the digits.
 * R keeps the eigenvalues above 1e-13 of the largest; the others, negative ones too, are rounding and count as 0. Fewer images
 * than features therefore need nothing else, and R is then as thin as they are few.
 * Source: Dowson, Landau 1982; Heusel et al., arXiv:1706.08500. Units: the square of the features'.
 * Memory: about 4 D^2 doubles, allocated and freed inside. Errors: STATUS_NOMEM; STATUS_BAD: n < 2, or a number that is not
 * finite; the result is then untouched. Ranks: local. */
#ifndef SCORE_FRECHET_H
#define SCORE_FRECHET_H
#include "src/score/moments.h"

/* Never negative: rounding below 0 is 0. */
int frechet_distance(const struct moments *a, const struct moments *b, double *distance);
/* The same from the features themselves, x[n,D] and y[m,D], where both are few: n, m <= D. R is then the deviations from the mean
 * over sqrt(n-1), and no decomposition of a [D,D] matrix is needed. */
int frechet_distance_rows(size_t D, size_t n, const float *x, size_t m, const float *y, double *distance);
/* The same with the mass of the eigenvalues that were taken as 0, as a part of tr S1 + tr S2: 1e-13 or less, or S is no
 * covariance. */
int frechet_distance_clipped(const struct moments *a, const struct moments *b, double *distance, double *clipped);
#endif
