/* travel.h - what the gradients' way over the ranks takes of a step's time: means of a step, over a report's interval.
 * Memory: a double a rank on rank 0, freed by travel_free. */
#ifndef JOBS_TRAVEL_H
#define JOBS_TRAVEL_H
#include "mpi/reduction.h"
#include "mpi/world.h"

struct travel {
  struct reduction_figures here;                       /* on this rank */
  double exposed_mean, exposed_median, exposed_most;   /* over the ranks, known to rank 0 */
  double *exposed;                                     /* rank 0: [ranks] */
};
/* COLLECTIVE. Errors: STATUS_NOMEM. */
int travel_init(const struct world *w, struct travel *t);
/* COLLECTIVE. Of the `steps` that *f has seen, which then begins anew. */
void travel_take(const struct world *w, struct reduction_figures *f, double steps, struct travel *t);
/* Harmless on a zeroed one. */
void travel_free(struct travel *t);
#endif
