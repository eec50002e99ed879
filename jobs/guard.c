#include "jobs/guard.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void put_count(real to[4], uint64_t n) {
  for (int i = 0; i < 4; i++) to[i] = (real)(n >> 16 * i & 0xffff);
}

static uint64_t count_in(const real from[4]) {
  uint64_t n = 0;
  for (int i = 0; i < 4; i++) n |= (uint64_t)from[i] << 16 * i;
  return n;
}

void guard_begin(struct guard_memory *m) { *m = (struct guard_memory){ .lr_factor = 1 }; }

double guard_median(size_t n, const real *x) {
  real sorted[GUARD_WINDOW];
  assert(n >= 1 && n <= GUARD_WINDOW);
  for (size_t i = 0; i < n; i++) {
    size_t j = i;
    for (; j && sorted[j - 1] > x[i]; j--) sorted[j] = sorted[j - 1];
    sorted[j] = x[i];
  }
  return ((double)sorted[(n - 1) / 2] + (double)sorted[n / 2]) / 2;
}

/* factor times the median of the last numbers; no limit while they are few. */
static double limit_of(double factor, real filled, const real *x) {
  return factor > 0 && filled >= GUARD_LEAST ? factor * guard_median((size_t)filled, x) : INFINITY;
}

/* The next place of a ring. */
static size_t turn(real *filled, real *next) {
  const size_t at = (size_t)*next;
  *next = (real)((at + 1) % GUARD_WINDOW);
  if (*filled < GUARD_WINDOW) *filled += 1;
  return at;
}

void guard_limits(const struct guard *g, double *most_loss, double *most_norm) {
  *most_loss = limit_of(g->spike, g->memory->good, g->memory->loss);
  *most_norm = limit_of(g->spike, g->memory->good, g->memory->norm);
}

static enum verdict verdict_of(const struct guard *g, int bad, int rank, double loss, double norm) {
  double most_loss, most_norm;
  if (!bad) return GUARD_GOOD;
  guard_limits(g, &most_loss, &most_norm);
  if (rank >= 0 || !isfinite(loss)) return GUARD_LOSS_NOT_FINITE;
  if (!isfinite(norm)) return GUARD_GRADIENT_NOT_FINITE;
  return loss > most_loss ? GUARD_LOSS_SPIKE : GUARD_GRADIENT_SPIKE;
}

/* The first of a row, until one has led to a rollback: that stays the one that the run ends with. */
static void remember_first(struct guard *g, uint64_t step, uint64_t batch) {
  struct guard_memory *m = g->memory;
  if (m->in_a_row > 0 || m->rollbacks > 0) return;
  m->first_verdict = (real)g->verdict;
  m->first_rank = (real)g->rank;
  put_count(m->first_step, step);
  put_count(m->first_batch, batch);
}

void guard_judge(struct guard *g, int bad, int rank, uint64_t step, uint64_t batch, double loss, double norm) {
  struct guard_memory *m = g->memory;
  g->loss = loss;
  g->norm = norm;
  g->rank = rank;
  g->rang = 0;
  g->verdict = verdict_of(g, bad, rank, loss, norm);
  if (bad) {
    remember_first(g, step, batch);
    m->in_a_row += 1;
    return;
  }
  const size_t at = turn(&m->good, &m->next);
  m->loss[at] = (real)loss;
  m->norm[at] = (real)norm;
  m->in_a_row = 0;
}

void guard_alarm(struct guard *g, double du_dt) {
  struct guard_memory *m = g->memory;
  g->rang = 0;
  if (!isfinite((real)du_dt)) return;
  m->group[(size_t)m->in_group] = (real)du_dt;
  m->in_group += 1;
  if (m->in_group < GUARD_GROUP) return;
  m->in_group = 0;
  g->du_dt = guard_median(GUARD_GROUP, m->group);
  g->du_dt_median = m->groups > 0 ? guard_median((size_t)m->groups, m->du_dt) : 0;
  const double most = g->alarm > 0 && m->groups >= GUARD_GROUPS ? g->alarm * g->du_dt_median : INFINITY;
  const int above = g->du_dt > most, was = m->alarmed > 0;
  if (above || g->du_dt < most / 2) m->alarmed = (real)above;   /* it must have been well below, to ring again */
  m->du_dt[turn(&m->groups, &m->next_group)] = (real)g->du_dt;
  g->rang = above && !was;
}

int guard_must_go_back(const struct guard *g) { return g->max_skips > 0 && g->memory->in_a_row >= (real)g->max_skips; }

int guard_may_go_back(const struct guard *g) { return g->memory->rollbacks < (real)g->max_rollbacks; }

void guard_gone_back(struct guard *g, const struct guard_memory *before, uint64_t step, uint64_t failed) {
  struct guard_memory *m = g->memory;
  const size_t kept = offsetof(struct guard_memory, in_a_row);
  memcpy((char *)m + kept, (const char *)before + kept, sizeof *m - kept);
  m->in_a_row = m->alarmed = 0;
  m->rollbacks += 1;
  m->lr_factor *= (real)g->rollback_lr_factor;
  put_count(m->shift, count_in(before->shift) + failed - step);
}

uint64_t guard_batch(const struct guard *g, uint64_t k) { return k + count_in(g->memory->shift); }

struct guard_first guard_first(const struct guard *g) {
  const struct guard_memory *m = g->memory;
  return (struct guard_first){ (enum verdict)(int)m->first_verdict, (int)m->first_rank, count_in(m->first_step),
                               count_in(m->first_batch) };
}

void guard_describe(enum verdict verdict, int rank, char text[static 96]) {
  static const char *const what[] = { "all is well", "the loss is not a finite number", "the gradient is not finite",
                                      "the loss is far above its median", "the gradient is far above its median" };
  if (rank >= 0) snprintf(text, 96, "%s on rank %d", what[verdict], rank);
  else snprintf(text, 96, "%s", what[verdict]);
}
