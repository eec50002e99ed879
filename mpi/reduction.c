#include "mpi/reduction.h"

#include <assert.h>
#include <stdlib.h>

#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/selftest.h"
#include "mpi/watch.h"
#include "src/base/status.h"

/* --- what a bucket does in each stage ---------------------------------------------------------------------------------- */

static void reduce_to(struct reduction *r, MPI_Comm comm, int owner, int root, size_t i) {
  const struct bucket *b = &r->buckets.list[i];
  climb_begin(&r->climbs[i], comm, owner, root, (int)b->count, r->type, (int)i, r->x + b->first * r->width,
              r->room + (size_t)r->place[i] * r->largest * r->width, &r->requests[i]);
}

/* Is this stage of the bucket a climb? */
static int climbs(const struct reduction *r, int stage, size_t i) {
  return r->buckets.list[i].owner != BUCKET_FOR_ALL ? r->config.way != REDUCTION_TWOLEVEL || stage < 2
                                                    : r->config.way == REDUCTION_TWOLEVEL && stage == 0;
}

/* A request that stays MPI_REQUEST_NULL: this rank has no part in the stage. */
static void begin_stage(struct reduction *r, int stage, size_t i) {
  const struct bucket *b = &r->buckets.list[i];
  const struct levels *l = &r->levels;
  const int n = (int)b->count, owned = b->owner != BUCKET_FOR_ALL;
  void *x = r->x + b->first * r->width;
  MPI_Request *q = &r->requests[i];
  if (r->config.way == REDUCTION_OVERLAP) {
    if (owned) reduce_to(r, r->comm, (int)b->owner, tree_root((int)b->owner, r->buckets.count - 1 - i, r->ranks), i);
    else MPI_Iallreduce(MPI_IN_PLACE, x, n, r->type, MPI_SUM, r->comm, q);
    return;
  }
  const int place = owned ? l->where[b->owner][0] : (int)(i % (size_t)l->places);
  if (stage == 0) reduce_to(r, l->gather, place, place, i);
  if (stage == 1 && l->place == place) {
    if (owned) reduce_to(r, l->across, l->where[b->owner][1], l->where[b->owner][1], i);
    else MPI_Iallreduce(MPI_IN_PLACE, x, n, r->type, MPI_SUM, l->across, q);
  }
  if (stage == 2) MPI_Ibcast(x, n, r->type, place, l->spread, q);
}

/* --- all buckets in their order ---------------------------------------------------------------------------------------- */

static void pass(struct reduction *r, size_t i) {
  if (++r->passed[i] < r->stages) return;
  r->taken[r->place[i]] = 0;
  if (--r->left) return;
  r->figures.total += MPI_Wtime() - r->opened;
}

size_t reduction_in_flight(const struct reduction *r) {
  return r->left ? r->begun[0] - (r->buckets.count - r->left) : 0;
}

/* May the next bucket begin the stage? Each needs room, so only so many set out at once. */
static int may_begin(const struct reduction *r, int stage) {
  const size_t i = r->begun[stage];
  return i < r->ready && r->passed[i] == stage && (stage || reduction_in_flight(r) < r->places);
}

static void take_place(struct reduction *r, size_t i) {
  int k = 0;
  while (r->taken[k]) k++;
  r->taken[k] = 1;
  r->place[i] = k;
}

/* Begins all that can: a stage takes the buckets in their order, each when it is through the stage before. Once more after
 * each beginning, as one that this rank has no part in is through at once and leaves room for another. */
static void advance(struct reduction *r) {
  for (int again = 1; again;) {
    again = 0;
    for (int stage = 0; stage < r->stages; stage++)
      for (; may_begin(r, stage); again = 1) {
        const size_t i = r->begun[stage]++;
        if (!stage) take_place(r, i);
        begin_stage(r, stage, i);
        if (r->requests[i] == MPI_REQUEST_NULL) pass(r, i);
      }
  }
}

static void move_on(struct reduction *r, int (*some)(int, MPI_Request[], int *, int[], MPI_Status[])) {
  int n;
  some((int)r->begun[0], r->requests, &n, r->arrived, MPI_STATUSES_IGNORE);
  if (n == MPI_UNDEFINED) return;
  for (int k = 0; k < n; k++) {
    const size_t i = (size_t)r->arrived[k];
    if (climbs(r, r->passed[i], i)) climb_on(&r->climbs[i], &r->requests[i]);
    if (r->requests[i] == MPI_REQUEST_NULL) pass(r, i);
  }
  advance(r);
}

static int overlaps(const struct reduction *r) { return r->ranks > 1 && r->config.way != REDUCTION_PLAIN; }

void reduction_begin(struct reduction *r, void *x) {
  assert(!r->left);
  r->x = x;
  r->ready = 0;
  r->left = r->buckets.count;
  for (int stage = 0; stage < REDUCTION_STAGES; stage++) r->begun[stage] = 0;
  for (size_t i = 0; i < r->buckets.count; i++) r->passed[i] = 0, r->requests[i] = MPI_REQUEST_NULL;
}

static void begin_ready(struct reduction *r) {
  if (r->ready && !r->begun[0]) r->opened = MPI_Wtime();
  advance(r);
}

void reduction_final(struct reduction *r, size_t offset) {
  if (!overlaps(r)) return;
  const double clock = MPI_Wtime();
  while (r->ready < r->buckets.count && r->buckets.list[r->ready].first >= offset) r->ready++;
  begin_ready(r);
  r->figures.progress += MPI_Wtime() - clock;
}

void reduction_progress(struct reduction *r) {
  if (!overlaps(r) || !r->begun[0] || !r->left) return;
  const double clock = MPI_Wtime();
  move_on(r, MPI_Testsome);
  r->figures.calls++;
  r->figures.progress += MPI_Wtime() - clock;
}

static void sum_at_once(struct reduction *r) {
  if (r->config.integers) reduce_sum_integer(r->comm, r->size, (int64_t *)(void *)r->x);
  else reduce_sum(r->comm, r->size, (float *)(void *)r->x);
  r->left = 0;
}

/* Is what this rank is to get there, and has it handed on all that others wait for? From then on MPI can do the rest, whatever is
 * called next. */
static int mine_is_there(const struct reduction *r) {
  if (r->begun[r->stages - 1] < r->buckets.count) return 0;
  for (size_t i = 0; i < r->buckets.count; i++) {
    const ptrdiff_t owner = r->buckets.list[i].owner;
    if (r->passed[i] == r->stages) continue;
    if (owner == BUCKET_FOR_ALL || owner == r->rank || r->climbs[i].taking) return 0;
  }
  return 1;
}

static void wait_for_mine(struct reduction *r) {
  if (r->ranks == 1) r->left = 0;
  if (!r->left) return;
  const double clock = MPI_Wtime();
  r->figures.bytes += (double)(r->size * r->width);
  if (!overlaps(r)) {
    sum_at_once(r);
    r->figures.total += MPI_Wtime() - clock;
  } else {
    r->ready = r->buckets.count;
    begin_ready(r);
    while (!mine_is_there(r)) move_on(r, MPI_Waitsome);
  }
  r->figures.exposed += MPI_Wtime() - clock;
}

void reduction_wait(struct reduction *r) {
  if (!overlaps(r)) {   /* mpi/reduce.h says where it is */
    wait_for_mine(r);
    return;
  }
  watch_enter("sum of gradients", r->size);
  wait_for_mine(r);
  watch_leave();
}

static void wait_for_rest(struct reduction *r) {
  if (r->left && r->ready < r->buckets.count) wait_for_mine(r);   /* the caller had no use for it */
  if (!r->left) return;
  const double clock = MPI_Wtime();
  while (r->left) move_on(r, MPI_Waitsome);
  r->figures.exposed += MPI_Wtime() - clock;
}

void reduction_finish(struct reduction *r) {
  if (!overlaps(r)) {
    wait_for_rest(r);
    return;
  }
  watch_enter("sum of gradients, the others' parts", r->size);
  wait_for_rest(r);
  watch_leave();
}

/* --- memory and communicators ------------------------------------------------------------------------------------------ */

int reduction_cut(struct buckets *b, const struct table *t, const struct reduction_config *c, size_t *places, size_t *largest) {
  const size_t width = c->integers ? sizeof(int64_t) : sizeof(float);
  const size_t usual = c->bucket_bytes / width, piece = REDUCTION_PIECE / width;
  const int owned = c->by_owner && c->way != REDUCTION_PLAIN;
  const int status = buckets_cut(b, t, owned && piece < usual ? piece : usual, owned ? piece : SIZE_MAX, owned);
  *largest = 1;
  for (size_t i = 0; i < b->count; i++)
    if (b->list[i].count > *largest) *largest = b->list[i].count;
  *places = REDUCTION_IN_FLIGHT * usual / *largest;
  if (*places < REDUCTION_IN_FLIGHT) *places = REDUCTION_IN_FLIGHT;
  if (*places > b->count) *places = b->count;
  return status;
}

static int allocate(struct reduction *r, const struct table *t) {
  const struct reduction_config *c = &r->config;
  const int status = reduction_cut(&r->buckets, t, c, &r->places, &r->largest);
  if (status) return status;
  const size_t n = r->buckets.count;
  r->passed = calloc(n, sizeof *r->passed);
  r->arrived = calloc(n, sizeof *r->arrived);
  r->requests = calloc(n, sizeof *r->requests);
  r->climbs = calloc(n, sizeof *r->climbs);
  r->place = calloc(n, sizeof *r->place);
  r->taken = calloc(r->places, sizeof *r->taken);
  const int roomy = r->ranks > 1 && (c->way == REDUCTION_TWOLEVEL || (c->way == REDUCTION_OVERLAP && c->by_owner));
  if (roomy) r->room = malloc(r->places * r->largest * r->width);
  if ((roomy && !r->room) || !r->passed || !r->arrived || !r->requests || !r->climbs || !r->place || !r->taken)
    return because(STATUS_NOMEM, "no memory for %zu buckets", n);
  return STATUS_OK;
}

int reduction_init(struct reduction *r, const struct world *w, const struct table *t, const struct reduction_config *c) {
  *r = (struct reduction){ .config = *c, .rank = w->rank, .ranks = w->ranks, .type = c->integers ? MPI_INT64_T : MPI_FLOAT,
                           .width = c->integers ? sizeof(int64_t) : sizeof(float), .size = t->size };
  r->stages = c->way != REDUCTION_TWOLEVEL ? 1 : c->by_owner ? 2 : 3;
  MPI_Comm_dup(w->comm, &r->comm);
  int status = agree(w->comm, allocate(r, t));
  if (!status && !buckets_same(w->comm, &r->buckets))
    status = because(STATUS_BAD, "the ranks cut the gradient into different buckets: have they one net and one setting of it?");
  if (!status && c->way == REDUCTION_TWOLEVEL) status = levels_init(&r->levels, w->comm, c->node_ranks);
  return status;
}

int reduction_test(const struct reduction *r) {
  const struct levels *l = &r->levels;
  const struct { MPI_Comm comm; const char *where; } all[] = { { r->comm, "all ranks" }, { l->gather, "a node's ranks" },
                                                               { l->across, "one rank of each node" },
                                                               { l->spread, "a node's ranks" } };
  int status = STATUS_OK;
  for (int i = 0; i < (l->places ? 4 : 1); i++) {   /* every rank does all, as the others may find what this one does not */
    const int few = selftest(all[i].comm, all[i].where);
    const int many = selftest_large(all[i].comm, all[i].where, (int)r->largest, r->config.integers);
    if (!status) status = few ? few : many;
  }
  return agree(r->comm, status);
}

void reduction_free(struct reduction *r) {
  if (r->ranks) {
    reduction_finish(r);
    MPI_Comm_free(&r->comm);
  }
  levels_free(&r->levels);
  buckets_free(&r->buckets);
  free(r->passed), free(r->arrived), free(r->requests), free(r->climbs), free(r->place), free(r->taken), free(r->room);
  *r = (struct reduction){ 0 };
}
