/* reduction.h - the sum of a flat gradient over the ranks, on its way while the pass backward still computes: each bucket's
 * nonblocking sum starts once its elements are final, moves on at every call of reduction_progress (MPI_Testsome, from the
 * thread that called MPI_Init_thread), and is waited for at the end. Ways:
 *   plain     one MPI_Allreduce after the pass backward (mpi/reduce.h): the reference of the others
 *   overlap   MPI_Iallreduce of each bucket; up a tree to its owner (climb.h) where buckets have one
 *   twolevel  over the ranks of the node to one place of it, which changes from bucket to bucket (together a reduce-scatter),
 *             over the nodes among these places, and back to the ranks of the node (an allgather); to an owner likewise,
 *             and not back
 * Communicators of its own, each with its operations in the order of the buckets, which is the same on every rank, whatever
 * arrives first. Sums have the same bits on all ranks that get them, and again with as many ranks; exact in integers.
 * Source: EXPECTATIONS G1-G5, G13. Memory: freed by reduction_free; nothing is allocated after reduction_init.
 * Errors: where it says so; a failing MPI call ends the job (its default). */
#ifndef MPI_REDUCTION_H
#define MPI_REDUCTION_H
#include "mpi/bucket.h"
#include "mpi/climb.h"
#include "mpi/levels.h"
#include "mpi/world.h"

enum reduction_way { REDUCTION_PLAIN, REDUCTION_OVERLAP, REDUCTION_TWOLEVEL };
enum { REDUCTION_STAGES = 3 };
/* Buckets on their way at once, or more where they are small: as many of the largest as have the bytes of so many. Each takes room
 * for what comes in, the reduction's own, or where all get the sum MPI's. What climbs to an owner goes in pieces, so that many
 * trees, with other ranks inside, share the wires at a time. */
enum { REDUCTION_IN_FLIGHT = 4, REDUCTION_PIECE = 2 << 20 };   /* the last: bytes */
struct reduction_config {
  enum reduction_way way;
  size_t bucket_bytes;
  int by_owner;           /* a bucket's sum is for the owner of its tensors alone (not with plain: all get it) */
  int integers;           /* elements are int64_t, else float */
  int node_ranks;         /* as levels_init takes it */
};
/* Of one sum after another, added up until the caller sets them to 0. Seconds on this rank. */
struct reduction_figures {
  double total;           /* from the start of the first bucket to the end of the last */
  double exposed;         /* of these in waiting, with nothing left to compute */
  double progress;        /* of these in starting and moving on between products */
  double calls;           /* that moved on */
  double bytes;           /* summed */
};
struct reduction {
  struct reduction_config config;
  MPI_Comm comm;
  int rank, ranks;
  struct levels levels;
  struct buckets buckets;
  MPI_Datatype type;
  size_t width, size;                /* bytes of an element; elements */
  char *x;                           /* the array that is summed, the caller's */
  int stages;
  size_t ready;                      /* buckets whose elements are final */
  size_t begun[REDUCTION_STAGES];    /* buckets that have begun the stage */
  size_t left;                       /* buckets that are not through */
  int *passed, *arrived;             /* [buckets]: stages behind each; scratch */
  MPI_Request *requests;             /* [buckets] */
  struct climb *climbs;              /* [buckets] */
  size_t places, largest;            /* buckets on their way at most; elements of the largest */
  char *room;                        /* [places][largest] elements, where buckets have owners */
  int *place;                        /* [buckets]: which of them it has */
  unsigned char *taken;              /* [places] */
  double opened;                     /* clock */
  struct reduction_figures figures;
};
/* The buckets of a table as a reduction cuts them; how many are on their way at most, and the elements of the largest. Local.
 * Errors: those of buckets_cut. */
int reduction_cut(struct buckets *b, const struct table *t, const struct reduction_config *c, size_t *places, size_t *largest);
/* COLLECTIVE over w->comm, as is reduction_free. Errors: STATUS_NOMEM; STATUS_BAD: the ranks' tables differ, or those of
 * levels_init. */
int reduction_init(struct reduction *r, const struct world *w, const struct table *t, const struct reduction_config *c);
/* COLLECTIVE. Known answers on each of its communicators, up to the length of its largest bucket. Errors: those of selftest. */
int reduction_test(const struct reduction *r);
void reduction_free(struct reduction *r);
/* Each of these is called on every rank for each sum, in this order; final and progress as often as it pleases each, or never.
 * x[table.size] becomes the sum; where buckets have owners, its rest is undefined. It must not be touched where it is final
 * until finish. */
void reduction_begin(struct reduction *r, void *x);
void reduction_final(struct reduction *r, size_t offset);   /* the elements from offset to the end */
void reduction_progress(struct reduction *r);
size_t reduction_in_flight(const struct reduction *r);   /* buckets that have begun and are not through */
/* All is final. Returns when what this rank is to get is there, and it has handed on all that goes through it: MPI alone can do the
 * rest. All but the last `places` buckets are through then. */
void reduction_wait(struct reduction *r);
void reduction_finish(struct reduction *r);   /* waits for the rest; nothing where there is none */
#endif
