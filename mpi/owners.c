#include "mpi/owners.h"

#include <assert.h>
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

/* A rank's requests of a copy: one from above, then those to the ranks below. */
static MPI_Request *requests(const struct owners *o, size_t i) { return o->requests + i * o->slots; }

static const struct bucket *bucket(const struct owners *o, size_t i) { return &o->buckets.list[o->buckets.count - 1 - i]; }

int owners_init(struct owners *o, const struct world *w, const struct table *t, size_t bucket_bytes) {
  *o = (struct owners){ .rank = w->rank, .ranks = w->ranks, .slots = 1 };
  for (int n = 1; n < w->ranks; n *= 2) o->slots++;
  MPI_Comm_dup(w->comm, &o->comm);
  const size_t piece = OWNERS_PIECE / sizeof *o->x, usual = bucket_bytes / sizeof *o->x;
  int status = buckets_cut(&o->buckets, t, usual < piece ? usual : piece, piece, 1);
  const size_t n = o->buckets.count, all = n * o->slots, owners = n ? (size_t)o->buckets.list[0].owner + 1 : 1;
  o->most = OWNERS_AT_ONCE * n / owners > OWNERS_IN_FLIGHT ? OWNERS_AT_ONCE * n / owners : OWNERS_IN_FLIGHT;
  if (!status) o->requests = malloc((all + 1) * sizeof *o->requests);
  if (!status) o->arrived = malloc((all + 1) * sizeof *o->arrived);
  if (!status) o->left = malloc((n + 1) * sizeof *o->left);
  if (!status && (!o->requests || !o->arrived || !o->left)) status = because(STATUS_NOMEM, "no memory for %zu copies", n);
  o->begun = o->first = n;
  return agree(w->comm, status);
}

void owners_free(struct owners *o) {
  if (o->ranks) {
    owners_finish(o);
    MPI_Comm_free(&o->comm);
  }
  buckets_free(&o->buckets);
  free(o->requests), free(o->arrived), free(o->left);
  *o = (struct owners){ 0 };
}

static struct tree tree(const struct owners *o, size_t i) { return tree_at(o->rank, (int)bucket(o, i)->owner, o->ranks); }

/* The longest way first. */
static void send_on(struct owners *o, size_t i) {
  const struct bucket *b = bucket(o, i);
  const struct tree t = tree(o, i);
  MPI_Request *q = requests(o, i) + 1;
  for (int step = 1 << (o->slots - 1); step /= 2;) {
    const int below = tree_below(&t, step);
    if (below < 0) continue;
    MPI_Isend(o->x + b->first, (int)b->count, MPI_FLOAT, below, (int)i, o->comm, q++);
    o->left[i]++;
  }
}

static void begin(struct owners *o, size_t i) {
  const struct bucket *b = bucket(o, i);
  const struct tree t = tree(o, i);
  for (size_t k = 0; k < o->slots; k++) requests(o, i)[k] = MPI_REQUEST_NULL;
  o->left[i] = t.place > 0;
  if (t.place) MPI_Irecv(o->x + b->first, (int)b->count, MPI_FLOAT, tree_above(&t), (int)i, o->comm, requests(o, i));
  else send_on(o, i);
}

/* Every rank begins them in one order; those before this rank's own need not wait until it has computed. */
static void advance(struct owners *o) {
  for (;;) {
    while (o->first < o->begun && !o->left[o->first]) o->first++;
    if (o->begun == o->buckets.count || o->begun - o->first == o->most) return;
    if (!o->computed && bucket(o, o->begun)->owner >= o->rank) return;
    begin(o, o->begun++);
  }
}

void owners_begin(struct owners *o, real *x) {
  assert(!owners_left(o));
  o->x = x;
  o->begun = o->first = 0;
  o->computed = 0;
  advance(o);
}

void owners_done(struct owners *o) {
  o->computed = 1;
  advance(o);
}

/* Of those that are on their way. */
static void move_on(struct owners *o, int (*some)(int, MPI_Request[], int *, int[], MPI_Status[])) {
  const size_t first = o->first;
  int n;
  some((int)((o->begun - first) * o->slots), requests(o, first), &n, o->arrived, MPI_STATUSES_IGNORE);
  if (n == MPI_UNDEFINED) return;
  for (int k = 0; k < n; k++) {
    const size_t i = first + (size_t)o->arrived[k] / o->slots;
    o->left[i]--;
    if ((size_t)o->arrived[k] % o->slots == 0) send_on(o, i);
  }
  advance(o);
}

size_t owners_left(const struct owners *o) { return o->buckets.count - o->first; }

void owners_progress(struct owners *o) {
  if (owners_left(o)) move_on(o, MPI_Testsome);
}

/* --- who waits for them ------------------------------------------------------------------------------------------------ */

/* Is the i-th copy there? This rank's own is from the beginning. */
static int here(const struct owners *o, size_t i) {
  return bucket(o, i)->owner == o->rank || (i < o->begun && *requests(o, i) == MPI_REQUEST_NULL);
}

static int all_here(const struct owners *o, size_t first, size_t end) {
  for (size_t i = o->first; i < o->buckets.count && bucket(o, i)->first < end; i++)
    if (bucket(o, i)->first + bucket(o, i)->count > first && !here(o, i)) return 0;
  return 1;
}

/* Until nothing of [first, end) is missing, or (first = end) nothing is on its way. */
static double wait_for(struct owners *o, size_t first, size_t end) {
  const double clock = MPI_Wtime();
  assert(o->computed);
  watch_wait("copies of new weights");
  while (first < end ? !all_here(o, first, end) : owners_left(o) > 0) move_on(o, MPI_Waitsome);
  watch_leave();
  return MPI_Wtime() - clock;
}

double owners_need(struct owners *o, size_t first, size_t end) {
  return !owners_left(o) || all_here(o, first, end) ? 0 : wait_for(o, first, end);
}

double owners_finish(struct owners *o) { return owners_left(o) ? wait_for(o, 0, 0) : 0; }
