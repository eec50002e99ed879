#include "src/flow/solver.h"

size_t solver_evaluations(enum solver s, size_t steps) { return s == SOLVER_HEUN ? 2 * steps - 1 : steps; }

void solver_run(enum solver s, size_t steps, velocity_field *field, void *context, size_t n, real *z, real *v) {
  for (size_t step = 0; step < steps; step++) {
    const double t = 1 - (double)step / (double)steps, next = 1 - (double)(step + 1) / (double)steps;
    const real d = (real)(t - next);
    field(context, (real)t, z, v);
    for (size_t i = 0; i < n; i++) z[i] -= d * v[i];
    if (s == SOLVER_EULER || step + 1 == steps) continue;
    real *v_next = v + n;
    field(context, (real)next, z, v_next);
    for (size_t i = 0; i < n; i++) z[i] += d / 2 * (v[i] - v_next[i]);   /* as if the step had gone along their mean */
  }
}
