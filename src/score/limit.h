/* limit.h - the Frechet distance that infinitely many images would have. Few images make a distance too large by
 * c/N + O(1/N^2), with a c that depends on the net too; a line over 1/N through the distances of some N is read off at 0. The
 * reference stays as it is. The distances are those of prefixes of one set, of N/2 and more images: they hang together, which
 * moves no line's expectation.
 * Source: Chong, Forsyth, arXiv:1911.07023, FID_infinity (there 15 values of N, from 5,000 on). Units: the distance's. Memory: none
 * but the caller's. Errors: none. Ranks: local. */
#ifndef SCORE_LIMIT_H
#define SCORE_LIMIT_H
#include <stddef.h>

enum { LIMIT_POINTS = 5 };
/* How many of `all` parts the point i = 0 .. LIMIT_POINTS-1 has: half of them, ..., all. */
size_t limit_part(size_t all, int i);
/* At 1/n = 0 the line of least squares through distance[LIMIT_POINTS] over 1/n; the n are not all equal. */
double limit_of(const double *n, const double *distance);
#endif
