#include "src/flow/times.h"

#include <math.h>

#include "src/base/random.h"

double times_proportion(const struct times *c) {
  return c->sampler == TIMES_ALL_EQUAL ? 1 : c->sampler == TIMES_ALL_ZERO ? 0 : c->data_proportion;
}

int times_is_fm(const struct times *c, uint64_t index) {
  const double p = times_proportion(c), i = (double)index;
  return floor((i + 1) * p) > floor(i * p);
}

static real sigmoid(double x) { return (real)(1 / (1 + exp(-x))); }

void times_draw(const struct times *c, uint64_t seed, uint64_t step, uint32_t index, real *t, real *r, int *fm) {
  real n[2], u[7];   /* u: numbers of its own block, behind the four that make n */
  const struct purpose p = { seed, STREAM_TIMES, step, index };
  random_normal(p, 2, n);
  random_uniform(p, 7, u);
  const int uniform = c->tr_uniform && u[4] < (real)0.1;
  const real a = uniform ? u[5] : sigmoid(c->P_mean + c->P_std * (double)n[0]);
  const real b = uniform ? u[6] : sigmoid(c->P_mean + c->P_std * (double)n[1]);
  *fm = times_is_fm(c, index);
  if (*fm) *t = *r = a;
  else if (c->sampler == TIMES_OF_TRIANGLE) *t = a > b ? a : b, *r = a > b ? b : a;
  else *t = a, *r = 0;
}

size_t times_tangents_max(const struct times *c, size_t B, size_t m) {
  size_t window = 0, most = 0;
  for (size_t i = 0; i < B; i++) {
    window += !times_is_fm(c, i);
    if (i >= m) window -= !times_is_fm(c, i - m);
    if (window > most) most = window;
  }
  return most;
}
