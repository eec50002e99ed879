/* climb.h - the sum of a bucket on its way up a tree (tree.h) to one rank. A rank takes in the sums of those below it one after the
 * other, always in the same order, so that the same ranks make the same bits, and gives its own to the one above: each bucket
 * in log2(ranks) rounds at most, each of which needs one call, where MPI's own nonblocking sums take hundreds of small ones
 * (doc/scaling.md). All ranks together send and add as many bytes as in any other way to sum to one rank; where the root gives the
 * sum to another rank, the owner, once more those of the bucket.
 * Memory: the caller's. Errors: a failing MPI call ends the job (its default). */
#ifndef MPI_CLIMB_H
#define MPI_CLIMB_H
#include <mpi.h>

#include "mpi/tree.h"

struct climb {
  MPI_Comm comm;
  struct tree tree;
  int rank, owner, n, tag, step;   /* step: of the next one below */
  int taking;                 /* *q receives from it */
  int over;                   /* nothing follows *q */
  MPI_Datatype type;          /* MPI_FLOAT, MPI_INT64_T, or any that MPI can add */
  void *x, *room;             /* [n] each: this rank's, and what comes in */
};
/* COLLECTIVE over comm; those with one tag follow each other. Returns at once: *q is to be waited for, and then climb_on called; or
 * it is MPI_REQUEST_NULL, and the climb is at its end. There x of rank `owner` is the sum, that of the others undefined. Until then
 * neither x nor room is to be touched. */
void climb_begin(struct climb *c, MPI_Comm comm, int owner, int root, int n, MPI_Datatype type, int tag, void *x, void *room,
                 MPI_Request *q);
/* *q has come to its end. Adds what has come and begins the next round. */
void climb_on(struct climb *c, MPI_Request *q);
#endif
