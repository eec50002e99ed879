/* travel.h - what the gradients' way over the ranks takes of a step's time: means of a step, over a report's interval. */
#ifndef JOBS_TRAVEL_H
#define JOBS_TRAVEL_H
#include "mpi/reduction.h"

struct travel {
  struct reduction_figures here;       /* on this rank */
  double exposed_mean, exposed_most;   /* over the ranks */
};
/* COLLECTIVE over comm. Of the `steps` that *f has seen, which then begins anew. */
void travel_take(MPI_Comm comm, struct reduction_figures *f, double steps, struct travel *t);
#endif
