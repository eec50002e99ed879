/* fixed.h - sums that have the same bits in any order: numbers rounded to whole multiples of one unit, u = 2^-44, and added as
 * 64-bit integers, which is exact. One absolute unit, agreed once for all: float32 numbers of size 2^-21 (5e-7) and above keep
 * all their bits, as their last one is then no less than 2^-44; smaller ones are rounded by at most 2^-45 (3e-14). Sums reach
 * 2^63 u = 2^19. Sums of `terms` numbers, each at most fixed_most(terms) in size, cannot pass that.
 * Memory: the caller's. Errors: where it says so. Ranks: local. */
#ifndef BASE_FIXED_H
#define BASE_FIXED_H
#include <stddef.h>
#include <stdint.h>

#include "src/base/real.h"

double fixed_most(size_t terms);
/* sum[n] += x[n] / u, rounded to the nearest, halves to even. Returns 0; nonzero if a number is not finite or above `most` in
 * size, and then sum is undefined. */
int fixed_add(size_t n, const real *x, double most, int64_t *sum);
/* x[n] = scale u sum[n], in double, rounded once. */
void fixed_value(size_t n, const int64_t *sum, double scale, real *x);
#endif
