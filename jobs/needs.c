#include "jobs/needs.h"

#include <stdio.h>
#include <string.h>

#include "io/checkpoint_later.h"
#include "jobs/evaluate.h"
#include "jobs/evaluator.h"
#include "jobs/grids.h"
#include "jobs/perception.h"
#include "jobs/precision.h"
#include "jobs/state.h"
#include "jobs/step.h"
#include "mpi/bucket.h"
#include "mpi/reduction.h"
#include "mpi/shard.h"
#include "src/base/status.h"
#include "src/optim/share.h"

/* They are trained one after the other, before the first step, when all else is there; the judge's own is with the evaluation. */
static size_t classifier_bytes(const struct settings *s, int ranks) {
  const size_t size = (size_t)s->dataset.image_size, channels = (size_t)s->dataset.image_channels;
  const size_t classes = (size_t)s->dataset.num_classes;
  size_t judge = 0, loss = 0;
  if (classes < 2) return 0;   /* nor is there one to judge with */
  if (s->fid.every_steps) judge = evaluator_learns_count(EVALUATOR_JUDGE, size, channels, classes, ranks);
  if (perception_by_classifier(s))
    loss = evaluator_count(EVALUATOR_LOSS, size, channels, classes) +
           evaluator_learns_count(EVALUATOR_LOSS, size, channels, classes, ranks);
  return (judge > loss ? judge : loss) * sizeof(real);
}

/* Bytes of n numbers in an arena, up to the next view. */
static size_t taken(size_t n) {
  struct arena a = { 0 };
  arena_take(&a, n);
  return a.used * sizeof(real);
}

/* Of the state, while threads write it. */
static size_t copy_bytes(const struct net *n, const struct settings *s, int ranks) {
  const size_t arrays = 4 + (size_t)s->training.ema_val.count;
  size_t sizes[4 + EMA_MAX];
  for (size_t i = 0; i < arrays; i++) sizes[i] = i == 2 ? n->table.second_size : n->table.size;
  sizes[arrays - 1] = GUARD_NUMBERS;
  return s->checkpoint.async ? checkpoint_later_bytes(sizes, arrays, ranks) : 0;
}

/* Room of buckets that are on their way: the reduction's, or where all get the sum MPI's, which nobody promises; and the fragments
 * of 1 MiB (mpi/world.c) in which ranks of a node hand them over, of which some are on their way. */
static size_t message_bytes(const struct net *n, const struct settings *s, int ranks) {
  const struct reduction_config way = setup_reduction(s, ranks);
  const size_t width = way.integers ? sizeof(int64_t) : sizeof(float), all = n->table.size * width;
  if (ranks == 1 || way.way == REDUCTION_PLAIN) return ranks == 1 ? 0 : all;
  struct table t = table_copy(&n->table);
  struct buckets b;
  const size_t fragments = (size_t)6 << 20;
  size_t largest, places = 0;
  setup_share(&t, s, ranks);
  if (reduction_cut(&b, &t, &way, &places, &largest)) places = 0;
  buckets_free(&b);
  table_free(&t);
  return places ? places * largest * width + fragments : 0;
}

void needs_parts(const struct needs *k, struct needs_part parts[static NEEDS_PARTS]) {
  const struct needs_part all[NEEDS_PARTS] = {
    { "weights", k->weights }, { "gradients", k->gradients }, { "moments", k->moments }, { "EMAs", k->emas },
    { "activations", k->activations }, { "tangents", k->tangents }, { "buffers", k->buffers },
    { "rounded inputs", k->rounded }, { "optimizer", k->optimizer }, { "loader", k->loader }, { "perceptual", k->perceptual },
    { "evaluation", k->evaluation }, { "classifier", k->classifier }, { "grids", k->grids }, { "copy to save", k->copy },
    { "messages", k->messages },
  };
  memcpy(parts, all, sizeof all);
}

struct needs needs_of(const struct net *n, const struct settings *s, int ranks, size_t micro) {
  const struct table *t = &n->table;
  const struct optimizer optimizer = setup_optimizer(s);
  const struct step_size step = step_count(n, s, ranks, micro);
  const size_t bytes = n->pixels + sizeof(int32_t) + sizeof(uint64_t);   /* of an image as read, its label and number */
  const size_t emas = (size_t)s->training.ema_val.count;
  const struct state_size state = state_count(n, s, ranks);
  struct needs k = { .weights = state.weights * sizeof(real), .moments = state.moments * sizeof(real),
                     .emas = state.emas * sizeof(real), .gradients = taken(t->size) + step.exact * sizeof(real),
                     .optimizer = optimizer_work(&optimizer, t) * sizeof(real), .loader = 2 * step.share * bytes,
                     .checkpoint = ((2 + emas) * t->size + t->second_size + GUARD_NUMBERS) * sizeof(real) };
  k.micro = step.micro;
  k.tangents = (step.net - step.net_primal) * sizeof(real);
  k.activations = step.net_primal * sizeof(real);
  k.buffers = (step.all - step.net) * sizeof(real) - k.gradients;
  k.rounded = net_rounded(n, step.micro, step.micro_dot) * matmul_rounded_bytes(precision_here(s));
  k.evaluation = evaluate_bytes(n, s, ranks);
  k.classifier = classifier_bytes(s, ranks);
  k.grids = grids_bytes(n, s);
  k.perceptual = perception_count(s, step.micro) * sizeof(real);
  k.copy = copy_bytes(n, s, ranks);
  k.messages = message_bytes(n, s, ranks);
  struct needs_part parts[NEEDS_PARTS];
  needs_parts(&k, parts);
  for (int i = 0; i < NEEDS_PARTS; i++) k.total += parts[i].bytes;
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

int needs_fit(const struct net *n, struct settings *s, int ranks, size_t room, struct needs *needs) {
  const double GiB = 1 << 30;
  *needs = needs_of(n, s, ranks, 0);
  if (!room || needs->total <= room) return STATUS_OK;
  const size_t fits = needs_largest_micro(n, s, ranks, room);
  if (fits && !s->training.micro_batch && !s->training.reproducible) {
    s->training.micro_batch = (long)fits;
    *needs = needs_of(n, s, ranks, 0);
    return STATUS_OK;
  }
  char advice[128] = "even training.micro_batch=1 does not fit; try training.recompute=block, fewer EMAs, or fewer ranks"
                     " a node";
  if (fits) snprintf(advice, sizeof advice, "the largest that fits is training.micro_batch=%zu", fits);
  return because(STATUS_BAD, "micro-batches of %zu need %.3f GiB a rank, and there are %.3f; %s", needs->micro,
                 (double)needs->total / GiB, (double)room / GiB, advice);
}
