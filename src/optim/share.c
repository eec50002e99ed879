#include "src/optim/share.h"

#include <math.h>

#include "src/optim/muon.h"

static double flops_of(const struct tensor *n) { return n->rule == RULE_MUON ? muon_flops(n->shape[0], n->shape[1]) : 0; }

double share_flops(const struct table *t) {
  double sum = 0;
  for (size_t i = 0; i < t->count; i++) sum += flops_of(&t->tensors[i]);
  return sum;
}

/* What the next step uses first: its owners had better be ready before the others, as every rank waits for them. */
static size_t front(const struct table *t) { return t->size / 32; }

/* Fills one rank after the other up to `limit` flops, those that begin in front up to `front_limit`; neither is below the flops
 * of a matrix there. Returns how many it takes. */
static int fill(struct table *t, double limit, double front_limit) {
  int rank = 0;
  double sum = 0, most = front_limit;
  for (size_t i = 0; i < t->count; i++) {
    struct tensor *n = &t->tensors[i];
    const double flops = flops_of(n);
    if (sum + flops > most) {
      rank++, sum = 0;
      most = n->offset < front(t) ? front_limit : limit;
    }
    sum += flops;
    n->owner = rank;
  }
  return rank + 1;
}

/* The least x of [low, high], whole numbers, with which they fill no more than `ranks`; high does. Both limits are x, or the one in front. */
static double least(struct table *t, double low, double high, double limit, int ranks) {
  while (low < high) {
    const double middle = floor((low + high) / 2);
    if (fill(t, limit > 0 ? limit : middle, middle) <= ranks) high = middle;
    else low = middle + 1;
  }
  return high;
}

double share_matrices(struct table *t, int ranks) {
  double any = 0, in_front = 0;
  for (size_t i = 0; i < t->count; i++) {
    any = fmax(any, flops_of(&t->tensors[i]));
    if (t->tensors[i].offset < front(t)) in_front = fmax(in_front, flops_of(&t->tensors[i]));
  }
  const double limit = least(t, any, share_flops(t), 0, ranks);
  const int owners = fill(t, limit, limit), each = ranks / owners;   /* those who help an owner are as many as before (mpi/crew.h) */
  fill(t, limit, least(t, fmin(in_front, limit), limit, limit, ranks / each));
  return limit;
}

/* The first tensor of this owner or a later one. */
static size_t first_of(const struct table *t, int owner) {
  size_t i = 0;
  while (i < t->count && t->tensors[i].owner < owner) i++;
  return i;
}

static size_t flat_at(const struct table *t, size_t i) { return i < t->count ? t->tensors[i].offset : t->size; }

static size_t second_at(const struct table *t, size_t i) {
  while (i < t->count && t->tensors[i].second == SIZE_MAX) i++;
  return i < t->count ? t->tensors[i].second : t->second_size;
}

struct share share_flat(const struct table *t, int owner) {
  const size_t first = flat_at(t, first_of(t, owner));
  return (struct share){ first, flat_at(t, first_of(t, owner + 1)) - first };
}

struct share share_second(const struct table *t, int owner) {
  const size_t first = second_at(t, first_of(t, owner));
  return (struct share){ first, second_at(t, first_of(t, owner + 1)) - first };
}
