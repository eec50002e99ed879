#include "src/score/limit.h"

enum { P = LIMIT_POINTS };

size_t limit_part(size_t all, int i) { return all / 2 + (size_t)i * (all - all / 2) / (P - 1); }

double limit_of(const double *n, const double *distance) {
  double x = 0, y = 0, xx = 0, xy = 0;
  for (int i = 0; i < P; i++) x += 1 / n[i] / P, y += distance[i] / P;
  for (int i = 0; i < P; i++) xx += (1 / n[i] - x) * (1 / n[i] - x), xy += (1 / n[i] - x) * (distance[i] - y);
  return y - xy / xx * x;
}
