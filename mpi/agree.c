#include "mpi/agree.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "mpi/watch.h"
#include "src/base/status.h"

int agree(MPI_Comm comm, int status) {
  struct { int status, rank; } mine = { status, 0 }, worst;
  MPI_Comm_rank(comm, &mine.rank);
  watch_enter("agreement on a status", 1);
  MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm);   /* of equals the lowest rank */
  watch_leave();
  if (worst.status == STATUS_OK) return STATUS_OK;
  char reason[1024];
  snprintf(reason, sizeof reason, "%s", status_reason());
  watch_enter("copy of a reason", sizeof reason);
  MPI_Bcast(reason, sizeof reason, MPI_CHAR, worst.rank, comm);
  watch_leave();
  return because(worst.status, "%s", reason);
}

int agree_any(MPI_Comm comm, int flag) {
  int any;
  flag = !!flag;
  watch_enter("agreement on a flag", 1);
  MPI_Allreduce(&flag, &any, 1, MPI_INT, MPI_MAX, comm);
  watch_leave();
  return any;
}

int agree_same(MPI_Comm comm, const void *value, size_t bytes) { return agree_hash(comm, XXH3_64bits(value, bytes)); }

int agree_hash(MPI_Comm comm, uint64_t hash) {
  uint64_t ends[2] = { hash, ~hash }, max[2];   /* max of the complement is the complement of min */
  watch_enter("comparison of a hash", 2);
  MPI_Allreduce(ends, max, 2, MPI_UINT64_T, MPI_MAX, comm);
  watch_leave();
  return max[0] == ~max[1];
}
