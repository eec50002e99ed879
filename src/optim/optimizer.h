/* optimizer.h - one step of all tensors by the table's rules: Muon's matrices, Adam's everything else (SPEC 6); or AdamW for
 * all (the ablation's other arm). The state: first moments m[table.size], second moments s[table.second_size].
 * Threads share the tensors, one each at a time, so that a tensor's bits do not depend on their number; a rank with fewer
 * matrices than threads, one of very many, gives each product to all of them, unless one_thread_each.
 * Memory: the caller owns all arrays; work holds optimizer_work numbers. Errors: none. Ranks: local. */
#ifndef OPTIM_OPTIMIZER_H
#define OPTIM_OPTIMIZER_H
#include <stdint.h>

#include "src/base/table.h"
#include "src/optim/muon.h"

struct optimizer {
  int adamw;
  double b2, weight_decay;   /* weight_decay: AdamW only */
  int rank;                  /* of those that share the matrices (share.h); 0 has all where they are not shared */
  int sharded;               /* this rank does its own tensors alone, and m, s hold no others: share_flat, share_second */
  int one_thread_each;       /* a matrix has the same bits whatever else is this rank's */
  const struct muon_help *help;   /* NULL, or who does Newton-Schulz for the thread that called */
  /* Called now and then by the thread that called: of this rank's weights those before element `final` have their new values. May be NULL. */
  void (*breathe)(void *context, size_t final);
  void *context;
};
/* Numbers of scratch, for as many threads as there are now. */
size_t optimizer_work(const struct optimizer *o, const struct table *t);
/* Step k = 1, 2, ... with gradient g[table.size] (a mean over the batch). Matrices of other owners take their momentum, but
 * their weights stay: they are handed out afterwards. All the rest is the same on every rank, to the bit. Sharded, of g, m, s
 * and w nothing is looked at but what is this rank's. */
void optimizer_step(const struct optimizer *o, const struct table *t, uint64_t k, double rate, const real *g, real *m,
                    real *s, real *w, real *work);
/* ema[n] = decay ema + (1 - decay) w. */
void optimizer_ema(size_t n, double decay, const real *w, real *ema);
#endif
