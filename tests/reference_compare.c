/* Results: the files' measure, and one line for each comparison. */
#include <math.h>
#include <stdio.h>

#include "tests/reference.h"

const double limit_value = 2e-5, limit_gradient = 1e-4, limit_tangent = 1e-4, limit_step = 1e-3;

size_t shape_count(const struct shape *s) {
  size_t count = 1;
  for (int i = 0; i < s->rank; i++) count *= s->dims[i];
  return count;
}

int shape_same(const struct shape *a, const struct shape *b) {
  int i = 0, j = 0;
  for (;; i++, j++) {
    while (i < a->rank && a->dims[i] == 1) i++;
    while (j < b->rank && b->dims[j] == 1) j++;
    if (i == a->rank || j == b->rank) return i == a->rank && j == b->rank;
    if (a->dims[i] != b->dims[j]) return 0;
  }
}

static double difference(size_t n, const real *mine, const float *theirs) {
  double error = 0, scale = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = fabs((double)(float)mine[i] - (double)theirs[i]);
    if (!isfinite(d)) return INFINITY;
    error = fmax(error, d);
    scale = fmax(scale, fabs((double)theirs[i]));
  }
  return scale > 0 ? error / scale : error;
}

double reference_error(size_t count, size_t samples, const real *mine, const float *theirs) {
  double error = 0;
  const size_t n = samples ? count / samples : count;
  for (size_t i = 0; i < count; i += n) error = fmax(error, difference(n, mine + i, theirs + i));
  return error;
}

void reference_judge(struct reference *r, const char *what, double error, double limit) {
  const int good = error <= limit;
  printf("%s %s %-60s %.2e (limit %.0e)\n", good ? "ok  " : "FAIL", r->name, what, error, limit);
  good ? r->passed++ : r->failed++;
}

void reference_compare_arrays(struct reference *r, const char *what, size_t count, size_t samples, const real *mine,
                              const float *theirs, double limit) {
  if (!count) reference_fail(r, what, "is empty");
  else reference_judge(r, what, reference_error(count, samples, mine, theirs), limit);
}

void reference_compare(struct reference *r, const char *name, const real *mine, struct shape shape, size_t samples, double limit) {
  if (!reference_wants(r, name) || !reference_has(r, name)) return;
  const struct array *a = reference_read(r, name);
  if (!a) return;
  if (!shape_same(&a->shape, &shape)) reference_fail(r, name, "has another shape than the computed result");
  else reference_compare_arrays(r, name, a->count, samples, mine, a->single, limit);
}

void reference_compare_number(struct reference *r, const char *group, const char *name, double mine, double limit) {
  const char *full = reference_path(r, "%s@%s", group, name);
  if (reference_wants(r, full) && reference_has(r, full)) {
    double theirs;
    if (!reference_numbers(r, group, name, 1, &theirs))
      reference_judge(r, full, fabs(mine - theirs) / (theirs != 0 ? fabs(theirs) : 1), limit);
  }
  reference_compare(r, reference_path(r, "%s/%s", group, name), &(real){ (real)mine }, SHAPE(1), 0, limit);
}
