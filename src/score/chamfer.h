/* chamfer.h - how far two sets of points lie from each other, both ways:
 *   mean_i min_j |a_i - b_j| + mean_j min_i |a_i - b_j|.
 * The first part grows where a has points that b has not, the second where a leaves parts of b out.
 * Units: those of the points. Memory: none. Errors: none; INFINITY where a number is none, or a set is empty. Ranks: local. */
#ifndef SCORE_CHAMFER_H
#define SCORE_CHAMFER_H
#include <stddef.h>

#include "src/base/real.h"

/* mean_i min_j |a_i - b_j| of a[n,D], b[m,D]. */
double chamfer_one_way(size_t D, size_t n, const real *a, size_t m, const real *b);
double chamfer_distance(size_t D, size_t n, const real *a, size_t m, const real *b);
#endif
