#include "src/optim/share.h"

#include <math.h>

#include "src/optim/muon.h"

double share_least = 1e9, share_lead = 1.0 / 30;

static double flops_of(const struct tensor *n) { return n->rule == RULE_MUON ? muon_flops(n->shape[0], n->shape[1]) : 0; }

double share_flops(const struct table *t) {
  double sum = 0;
  for (size_t i = 0; i < t->count; i++) sum += flops_of(&t->tensors[i]);
  return sum;
}

/* What is asked of the owners: no more than `limit` flops, and `lead` less of the table's first tensor, in `front` elements nothing less;
 * on no more than `crew` ranks each. */
struct quota { double limit, lead, front; int crew; };

static double quota_at(const struct quota *q, size_t offset) { return q->limit - q->lead * fmax(0, 1 - (double)offset / q->front); }

/* The least ranks that have to share this matrix; `most` where even they do not get below the limit. */
static int crew_of(const struct tensor *n, double limit, int most) {
  int crew = 1;
  if (flops_of(n) < share_least) return 1;
  while (crew < most && muon_piece_flops(n->shape[0], n->shape[1], crew) > limit) crew++;
  return crew;
}

/* The flops of a rank of the largest crew. */
static double least_of(const struct tensor *n, int most) {
  if (n->rule != RULE_MUON) return 0;
  return muon_piece_flops(n->shape[0], n->shape[1], flops_of(n) < share_least ? 1 : most);
}

/* Fills one owner after the other up to the quota; a matrix above it is alone and has a crew. Returns how many ranks that takes. */
static int fill(struct table *t, const struct quota *q) {
  int owner = 0, helpers = 0;
  double sum = 0, limit = quota_at(q, 0);
  for (size_t i = 0; i < t->count; i++) {
    struct tensor *n = &t->tensors[i];
    const double flops = flops_of(n);
    if (sum > 0 && flops > 0 && sum + flops > limit) {
      owner++, sum = 0;
      limit = quota_at(q, n->offset);
    }
    sum += flops;
    n->owner = owner;
    n->crew = flops > 0 ? crew_of(n, limit, q->crew) : 1;
    helpers += n->crew - 1;
  }
  return owner + 1 + helpers;
}

/* The flops of the rank that has most. */
static double busiest(const struct table *t) {
  double sum = 0, most = 0;
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    if (i && n->owner != t->tensors[i - 1].owner) sum = 0;
    if (n->rule == RULE_MUON) sum += muon_piece_flops(n->shape[0], n->shape[1], n->crew);
    most = fmax(most, sum);
  }
  return most;
}

/* The least limit, a whole number, with which they fill no more than `ranks`. */
static double share(struct table *t, int ranks, int crew) {
  double low = 0, largest = 0;
  for (size_t i = 0; i < t->count; i++) {
    low = fmax(low, ceil(least_of(&t->tensors[i], crew)));
    largest = fmax(largest, flops_of(&t->tensors[i]));
  }
  struct quota q = { 0, share_lead * log2(ranks) * largest, (double)t->size / 12, crew };
  double high = floor(share_flops(t) + q.lead + 1);
  while (low < high) {
    q.limit = floor((low + high) / 2);
    if (fill(t, &q) <= ranks) high = q.limit;
    else low = q.limit + 1;
  }
  q.limit = high;
  fill(t, &q);
  return busiest(t);
}

double share_matrices(struct table *t, int ranks) { return share(t, ranks, 1); }

double share_crews(struct table *t, int ranks) { return share(t, ranks, SHARE_CREW); }

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
