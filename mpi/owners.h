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

/* The same on the way while owners still compute: nonblocking copies in the order of the buckets, the last owner's first, which
 * is the one whose gradient arrives first. */
struct owners {
  MPI_Comm comm;
  int rank;
  struct buckets buckets;   /* of one owner each */
  MPI_Request *requests;
  size_t begun;
  real *x;
};
/* Errors: STATUS_NOMEM. Freed by owners_free, which is harmless on a zeroed one. */
int owners_init(struct owners *o, const struct world *w, const struct table *t, size_t bucket_bytes);
void owners_free(struct owners *o);
/* In this order. begin: x of other owners may be written from now on; done: this rank's part of x will not change any more; both
 * return at once, and progress too. finish: x is there. Returns the seconds waited. */
void owners_begin(struct owners *o, real *x);
void owners_done(struct owners *o);
void owners_progress(struct owners *o);
double owners_finish(struct owners *o);
#endif
