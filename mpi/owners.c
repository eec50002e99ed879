#include "mpi/owners.h"

#include "mpi/reduce.h"

void owners_spread(MPI_Comm comm, const struct table *t, real *x) {
  size_t end;
  for (size_t i = 0; i < t->count; i = end) {
    const struct tensor *first = &t->tensors[i];
    for (end = i + 1; end < t->count && t->tensors[end].owner == first->owner; end++);
    const struct tensor *last = &t->tensors[end - 1];
    spread(comm, first->owner, (last->offset + last->size - first->offset) * sizeof *x, x + first->offset);
  }
}
