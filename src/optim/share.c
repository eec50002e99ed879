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
