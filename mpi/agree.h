/* agree.h - one outcome for all ranks, before any branch that depends on a local one. */
#ifndef MPI_AGREE_H
#define MPI_AGREE_H
#include <mpi.h>
#include <stdint.h>

/* COLLECTIVE over comm. The worst status over the ranks; where it is not STATUS_OK, every rank's
 * status_reason() becomes that of the lowest rank which had it. */
int agree(MPI_Comm comm, int status);
/* COLLECTIVE over comm. Nonzero on all ranks if it is on any. */
int agree_any(MPI_Comm comm, int flag);
/* COLLECTIVE over comm. Nonzero on all ranks if value[n] has the same bits on every rank. */
int agree_same(MPI_Comm comm, const void *value, size_t bytes);
/* COLLECTIVE over comm. The same of what has this hash: 16 bytes travel. */
int agree_hash(MPI_Comm comm, uint64_t hash);
#endif
