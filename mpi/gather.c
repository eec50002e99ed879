#include "mpi/gather.h"

#include <stdlib.h>

#include "mpi/agree.h"
#include "src/base/status.h"

int gather(MPI_Comm comm, size_t item, size_t count, const void *mine, void **all, size_t *total, const char *what) {
  int rank, ranks;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  int *counts = calloc((size_t)ranks, sizeof *counts), *places = calloc((size_t)ranks, sizeof *places);
  const int n = (int)count;
  MPI_Datatype type;
  int status = counts && places ? STATUS_OK : STATUS_NOMEM;
  *all = NULL, *total = 0;
  if (!agree_any(comm, status)) {
    MPI_Gather(&n, 1, MPI_INT, counts, 1, MPI_INT, 0, comm);
    for (int k = 0; k < ranks && rank == 0; k++) places[k] = (int)*total, *total += (size_t)counts[k];
    if (rank == 0) *all = malloc((*total + 1) * item);
    status = rank == 0 && !*all ? STATUS_NOMEM : STATUS_OK;
    if (!agree_any(comm, status)) {
      MPI_Type_contiguous((int)item, MPI_BYTE, &type);
      MPI_Type_commit(&type);
      MPI_Gatherv(mine, n, type, *all, counts, places, type, 0, comm);
      MPI_Type_free(&type);
    }
  }
  free(counts), free(places);
  return agree(comm, status ? because(status, "no memory for %s", what) : STATUS_OK);
}
