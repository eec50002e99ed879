#include "mpi/owners.h"

#include <stdlib.h>

#include "mpi/agree.h"
#include "mpi/reduce.h"
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

int owners_init(struct owners *o, const struct world *w, const struct table *t, size_t bucket_bytes) {
  *o = (struct owners){ .rank = w->rank };
  MPI_Comm_dup(w->comm, &o->comm);
  int status = buckets_cut(&o->buckets, t, bucket_bytes / sizeof *o->x, 1);
  if (!status) o->requests = malloc(o->buckets.count * sizeof *o->requests);
  if (!status && !o->requests) status = because(STATUS_NOMEM, "no memory for %zu buckets", o->buckets.count);
  return agree(w->comm, status);
}

void owners_free(struct owners *o) {
  if (o->buckets.list) MPI_Comm_free(&o->comm);
  buckets_free(&o->buckets);
  free(o->requests);
  *o = (struct owners){ 0 };
}

/* Every rank begins them in one order; those before this rank's own need not wait until it has computed. */
static void begin_while(struct owners *o, int before_mine) {
  for (; o->begun < o->buckets.count; o->begun++) {
    const struct bucket *b = &o->buckets.list[o->begun];
    if (before_mine && b->owner <= o->rank) return;
    MPI_Ibcast(o->x + b->first, (int)b->count, MPI_FLOAT, (int)b->owner, o->comm, &o->requests[o->begun]);
  }
}

void owners_begin(struct owners *o, real *x) {
  o->x = x;
  o->begun = 0;
  begin_while(o, 1);
}

void owners_done(struct owners *o) { begin_while(o, 0); }

void owners_progress(struct owners *o) {
  int all;
  MPI_Testall((int)o->begun, o->requests, &all, MPI_STATUSES_IGNORE);
}

double owners_finish(struct owners *o) {
  const double clock = MPI_Wtime();
  watch_enter("copies of new weights");
  MPI_Waitall((int)o->begun, o->requests, MPI_STATUSES_IGNORE);
  watch_leave();
  return MPI_Wtime() - clock;
}
