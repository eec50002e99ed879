/* neighbours.h - precision and recall of a set of images by the balls of the other's features:
 *   the ball of x_i reaches to its k-th nearest neighbour in its own set, k = 3;
 *   precision: the share of generated images inside a ball of a real one; recall: of real ones inside one of a generated one.
 * Both are additive in blocks, so that ranks can share rows and pass columns round.
 * Source: Kynkaanniemi et al., arXiv:1904.06991. Units: squares of the features'. Memory: the caller's; scratch: as in kernel.h, of
 * whose D no more than NEIGHBOURS_DEPTH count: longer rows are taken in pieces.
 * Errors: none. Ranks: local. */
#ifndef SCORE_NEIGHBOURS_H
#define SCORE_NEIGHBOURS_H
#include <stddef.h>
#include <stdint.h>

enum { NEIGHBOURS = 3, NEIGHBOURS_DEPTH = 2048 };
/* nearest[n,3]: the least squared distances of x[n,D] so far, ascending, INFINITY at first; takes y[m,D] in. Where y is a part of
 * x's own set, `self` is the row of x that y's first is (else SIZE_MAX; may be beyond n, or "before" it by wrapping): an image
 * is no neighbour of itself. */
void neighbours_add(size_t D, size_t n, const float *x, size_t m, const float *y, size_t self, double *nearest, double *scratch);
/* The same of images' bytes, x[n,D] and y[m,D]; exact for D < 2^36, so that it is the same on all machines. */
void neighbours_add_bytes(size_t D, size_t n, const uint8_t *x, size_t m, const uint8_t *y, double *nearest, double *scratch);
/* inside[i] = 1 where x_i is within radius[j] (squared) of a y_j. */
void neighbours_cover(size_t D, size_t n, const float *x, size_t m, const float *y, const double *radius, uint8_t *inside,
                      double *scratch);
#endif
