/* times.h - the two times of a sample, r <= t (SPEC 2), a function of (seed, step, sample index).
 * A draw is t = sigmoid(P_mean + P_std n); with tr_uniform, with probability 0.1, both draws are U(0,1) instead.
 * Sample i of the global batch is FM (flow matching, r = t) where floor((i+1)p) > floor(i p), p = data_proportion (SPEC 3);
 * FM is a property of the index, so every number of ranks carries the same work.
 * Errors: none. Ranks: local. */
#ifndef FLOW_TIMES_H
#define FLOW_TIMES_H
#include <stddef.h>
#include <stdint.h>

#include "src/base/real.h"

enum times_sampler {
  TIMES_OF_TRIANGLE,  /* FM: r = t; the others cover 0 <= r <= t: t = max, r = min of two draws */
  TIMES_ALL_EQUAL,    /* all FM */
  TIMES_ALL_ZERO,     /* none FM: one draw t, r = 0 */
  TIMES_EQUAL_OR_ZERO /* FM: r = t; the others r = 0 */
};
struct times {
  enum times_sampler sampler;
  double P_mean, P_std, data_proportion;
  int tr_uniform;
};
/* The share of FM samples that the sampler uses: data_proportion, or 1, or 0. */
double times_proportion(const struct times *c);
int times_is_fm(const struct times *c, uint64_t index);
void times_draw(const struct times *c, uint64_t seed, uint64_t step, uint32_t index, real *t, real *r, int *fm);
/* The most samples that are not FM among any m consecutive indices of a batch of B. */
size_t times_tangents_max(const struct times *c, size_t B, size_t m);
#endif
