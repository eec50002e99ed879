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

enum verdict verdict_below(double f, struct verdict_range low, struct verdict_range high) {
  if (low.n < 2 || high.n < 2) return VERDICT_UNDECIDED;
  const int low_whole = low.finite == low.n, high_whole = high.finite == high.n;
  if (!low_whole || !high_whole)
    return low_whole && !high.finite ? VERDICT_HOLDS : high_whole && !low.finite ? VERDICT_FAILS : VERDICT_UNDECIDED;
  const double apart = high.mean - f * low.mean, spread = high.most - high.least + f * (low.most - low.least);
  return apart > spread ? VERDICT_HOLDS : -apart > spread ? VERDICT_FAILS : VERDICT_UNDECIDED;
}

enum verdict verdict_all(size_t n, const enum verdict *of) {
  enum verdict all = n ? VERDICT_HOLDS : VERDICT_UNDECIDED;
  for (size_t i = 0; i < n; i++) {
    if (of[i] == VERDICT_FAILS) return VERDICT_FAILS;
    if (of[i] == VERDICT_UNDECIDED) all = VERDICT_UNDECIDED;
  }
  return all;
}
