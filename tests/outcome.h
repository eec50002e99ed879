/* outcome.h - what the tests of a step share: its result, how far two of them are apart, and weights for it. Include it after
 * harness.h with HARNESS_MPI.
 * Errors: infinite where a number is none. Memory: the caller frees what is new. Ranks: local. */
#ifndef TESTS_OUTCOME_H
#define TESTS_OUTCOME_H
#include "src/flow/objective.h"
#include "src/net/net.h"

/* One step's result. */
struct outcome { real *grads; struct objective_sums sums; };

/* Initial values with noise on them: zeros in gates would hide errors behind them. */
static inline real *random_weights(const struct net *n) {
  real *w = new_zeros(n->table.size), *noise = new_normal(7, n->table.size);
  table_init_weights(&n->table, 1, w);
  for (size_t i = 0; i < n->table.count; i++) {
    const struct tensor *t = &n->table.tensors[i];
    for (size_t j = t->offset; j < t->offset + t->size; j++) w[j] += (real)0.1 * noise[j];
  }
  free(noise);
  return w;
}

/* The worst tensor's error, in the measure of the reference values. */
static inline double gradient_error(const struct net *n, const struct outcome *a, const struct outcome *b) {
  double worst = 0;
  for (size_t i = 0; i < n->table.count; i++) {
    const struct tensor *t = &n->table.tensors[i];
    worst = fmax(worst, relative_error(t->size, a->grads + t->offset, b->grads + t->offset));
  }
  return worst;
}

static inline double relative(double a, double b) { return fabs(a - b) / fmax(fabs(b), 1e-30); }

static inline double sums_error(const struct objective_sums *a, const struct objective_sums *b) {
  const double errors[] = { relative(a->loss, b->loss), relative(a->mse_u, b->mse_u), relative(a->mse_v, b->mse_v),
                            relative(a->mse_u_fm, b->mse_u_fm), relative(a->mse_v_fm, b->mse_v_fm),
                            relative(a->loss_fm, b->loss_fm), relative(a->loss_others, b->loss_others),
                            relative(a->du_dt_square, b->du_dt_square),
                            relative(a->du_dt_max, b->du_dt_max),
                            relative(a->distance[0], b->distance[0]), relative(a->distance[1], b->distance[1]) };
  double worst = 0;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    worst = isnan(errors[i]) ? INFINITY : fmax(worst, errors[i]);
  return worst;
}

static inline int same_counts(const struct objective_sums *a, const struct objective_sums *b) {
  return a->images == b->images && a->fm == b->fm && a->guidance == b->guidance && a->tangents == b->tangents && a->seen == b->seen;
}
#endif
