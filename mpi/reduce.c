#include "mpi/reduce.h"

#include <assert.h>
#include <limits.h>

size_t reduce_limit = (size_t)1 << 28;

/* The length of the piece that begins at i of n. */
static int piece(size_t n, size_t i) {
  assert(reduce_limit >= 1 && reduce_limit <= INT_MAX);
  return (int)(n - i < reduce_limit ? n - i : reduce_limit);
}

void reduce_sum(MPI_Comm comm, size_t n, float *x) {
  for (size_t i = 0; i < n; i += reduce_limit)
    MPI_Allreduce(MPI_IN_PLACE, x + i, piece(n, i), MPI_FLOAT, MPI_SUM, comm);
}

void reduce_sum_integer(MPI_Comm comm, size_t n, int64_t *x) {
  for (size_t i = 0; i < n; i += reduce_limit)
    MPI_Allreduce(MPI_IN_PLACE, x + i, piece(n, i), MPI_INT64_T, MPI_SUM, comm);
}

void reduce_sum_double(MPI_Comm comm, size_t n, double *x) {
  for (size_t i = 0; i < n; i += reduce_limit)
    MPI_Allreduce(MPI_IN_PLACE, x + i, piece(n, i), MPI_DOUBLE, MPI_SUM, comm);
}

void spread(MPI_Comm comm, int root, size_t bytes, void *data) {
  char *byte = data;
  for (size_t i = 0; i < bytes; i += reduce_limit)
    MPI_Bcast(byte + i, piece(bytes, i), MPI_BYTE, root, comm);
}
