/* vecmath.h - exp, erf and the sigmoid of arrays, by SLEEF's vector functions (error at most 1.0 unit in the last place for
 * exp and erf); the vector length is that of the instruction set compiled for. y may be x. Ranks: local. Errors: none.
 * An element's result does not depend on its place in the array. */
#ifndef BASE_VECMATH_H
#define BASE_VECMATH_H
#include <stddef.h>

#include "src/base/real.h"

/* y[n] = e^x. */
void vecmath_exp(size_t n, const real *x, real *y);
/* y[n] = erf(x). */
void vecmath_erf(size_t n, const real *x, real *y);
/* y[n] = 1/(1 + e^-x). */
void vecmath_sigmoid(size_t n, const real *x, real *y);
#endif
