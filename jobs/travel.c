#include "jobs/travel.h"

#include "mpi/reduce.h"

void travel_take(MPI_Comm comm, struct reduction_figures *f, double steps, struct travel *t) {
  int ranks;
  MPI_Comm_size(comm, &ranks);
  t->here = (struct reduction_figures){ f->total / steps, f->exposed / steps, f->progress / steps, f->calls / steps,
                                        f->bytes / steps };
  t->exposed_mean = t->exposed_most = t->here.exposed;
  reduce_sum_double(comm, 1, &t->exposed_mean);
  reduce_max_double(comm, 1, &t->exposed_most);
  t->exposed_mean /= ranks;
  *f = (struct reduction_figures){ 0 };
}
