#include "src/flow/velocity.h"

static const real t_least = (real)0.05;

real velocity_clip(real t) { return t < t_least ? t_least : t > 1 ? 1 : t; }

void velocity_forward(enum prediction p, size_t n, real t, const real *z, const real *x, real *u) {
  const real tc = velocity_clip(t);
  for (size_t i = 0; i < n; i++) u[i] = p == PREDICT_X ? (z[i] - x[i]) / tc : x[i];
}

void velocity_tangent(enum prediction p, size_t n, real t, const real *z, const real *x, const real *z_dot,
                      const real *x_dot, real *u_dot) {
  const real tc = velocity_clip(t), inverse_dot = t > t_least && t < 1 ? -1 / (tc * tc) : 0;
  for (size_t i = 0; i < n; i++)
    u_dot[i] = p == PREDICT_X ? (z_dot[i] - x_dot[i]) / tc + (z[i] - x[i]) * inverse_dot : x_dot[i];
}

void velocity_backward(enum prediction p, size_t n, real t, const real *u_bar, real *x_bar) {
  const real factor = p == PREDICT_X ? -1 / velocity_clip(t) : 1;
  for (size_t i = 0; i < n; i++) x_bar[i] = factor * u_bar[i];
}
