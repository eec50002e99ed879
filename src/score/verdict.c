#include "src/score/verdict.h"

#include <math.h>

struct verdict_range verdict_range(size_t n, const double *x) {
  struct verdict_range r = { INFINITY, 0, -INFINITY, n, 0 };
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(x[i])) continue;
    r.finite++;
    r.mean += x[i];
    r.least = fmin(r.least, x[i]), r.most = fmax(r.most, x[i]);
  }
  r.mean = n && r.finite == n ? r.mean / (double)n : INFINITY;
  return r;
}

double verdict_quantile(size_t degrees) {
  static const double t_95[VERDICT_SEEDS] = { INFINITY, 6.3138, 2.9200, 2.3534, 2.1318, 2.0150, 1.9432, 1.8946, 1.8595,
                                              1.8331, 1.8125, 1.7959, 1.7823, 1.7709, 1.7613, 1.7531 };
  return t_95[degrees < VERDICT_SEEDS ? degrees : VERDICT_SEEDS - 1];
}

enum verdict verdict_below(double f, size_t n, const double *low, const double *high, struct verdict_range *difference) {
  const struct verdict_range l = verdict_range(n, low), h = verdict_range(n, high);
  struct verdict_range d = { INFINITY, 0, -INFINITY, n, 0 };
  for (size_t s = 0; s < n; s++) {
    const double apart = high[s] - f * low[s];
    if (!isfinite(apart)) continue;
    d.finite++;
    d.mean += apart / (double)n;
    d.least = fmin(d.least, apart), d.most = fmax(d.most, apart);
  }
  if (d.finite < n) d.mean = INFINITY;
  if (difference) *difference = d;
  if (n < 2) return VERDICT_UNDECIDED;
  if (l.finite < n || h.finite < n)
    return l.finite == n && !h.finite ? VERDICT_HOLDS : h.finite == n && !l.finite ? VERDICT_FAILS : VERDICT_UNDECIDED;
  double squares = 0;
  for (size_t s = 0; s < n; s++) {
    const double off = high[s] - f * low[s] - d.mean;
    squares += off * off;
  }
  const double enough = verdict_quantile(n - 1) * sqrt(squares / (double)(n - 1) / (double)n);
  return d.mean > enough ? VERDICT_HOLDS : -d.mean > enough ? VERDICT_FAILS : VERDICT_UNDECIDED;
}

enum verdict verdict_all(size_t n, const enum verdict *of) {
  enum verdict all = n ? VERDICT_HOLDS : VERDICT_UNDECIDED;
  for (size_t i = 0; i < n; i++) {
    if (of[i] == VERDICT_FAILS) return VERDICT_FAILS;
    if (of[i] == VERDICT_UNDECIDED) all = VERDICT_UNDECIDED;
  }
  return all;
}
