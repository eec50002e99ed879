#include "jobs/phases.h"

#include "io/progress.h"
#include "mpi/watch.h"

const char *const phase_name[PHASES] = { "other", "data", "draw", "guidance", "forward", "perceptual", "backward", "reduce",
                                         "optimizer", "ema" };

void phases_begin(struct phases *p, enum phase phase) {
  if (!p) return;
  const double now = progress_clock();
  p->seconds[p->now] += now - p->since;
  p->since = now;
  p->now = phase;
  watch_phase(phase_name[phase]);
}

void phases_reset(struct phases *p) { *p = (struct phases){ .since = progress_clock() }; }
