#include "mpi/owners.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/tree.h"
#include "mpi/watch.h"
#include "src/base/status.h"

void owners_spread(MPI_Comm comm, const struct table *t, real *x) {
  size_t end;
  for (size_t i = 0; i < t->count; i = end) {
    const struct tensor *first = &t->tensors[i];
    for (end = i + 1; end < t->count && t->tensors[end].owner == first->owner; end++);
    const struct tensor *last = &t->tensors[end - 1];
    spread(comm, first->owner, (last->offset + last->size - first->offset) * sizeof *x, x + first->offset);
  }
}

/* --- copies that go their way ------------------------------------------------------------------------------------------ */

static const struct bucket *bucket(const struct owners *o, size_t i) { return &o->buckets.list[o->buckets.count - 1 - i]; }

static int mine(const struct owners *o, size_t i) { return bucket(o, i)->owner == o->rank; }

static MPI_Request *coming(const struct owners *o, size_t i) { return o->requests + OWNERS_SENDS + i; }

static int root(const struct owners *o, size_t i) { return tree_root((int)bucket(o, i)->owner, i, o->ranks); }

static struct tree tree(const struct owners *o, size_t i) { return tree_at(o->rank, root(o, i), o->ranks); }

int owners_init(struct owners *o, const struct world *w, const struct table *t, size_t bucket_bytes) {
  *o = (struct owners){ .rank = w->rank, .ranks = w->ranks };
  MPI_Comm_dup(w->comm, &o->comm);
  const size_t piece = OWNERS_PIECE / sizeof *o->x, usual = bucket_bytes / sizeof *o->x;
  int status = buckets_cut(&o->buckets, t, usual < piece ? usual : piece, piece, 1);
  const size_t n = o->buckets.count, all = n + OWNERS_SENDS;
  if (!status) o->requests = malloc(all * sizeof *o->requests);
  if (!status) o->ended = malloc(all * sizeof *o->ended);
  if (!status) o->step = calloc(n + 1, sizeof *o->step);
  if (!status && (!o->requests || !o->ended || !o->step)) status = because(STATUS_NOMEM, "no memory for %zu copies", n);
  for (size_t k = 0; k < all && !status; k++) o->requests[k] = MPI_REQUEST_NULL;
  return agree(w->comm, status);
}

void owners_free(struct owners *o) {
  if (o->ranks) {
    owners_finish(o);
    MPI_Comm_free(&o->comm);
  }
  buckets_free(&o->buckets);
  free(o->requests), free(o->step), free(o->ended);
  *o = (struct owners){ 0 };
}

/* Is the i-th copy there? */
static int here(const struct owners *o, size_t i) {
  return mine(o, i) ? bucket(o, i)->first + bucket(o, i)->count <= o->ready : *coming(o, i) == MPI_REQUEST_NULL;
}

/* The first of the steps by which a copy goes out: an owner's goes to the root before. */
static int first_step(const struct owners *o) { return o->ranks > 1 ? 2 * tree_farthest(o->ranks) : 0; }

/* The rank that the i-th copy goes to by this step; -1: to none. The owner needs it from nobody. */
static int below(const struct owners *o, size_t i, int step) {
  const struct tree t = tree(o, i);
  const int to = step < first_step(o) ? tree_below(&t, step) : mine(o, i) && t.place ? t.root : -1;
  return to == bucket(o, i)->owner ? -1 : to;
}

/* The rank that it goes to next, the longest way first; -1: there is none. Afterwards it is the next one's turn. */
static int next_below(struct owners *o, size_t i) {
  int to = -1;
  for (; o->step[i] && to < 0; o->step[i] /= 2) to = below(o, i, o->step[i]);
  return to;
}

/* Sends of what is there, until all places are taken. */
static void hand_on(struct owners *o) {
  size_t i = o->first;
  for (MPI_Request *q = o->requests; q < o->requests + OWNERS_SENDS; q++) {
    if (*q != MPI_REQUEST_NULL) continue;
    for (int to = -1; to < 0;) {
      while (o->first < o->buckets.count && !o->step[o->first]) o->first++;
      for (i = i < o->first ? o->first : i; i < o->buckets.count && !(o->step[i] && here(o, i)); i++);
      if (i == o->buckets.count) return;
      to = next_below(o, i);
      if (to >= 0) MPI_Isend(o->x + bucket(o, i)->first, (int)bucket(o, i)->count, MPI_FLOAT, to, (int)i, o->comm, q);
    }
  }
}

/* Every receive is posted at once, so that no send waits for another. */
void owners_begin(struct owners *o, real *x) {
  assert(!owners_left(o));
  o->x = x;
  o->first = 0;
  o->ready = 0;
  for (size_t i = 0; i < o->buckets.count; i++) {
    const struct bucket *b = bucket(o, i);
    const struct tree t = tree(o, i);
    const int from = t.place ? tree_above(&t) : (int)b->owner;
    if (!mine(o, i)) MPI_Irecv(x + b->first, (int)b->count, MPI_FLOAT, from, (int)i, o->comm, coming(o, i));
    o->left += !mine(o, i);
    for (int step = o->step[i] = first_step(o); step; step /= 2) o->left += below(o, i, step) >= 0;
  }
}

void owners_ready(struct owners *o, size_t end) {
  assert(end >= o->ready);
  o->ready = end;
  hand_on(o);
}

void owners_done(struct owners *o) { owners_ready(o, SIZE_MAX); }

static void move_on(struct owners *o, int (*some)(int, MPI_Request[], int *, int[], MPI_Status[])) {
  int n;
  some((int)(OWNERS_SENDS + o->buckets.count), o->requests, &n, o->ended, MPI_STATUSES_IGNORE);
  if (n == MPI_UNDEFINED || !n) return;
  o->left -= (size_t)n;
  hand_on(o);
}

size_t owners_left(const struct owners *o) { return o->left; }

void owners_progress(struct owners *o) {
  if (owners_left(o)) move_on(o, MPI_Testsome);
}

/* --- who waits for them ------------------------------------------------------------------------------------------------ */

static int all_here(const struct owners *o, size_t first, size_t end) {
  for (size_t i = 0; i < o->buckets.count && bucket(o, i)->first < end; i++)
    if (bucket(o, i)->first + bucket(o, i)->count > first && !here(o, i)) return 0;
  return 1;
}

/* Until nothing of [first, end) is missing, or (first = end) nothing is on its way. */
static double wait_for(struct owners *o, size_t first, size_t end) {
  const double clock = MPI_Wtime();
  assert(o->ready == SIZE_MAX);
  watch_wait("copies of new weights", end - first);
  while (first < end ? !all_here(o, first, end) : owners_left(o) > 0) move_on(o, MPI_Waitsome);
  watch_leave();
  return MPI_Wtime() - clock;
}

double owners_need(struct owners *o, size_t first, size_t end) {
  return !owners_left(o) || all_here(o, first, end) ? 0 : wait_for(o, first, end);
}

double owners_finish(struct owners *o) { return owners_left(o) ? wait_for(o, 0, 0) : 0; }
