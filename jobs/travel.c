#include "jobs/travel.h"

void travel_take(MPI_Comm comm, struct reduction_figures *f, double steps, struct travel *t) {
  int ranks;
  MPI_Comm_size(comm, &ranks);
  t->here = (struct reduction_figures){ f->total / steps, f->exposed / steps, f->progress / steps, f->calls / steps,
                                        f->bytes / steps };
  MPI_Allreduce(&t->here.exposed, &t->exposed_mean, 1, MPI_DOUBLE, MPI_SUM, comm);
  MPI_Allreduce(&t->here.exposed, &t->exposed_most, 1, MPI_DOUBLE, MPI_MAX, comm);
  t->exposed_mean /= ranks;
  *f = (struct reduction_figures){ 0 };
}
