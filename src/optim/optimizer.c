#include "src/optim/optimizer.h"

#include <omp.h>

#include "src/optim/adam.h"
#include "src/optim/muon.h"
#include "src/optim/share.h"

/* One thread's share. */
static size_t work_of_thread(const struct table *t) {
  size_t most = 0;
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    if (n->rule != RULE_MUON) continue;
    const size_t need = muon_work(n->shape[0], n->shape[1]);
    if (need > most) most = need;
  }
  return most;
}

/* Matrices whose Newton-Schulz is this rank's. */
static int matrices(const struct optimizer *o, const struct table *t) {
  int n = 0;
  for (size_t i = 0; i < t->count; i++) n += t->tensors[i].rule == RULE_MUON && t->tensors[i].owner == o->rank;
  return n;
}

/* Who counts more threads is told of weights at the end alone. */
enum { THREADS = 256 };

/* What no thread is at, nor will come to: the tensors are given out in their order. */
static size_t final(const struct table *t, const size_t *at) {
  size_t least = t->count;
  for (int k = 0; k < omp_get_num_threads(); k++) {
    size_t now = 0;
    if (k < THREADS) {
#pragma omp atomic read seq_cst
      now = at[k];
    }
    if (now < least) least = now;
  }
  return least < t->count ? t->tensors[least].offset : t->size;
}

size_t optimizer_work(const struct optimizer *o, const struct table *t) {
  return o->adamw ? 0 : (size_t)omp_get_max_threads() * work_of_thread(t);
}

void optimizer_step(const struct optimizer *o, const struct table *t, uint64_t k, double rate, const real *g, real *m,
                    real *s, real *w, real *work) {
  const struct adam adam = { 0.9, o->b2, o->adamw ? o->weight_decay : 0, !o->adamw };
  const size_t share = work_of_thread(t);
  const size_t m_first = o->sharded ? share_flat(t, o->rank).first : 0;
  const size_t s_first = o->sharded ? share_second(t, o->rank).first : 0;
  const int each = o->one_thread_each || matrices(o, t) >= omp_get_max_threads();
#pragma omp parallel for schedule(dynamic)
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    const size_t at = n->offset;
    if (o->sharded && n->owner != o->rank) continue;
    if (o->breathe && omp_get_thread_num() == 0) o->breathe(o->context, 0);
    real *m_here = m + (at - m_first);
    if (o->adamw || n->rule != RULE_MUON) adam_update(&adam, n->size, k, rate, g + at, m_here, s + (n->second - s_first), w + at);
    else muon_momentum(n->size, g + at, m_here);
  }
  if (o->adamw) return;
  size_t at[THREADS] = { 0 };   /* the tensor that each thread is at */
#pragma omp parallel for schedule(dynamic) if (each)   /* a matrix a thread: its products run on that thread alone */
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    const int thread = omp_get_thread_num();
    if (thread < THREADS) {
#pragma omp atomic write seq_cst
      at[thread] = i;
    }
    if (n->rule != RULE_MUON || n->owner != o->rank) continue;
    if (o->breathe && thread == 0) o->breathe(o->context, final(t, at));
    muon_update(n->shape[0], n->shape[1], k, rate, g + n->offset, m + (n->offset - m_first), w + n->offset, thread == 0 ? o->help : NULL,
                work + (size_t)thread * share);
  }
}

void optimizer_ema(size_t n, double decay, const real *w, real *ema) {
  const real keep = (real)decay, take = (real)(1 - decay);
#pragma omp parallel for simd
  for (size_t i = 0; i < n; i++) ema[i] = keep * ema[i] + take * w[i];
}
