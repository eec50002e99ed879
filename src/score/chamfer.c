#include "src/score/chamfer.h"

#include <math.h>

double chamfer_one_way(size_t D, size_t n, const real *a, size_t m, const real *b) {
  double sum = n ? 0 : INFINITY;
  for (size_t i = 0; i < n; i++) {
    double least = INFINITY;
    for (size_t j = 0; j < m; j++) {
      double square = 0;
      for (size_t d = 0; d < D; d++) {
        const double x = (double)a[i * D + d] - (double)b[j * D + d];
        square += x * x;
      }
      if (square < least) least = square;   /* what is no number is never less */
    }
    sum += sqrt(least);
  }
  return sum / (double)(n ? n : 1);
}

double chamfer_distance(size_t D, size_t n, const real *a, size_t m, const real *b) {
  return chamfer_one_way(D, n, a, m, b) + chamfer_one_way(D, m, b, n, a);
}
