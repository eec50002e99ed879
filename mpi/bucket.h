/* bucket.h - in which pieces a gradient travels: the flat array cut into buckets from its end, which is the order in which a pass
 * backward finishes it. Cut from the table alone, so that all ranks have the same buckets, and between tensors, but for a
 * tensor that is longer than an MPI count may be (mpi/reduce.h). Together they hold every element once.
 * Source: PyTorch DDP, arXiv:2006.15704, 3.2.3; EXPECTATIONS G3, G13. Memory: a list, freed by buckets_free. */
#ifndef MPI_BUCKET_H
#define MPI_BUCKET_H
#include <mpi.h>

#include "src/base/table.h"

enum { BUCKET_FOR_ALL = -1 };
struct bucket {
  size_t first, count;   /* elements of the flat array */
  ptrdiff_t owner;       /* the rank that it goes to, or BUCKET_FOR_ALL */
};
struct buckets {
  struct bucket *list;   /* the last of the array first */
  size_t count;
};
/* Buckets of at least `elements`, as few tensors more as that takes; by_owner: and of one tensor.owner each; then cut where they
 * have more than `most` or than a count can hold. Local.
 * Errors: STATUS_NOMEM. */
int buckets_cut(struct buckets *b, const struct table *t, size_t elements, size_t most, int by_owner);
/* COLLECTIVE over comm. Nonzero on all ranks if they have the same buckets: else they would wait for each other. */
int buckets_same(MPI_Comm comm, const struct buckets *b);
/* Harmless on a zeroed one. */
void buckets_free(struct buckets *b);
#endif
