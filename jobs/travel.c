#include "jobs/travel.h"

#include <stdlib.h>

#include "mpi/agree.h"
#include "mpi/watch.h"
#include "src/base/median.h"
#include "src/base/status.h"

int travel_init(const struct world *w, struct travel *t) {
  const int first = w->rank == 0;
  *t = (struct travel){ .exposed = first ? calloc((size_t)w->ranks, sizeof *t->exposed) : NULL };
  const int missing = first && !t->exposed;
  return agree(w->comm, missing ? because(STATUS_NOMEM, "no memory for the waiting of %d ranks", w->ranks) : STATUS_OK);
}

void travel_take(const struct world *w, struct reduction_figures *f, double steps, struct travel *t) {
  t->here = (struct reduction_figures){ f->total / steps, f->exposed / steps, f->progress / steps, f->calls / steps,
                                        f->bytes / steps };
  *f = (struct reduction_figures){ 0 };
  watch_enter("waiting of each rank", 1);
  MPI_Gather(&t->here.exposed, 1, MPI_DOUBLE, t->exposed, 1, MPI_DOUBLE, 0, w->comm);
  watch_leave();
  if (w->rank) return;
  double sum = 0;
  for (int k = 0; k < w->ranks; k++) sum += t->exposed[k];
  t->exposed_mean = sum / w->ranks;
  t->exposed_median = median(t->exposed, (size_t)w->ranks);
  t->exposed_most = t->exposed[w->ranks - 1];   /* they are sorted now */
}

void travel_free(struct travel *t) {
  free(t->exposed);
  *t = (struct travel){ .exposed = NULL };
}
