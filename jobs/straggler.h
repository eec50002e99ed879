/* straggler.h - the rank that the others wait for (EXPECTATIONS G15). A rank's own time is what it does not spend inside
 * collectives (mpi/watch.h); the slowest is the one with the most of it, and the others wait for it as long as theirs is shorter.
 * Units: seconds. Memory: none. */
#ifndef JOBS_STRAGGLER_H
#define JOBS_STRAGGLER_H
#include "io/metrics.h"
#include "io/progress.h"
#include "mpi/world.h"

enum { STRAGGLER_STEPS = 20 };   /* of fewer nothing is said */
struct straggler {
  long steps;                    /* since `began` */
  double began, waited;          /* clock, and watch_waited, there: as if what is left out had not been */
  double paused, paused_waited;  /* likewise, at the last pause */
  int told;                      /* 1 + the rank that was last said to be slow; 0: none */
};
/* Rank: the slowest; share: of the time, that the others wait for it on average; own: its seconds a step, and theirs. */
struct slowest { int rank; double share, own, others; char host[64]; };
/* Begins to measure. Local. */
void straggler_begin(struct straggler *s);
/* Work that is no step (a save, a score, a grid) lies between these: it is left out, and the steps before it still count, as large
 * nets make few of them between two saves. Local. */
void straggler_pause(struct straggler *s);
void straggler_go_on(struct straggler *s);
/* A step was made. Local. */
void straggler_step(struct straggler *s);
/* COLLECTIVE. Nonzero on every rank where there were steps enough and others wait for more than `threshold` of the time; begins
 * anew then, and where they do not. */
int straggler_find(struct straggler *s, const struct world *w, double threshold, struct slowest *found);
/* COLLECTIVE. Finds it, and says so on rank 0: an event each time, a line where it is another rank than the last time. */
void straggler_report(struct straggler *s, const struct world *w, uint64_t step, const struct metrics *metrics,
                      struct progress *p);
#endif
