/* gather.h - the ranks' items, as many as each has, on rank 0.
 * COLLECTIVE over comm. Errors: STATUS_NOMEM, on every rank. */
#ifndef MPI_GATHER_H
#define MPI_GATHER_H
#include <mpi.h>
#include <stddef.h>

/* Items of so many bytes, mine[count] of them here (at most INT_MAX from all ranks), in rank order on rank 0: *all[*total],
 * malloc'ed, with room for one more; NULL elsewhere. what: for the reason. */
int gather(MPI_Comm comm, size_t item, size_t count, const void *mine, void **all, size_t *total, const char *what);
#endif
