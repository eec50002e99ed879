/* median.h - the middle one of n numbers, the mean of the two in the middle where n is even.
 * Memory: none of its own. Errors: none; n >= 1. Ranks: local. */
#ifndef BASE_MEDIAN_H
#define BASE_MEDIAN_H
#include <stddef.h>

/* Of x[n], which is sorted. */
double median(double *x, size_t n);
#endif
