#include "src/optim/optimizer.h"

#include "src/optim/adam.h"
#include "src/optim/muon.h"

size_t optimizer_work(const struct table *t) {
  size_t most = 0;
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    if (n->rule != RULE_MUON) continue;
    const size_t need = muon_work(n->shape[0], n->shape[1]);
    if (need > most) most = need;
  }
  return most;
}

void optimizer_step(const struct optimizer *o, const struct table *t, uint64_t k, double rate, const real *g, real *m,
                    real *s, real *w, real *work) {
  const struct adam adam = { 0.9, o->b2, o->adamw ? o->weight_decay : 0, !o->adamw };
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    const size_t at = n->offset;
    if (n->rule == RULE_MUON && !o->adamw) muon_update(n->shape[0], n->shape[1], k, rate, g + at, m + at, w + at, work);
    else adam_update(&adam, n->size, k, rate, g + at, m + at, s + n->second, w + at);
  }
}

void optimizer_ema(size_t n, double decay, const real *w, real *ema) {
  const real keep = (real)decay, take = (real)(1 - decay);
  for (size_t i = 0; i < n; i++) ema[i] = keep * ema[i] + take * w[i];
}
