#include "src/optim/share.h"

#include <math.h>

#include "src/optim/muon.h"

static double flops_of(const struct tensor *n) { return n->rule == RULE_MUON ? muon_flops(n->shape[0], n->shape[1]) : 0; }

double share_flops(const struct table *t) {
  double sum = 0;
  for (size_t i = 0; i < t->count; i++) sum += flops_of(&t->tensors[i]);
  return sum;
}

/* Fills one rank after the other up to `limit` flops, which is not below those of any matrix. Returns how many it takes. */
static int fill(struct table *t, double limit) {
  int rank = 0;
  double sum = 0;
  for (size_t i = 0; i < t->count; i++) {
    struct tensor *n = &t->tensors[i];
    const double flops = flops_of(n);
    if (sum + flops > limit) rank++, sum = 0;
    sum += flops;
    n->owner = rank;
  }
  return rank + 1;
}

double share_matrices(struct table *t, int ranks) {
  double low = 0, high = share_flops(t);
  for (size_t i = 0; i < t->count; i++) low = fmax(low, flops_of(&t->tensors[i]));
  while (low < high) {   /* flops are whole numbers */
    const double middle = floor((low + high) / 2);
    if (fill(t, middle) <= ranks) high = middle;
    else low = middle + 1;
  }
  fill(t, high);
  return high;
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
