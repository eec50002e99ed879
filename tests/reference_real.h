/* reference_real.h - arrays in the number type of the build: float, or double in tests/double_reference. */
#ifndef TESTS_REFERENCE_REAL_H
#define TESTS_REFERENCE_REAL_H
#include <stdlib.h>

#include "tests/reference.h"

static inline const real *real_numbers(const struct array *a) {
#ifdef PMF_DOUBLE
  return a->value;
#else
  return a->single;
#endif
}

/* n zeros, the caller's to free. */
static inline real *real_zeros(size_t n) {
  real *x = calloc(n ? n : 1, sizeof *x);
  if (!x) abort();
  return x;
}
#endif
