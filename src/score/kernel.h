/* kernel.h - kernel inception distance: the unbiased estimate of the squared maximum mean discrepancy with
 * k(a,b) = (a.b/D + 1)^3:
 *   mean_{i!=j} k(x_i,x_j) + mean_{i!=j} k(y_i,y_j) - 2 mean_{ij} k(x_i,y_j).
 * Its expectation is 0 for two samples of one law, whatever their sizes; single values may be negative.
 * The sums can be shared: each rank sums over its own rows against blocks of all, as kernel_sum is additive in both.
 * Source: Binkowski et al., arXiv:1801.01401. Units: none. Memory: the caller's. Ranks: local. Errors: none. */
#ifndef SCORE_KERNEL_H
#define SCORE_KERNEL_H
#include <stddef.h>

/* sum_{i<n} sum_{j<m} k(x_i, y_j), x[n,D], y[m,D], products in double. scratch: KERNEL_TILE (2 D + KERNEL_TILE) doubles. */
enum { KERNEL_TILE = 256 };
double kernel_sum(size_t D, size_t n, const float *x, size_t m, const float *y, double *scratch);
/* sum_i k(x_i, x_i). */
double kernel_diagonal(size_t D, size_t n, const float *x);
/* From the sums over all pairs, the diagonal in xx and yy still in them; n, m >= 2. */
double kernel_distance(size_t n, double xx, double x_diagonal, size_t m, double yy, double y_diagonal, double xy);
#endif
