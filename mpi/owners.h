/* owners.h - what each tensor's owner alone has computed goes to all ranks.
 * COLLECTIVE over comm: every rank calls, in the same order, with the same table, whose owners are ranks of comm.
 * Memory: x[table.size] is the caller's, changed in place. Errors: where it says so; a failing MPI call ends the job (its
 * default). */
#ifndef MPI_OWNERS_H
#define MPI_OWNERS_H
#include "mpi/bucket.h"
#include "mpi/world.h"

/* x: every tensor becomes that of its owner (tensor.owner), neighbours of one owner in one piece. */
void owners_spread(MPI_Comm comm, const struct table *t, real *x);

/* The same on the way while ranks compute. Each copy goes down a tree (tree.h): MPI's own nonblocking broadcasts are chains
 * through all ranks in small fragments, each of which a rank moves on only when it calls (doc/scaling.md). A rank takes in whatever
 * comes, and hands on what it has in the table's order, which is that in which the next step's way through the net needs it:
 * few at once, as what is on its way at the same time shares the wire and arrives late together. */
enum { OWNERS_SENDS = 8, OWNERS_PIECE = 2 << 20 };   /* at once, of a rank; bytes of a copy at most */
struct owners {
  MPI_Comm comm;
  int rank, ranks;
  struct buckets buckets;      /* of one owner each, from the table's end: copy i is the bucket count - 1 - i */
  MPI_Request *requests;       /* [OWNERS_SENDS + copies]: what goes out, then each copy that comes in */
  int *step, *ended;           /* of each copy, by which step (tree.h; twice the farthest: from the owner to the root) it is sent next, 0: nowhere; scratch */
  size_t ready;                /* this rank's part of x is new before this element */
  size_t first, left;          /* copies before it have been handed on; messages of this rank that have not ended */
  real *x;
};
/* Errors: STATUS_NOMEM. Freed by owners_free, which waits for what is on its way and is harmless on a zeroed one. */
int owners_init(struct owners *o, const struct world *w, const struct table *t, size_t bucket_bytes);
void owners_free(struct owners *o);
/* In this order. begin: x of other owners may be written from now on; ready, as often as one likes with growing ends: what is this
 * rank's of x[0..end) will not change any more; done: nor will the rest; they return at once, and progress too. need: x[first..end)
 * is there; finish: all of it is, and this rank's part may change again. Both return the seconds waited, for which other ranks must
 * call any of these too, and none may wait in MPI for this one. */
void owners_begin(struct owners *o, real *x);
void owners_ready(struct owners *o, size_t end);
void owners_done(struct owners *o);
void owners_progress(struct owners *o);
double owners_need(struct owners *o, size_t first, size_t end);
double owners_finish(struct owners *o);
/* Messages of this rank that have not come to their end. */
size_t owners_left(const struct owners *o);
#endif
