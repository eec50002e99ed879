#include "jobs/needs.h"

#include "jobs/state.h"
#include "jobs/step.h"
#include "mpi/shard.h"

struct needs needs_of(const struct net *n, const struct settings *s, int ranks, size_t micro) {
  const struct table *t = &n->table;
  const struct optimizer optimizer = setup_optimizer(s);
  const size_t share = shard_most((size_t)s->training.batch_size, ranks), bytes = n->pixels + sizeof(int32_t) + sizeof(uint64_t);
  struct needs k = { .weights = t->size * sizeof(real), .moments = (t->size + t->second_size) * sizeof(real),
                     .emas = (size_t)s->training.ema_val.count * t->size * sizeof(real), .gradients = t->size * sizeof(real),
                     .optimizer = optimizer_work(&optimizer, t) * sizeof(real), .loader = 2 * share * bytes };
  const struct step_size step = step_count(n, s, ranks, micro);
  k.micro = step.micro;
  k.tangents = (step.net - step.net_primal) * sizeof(real);
  k.activations = step.net_primal * sizeof(real);
  k.buffers = (step.all - step.net) * sizeof(real) - k.gradients;
  k.total = state_count(n, s) * sizeof(real) + step.all * sizeof(real) + k.optimizer + k.loader;
  k.checkpoint = k.weights + k.moments + k.emas;
  return k;
}

size_t needs_largest_micro(const struct net *n, const struct settings *s, int ranks, size_t room) {
  size_t low = 0, high = shard_most((size_t)s->training.batch_size, ranks);
  while (low < high) {
    const size_t middle = (low + high + 1) / 2;
    if (needs_of(n, s, ranks, middle).total <= room) low = middle;
    else high = middle - 1;
  }
  return low;
}
