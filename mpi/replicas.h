/* replicas.h - weights that every rank holds are the same bits on every rank (EXPECTATIONS G7). A chain of hashes over the
 * tensors is compared, 16 bytes a check; only where it differs are the tensors compared one by one.
 * COLLECTIVE over comm: every rank calls, with the same table. Memory: weights[table.size] is the caller's and is only read;
 * nothing is allocated while all is well. */
#ifndef MPI_REPLICAS_H
#define MPI_REPLICAS_H
#include <mpi.h>

#include "src/base/table.h"

/* Errors: STATUS_DIVERGED on every rank, naming the first tensor that differs and the ranks whose values are not those of the
 * majority (of rank 0 where none has one). */
int replicas_check(MPI_Comm comm, const struct table *t, const real *weights);
#endif
