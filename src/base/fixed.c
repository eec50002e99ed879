#include "src/base/fixed.h"

#include <math.h>

static const double unit = 0x1p-44, units = 0x1p44;

double fixed_most(size_t terms) { return 0x1p19 / (double)(terms + 1); }

int fixed_add(size_t n, const real *x, double most, int64_t *sum) {
  int bad = 0;
#pragma omp parallel for simd reduction(| : bad)
  for (size_t i = 0; i < n; i++) {
    const double value = (double)x[i];
    const int good = fabs(value) <= most;   /* not where it is no number */
    bad |= !good;
    sum[i] += llrint(good ? value * units : 0);
  }
  return bad;
}

void fixed_value(size_t n, const int64_t *sum, double scale, real *x) {
#pragma omp parallel for simd
  for (size_t i = 0; i < n; i++) x[i] = (real)((double)sum[i] * unit * scale);
}
