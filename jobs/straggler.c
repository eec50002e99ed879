#include "jobs/straggler.h"

#include <string.h>
#include <unistd.h>

#include "mpi/reduce.h"
#include "mpi/watch.h"

void straggler_begin(struct straggler *s) {
  *s = (struct straggler){ .began = progress_clock(), .waited = watch_waited(), .told = s->told };
}

void straggler_pause(struct straggler *s) {
  s->paused = progress_clock();
  s->paused_waited = watch_waited();
}

void straggler_go_on(struct straggler *s) {
  s->began += progress_clock() - s->paused;
  s->waited += watch_waited() - s->paused_waited;
}

void straggler_step(struct straggler *s) { s->steps++; }

int straggler_find(struct straggler *s, const struct world *w, double threshold, struct slowest *found) {
  if (w->ranks == 1 || s->steps < STRAGGLER_STEPS) return 0;
  const double all = progress_clock() - s->began, own = all - (watch_waited() - s->waited), steps = (double)s->steps;
  double sum[] = { own, all };
  struct { double own; int rank; } most = { own, w->rank };
  reduce_sum_double(w->comm, 2, sum);
  watch_enter("search for the slowest rank", 1);
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

void straggler_report(struct straggler *s, const struct world *w, uint64_t step, const struct metrics *metrics,
                      struct progress *p) {
  const double threshold = 0.1;
  struct slowest slow;
  if (!straggler_find(s, w, threshold, &slow)) return;
  if (w->rank == 0) {
    const struct metric m[] = { { "rank", slow.rank }, { "share", slow.share }, { "own_seconds", slow.own },
                                { "others_seconds", slow.others } };
    metrics_write(metrics, "straggler", step, m, sizeof m / sizeof *m, slow.host);
    if (s->told != 1 + slow.rank)
      progress_say(p, "rank %d on %s is slow: %.4f s a step, the others %.4f s; they wait for it %.0f %% of the time",
                   slow.rank, slow.host, slow.own, slow.others, 100 * slow.share);
  }
  s->told = 1 + slow.rank;
}
