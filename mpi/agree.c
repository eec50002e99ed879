#include "mpi/agree.h"

#include <stdio.h>
#include <string.h>

#include "src/base/status.h"

int agree(MPI_Comm comm, int status) {
  struct { int status, rank; } mine = { status, 0 }, worst;
  MPI_Comm_rank(comm, &mine.rank);
  MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm);   /* of equals the lowest rank */
  if (worst.status == STATUS_OK) return STATUS_OK;
  char reason[1024];
  snprintf(reason, sizeof reason, "%s", status_reason());
  MPI_Bcast(reason, sizeof reason, MPI_CHAR, worst.rank, comm);
  return because(worst.status, "%s", reason);
}

int agree_any(MPI_Comm comm, int flag) {
  int any;
  flag = !!flag;
  MPI_Allreduce(&flag, &any, 1, MPI_INT, MPI_MAX, comm);
  return any;
}

int agree_same(MPI_Comm comm, const void *value, size_t bytes) {
  const unsigned char *byte = value;
  uint64_t hash = 0xcbf29ce484222325u, word;   /* FNV-1a, eight bytes at a time and then one */
  size_t i = 0;
  for (; i + sizeof word <= bytes; i += sizeof word) {
    memcpy(&word, byte + i, sizeof word);
    hash = (hash ^ word) * 0x100000001b3u;
  }
  for (; i < bytes; i++) hash = (hash ^ byte[i]) * 0x100000001b3u;
  uint64_t ends[2] = { hash, ~hash }, max[2];   /* max of the complement is the complement of min */
  MPI_Allreduce(ends, max, 2, MPI_UINT64_T, MPI_MAX, comm);
  return max[0] == ~max[1];
}
