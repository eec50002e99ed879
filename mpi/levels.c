#include "mpi/levels.h"

#include <stdlib.h>

#include "mpi/agree.h"
#include "src/base/status.h"

/* All nodes have as many ranks as this one. */
static int equal_nodes(MPI_Comm comm, int places) {
  int ends[2] = { places, -places };
  MPI_Allreduce(MPI_IN_PLACE, ends, 2, MPI_INT, MPI_MAX, comm);
  return ends[0] == -ends[1] ? STATUS_OK
                             : because(STATUS_BAD, "training.reduce=twolevel: nodes have from %d to %d ranks, expected as many"
                                       " on each", -ends[1], ends[0]);
}

int levels_init(struct levels *l, MPI_Comm comm, int node_ranks) {
  int rank, ranks, first;
  *l = (struct levels){ 0 };
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  if (node_ranks) MPI_Comm_split(comm, rank / node_ranks, rank, &l->gather);
  else MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &l->gather);
  MPI_Comm_dup(l->gather, &l->spread);
  MPI_Comm_rank(l->gather, &l->place);
  MPI_Comm_size(l->gather, &l->places);
  first = rank;
  MPI_Bcast(&first, 1, MPI_INT, 0, l->gather);         /* names the node; all its places come in this order */
  MPI_Comm_split(comm, l->place, first, &l->across);
  int status = equal_nodes(comm, l->places);
  l->where = calloc((size_t)ranks, sizeof *l->where);
  if (!status && !l->where) status = because(STATUS_NOMEM, "no memory for the places of %d ranks", ranks);
  status = agree(comm, status);
  if (status) return status;
  int mine[2] = { l->place };
  MPI_Comm_rank(l->across, &mine[1]);
  MPI_Allgather(mine, 2, MPI_INT, l->where, 2, MPI_INT, comm);
  return STATUS_OK;
}

void levels_free(struct levels *l) {
  MPI_Comm *const all[] = { &l->gather, &l->spread, &l->across };
  for (int i = 0; i < 3 && l->places; i++) MPI_Comm_free(all[i]);
  free(l->where);
  *l = (struct levels){ 0 };
}
