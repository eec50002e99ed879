/* solver.h - from noise to data along a velocity field: dz/dt = v(z, t) from t = 1 to 0 in n steps of d = 1/n,
 *   Euler:  z' = z - d v(z, t),                                        the error falls as d;
 *   Heun:   z - d (v(z, t) + v(z', t - d))/2, and Euler for the last,  it falls as d^2, with 2n - 1 evaluations.
 * Source: SPEC 9; the last step is Euler's, as the net is not trained at t = 0.
 * Memory: the caller owns every array. Errors: none. Ranks: local. */
#ifndef FLOW_SOLVER_H
#define FLOW_SOLVER_H
#include <stddef.h>

#include "src/base/real.h"

enum solver { SOLVER_EULER, SOLVER_HEUN };
/* v[n] becomes v(z[n], t); they do not overlap. */
typedef void velocity_field(void *context, real t, const real *z, real *v);

/* How often the field is evaluated. */
size_t solver_evaluations(enum solver s, size_t steps);
/* z[n] enters at t = 1 and leaves at t = 0. v: work, [n] for Euler, [2,n] for Heun. */
void solver_run(enum solver s, size_t steps, velocity_field *field, void *context, size_t n, real *z, real *v);
#endif
