#include "mpi/reduce.h"

#include <assert.h>
#include <limits.h>

#include "mpi/watch.h"

size_t reduce_limit = (size_t)1 << 28;

/* The length of the piece that begins at i of n. */
static int piece(size_t n, size_t i) {
  assert(reduce_limit >= 1 && reduce_limit <= INT_MAX);
  return (int)(n - i < reduce_limit ? n - i : reduce_limit);
}

void reduce_sum(MPI_Comm comm, size_t n, float *x) {
  watch_enter("sum of floats", n);
  for (size_t i = 0; i < n; i += reduce_limit)
    MPI_Allreduce(MPI_IN_PLACE, x + i, piece(n, i), MPI_FLOAT, MPI_SUM, comm);
  watch_leave();
}

void reduce_sum_integer(MPI_Comm comm, size_t n, int64_t *x) {
  watch_enter("sum of integers", n);
  for (size_t i = 0; i < n; i += reduce_limit)
    MPI_Allreduce(MPI_IN_PLACE, x + i, piece(n, i), MPI_INT64_T, MPI_SUM, comm);
  watch_leave();
}

static void reduce_double(MPI_Comm comm, size_t n, double *x, MPI_Op op, const char *name) {
  watch_enter(name, n);
  for (size_t i = 0; i < n; i += reduce_limit)
    MPI_Allreduce(MPI_IN_PLACE, x + i, piece(n, i), MPI_DOUBLE, op, comm);
  watch_leave();
}

void reduce_sum_double(MPI_Comm comm, size_t n, double *x) { reduce_double(comm, n, x, MPI_SUM, "sum of doubles"); }

void reduce_max_double(MPI_Comm comm, size_t n, double *x) { reduce_double(comm, n, x, MPI_MAX, "maximum of doubles"); }

void spread(MPI_Comm comm, int root, size_t bytes, void *data) {
  char *byte = data;
  watch_enter("copy from a rank", bytes);
  for (size_t i = 0; i < bytes; i += reduce_limit)
    MPI_Bcast(byte + i, piece(bytes, i), MPI_BYTE, root, comm);
  watch_leave();
}
