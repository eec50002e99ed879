/* owners.h - what each tensor's owner alone has computed goes to all ranks.
 * COLLECTIVE over comm: every rank calls, with the same table, whose owners are ranks of comm.
 * Memory: x[table.size] is the caller's, changed in place. Errors: none; a failing MPI call ends the job (its default). */
#ifndef MPI_OWNERS_H
#define MPI_OWNERS_H
#include <mpi.h>

#include "src/base/table.h"

/* x: every tensor becomes that of its owner (tensor.owner), neighbours of one owner in one piece. */
void owners_spread(MPI_Comm comm, const struct table *t, real *x);
#endif
