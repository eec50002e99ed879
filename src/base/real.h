/* real.h - the number type of the numeric sources: float in the program, double in the tests that
 * compare with finite differences (compiled a second time with -DPMF_DOUBLE). */
#ifndef BASE_REAL_H
#define BASE_REAL_H

#ifdef PMF_DOUBLE
typedef double real;
#else
typedef float real;
#endif
#endif
