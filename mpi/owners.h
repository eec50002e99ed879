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

/* The same on the way while ranks compute, in the table's order, which is that in which the next step's way through the net needs
 * it; OWNERS_IN_FLIGHT copies at once, so that the first ones have the wires to themselves, or as many as OWNERS_AT_ONCE have on
 * average, as one alone could not fill all wires. Each goes down a tree (tree.h): MPI's own nonblocking broadcasts are chains
 * through all ranks in small fragments, each of which a rank moves on only when it calls (doc/scaling.md). */
enum { OWNERS_IN_FLIGHT = 48, OWNERS_AT_ONCE = 8, OWNERS_PIECE = 8 << 20 };   /* the last: bytes of a copy at most */
struct owners {
  MPI_Comm comm;
  int rank, ranks, computed;   /* computed: this rank's part of x is new */
  struct buckets buckets;      /* of one owner each, from the table's end: copy i is the bucket count - 1 - i */
  size_t slots, most;          /* requests of a copy; copies at once */
  MPI_Request *requests;       /* [copies, slots] */
  int *left, *arrived;         /* requests of each copy that are open; scratch */
  size_t first, begun;         /* copies before `first` are through; before `begun`, on their way or through */
  real *x;
};
/* Errors: STATUS_NOMEM. Freed by owners_free, which waits for what is on its way and is harmless on a zeroed one. */
int owners_init(struct owners *o, const struct world *w, const struct table *t, size_t bucket_bytes);
void owners_free(struct owners *o);
/* In this order. begin: x of other owners may be written from now on; done: this rank's part of x will not change any more; both
 * return at once, and progress too. need: x[first..end) is there; finish: all of it is, and this rank's part may change
 * again. Both return the seconds waited, for which other ranks must call any of these too, and none may wait in MPI for this
 * one. */
void owners_begin(struct owners *o, real *x);
void owners_done(struct owners *o);
void owners_progress(struct owners *o);
double owners_need(struct owners *o, size_t first, size_t end);
double owners_finish(struct owners *o);
/* Copies that have not come to their end. */
size_t owners_left(const struct owners *o);
#endif
