#include "jobs/straggler.h"

#include <string.h>
#include <unistd.h>

#include "io/progress.h"
#include "mpi/reduce.h"
#include "mpi/watch.h"

void straggler_begin(struct straggler *s) { *s = (struct straggler){ 0, progress_clock(), watch_waited() }; }

void straggler_step(struct straggler *s) { s->steps++; }

int straggler_find(struct straggler *s, const struct world *w, double threshold, struct slowest *found) {
  if (w->ranks == 1 || s->steps < STRAGGLER_STEPS) return 0;
  const double all = progress_clock() - s->began, own = all - (watch_waited() - s->waited), steps = (double)s->steps;
  double sum[] = { own, all };
  struct { double own; int rank; } most = { own, w->rank };
  reduce_sum_double(w->comm, 2, sum);
  watch_enter("search for the slowest rank");
  MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE_INT, MPI_MAXLOC, w->comm);
  watch_leave();
  straggler_begin(s);
  const double others = (sum[0] - most.own) / (w->ranks - 1);
  *found = (struct slowest){ most.rank, (most.own - others) / (sum[1] / w->ranks), most.own / steps, others / steps, "" };
  if (found->share <= threshold) return 0;
  gethostname(found->host, sizeof found->host - 1);
  spread(w->comm, most.rank, sizeof found->host, found->host);
  return 1;
}
