/* straggler.h - the rank that the others wait for (EXPECTATIONS G15). A rank's own time is what it does not spend inside
 * collectives (mpi/watch.h); the slowest is the one with the most of it, and the others wait for it as long as theirs is shorter.
 * Units: seconds. Memory: none. */
#ifndef JOBS_STRAGGLER_H
#define JOBS_STRAGGLER_H
#include "mpi/world.h"

enum { STRAGGLER_STEPS = 20 };   /* of fewer nothing is said */
struct straggler {
  long steps;                    /* since `began` */
  double began, waited;          /* clock, and watch_waited, there */
};
/* Rank: the slowest; share: of the time, that the others wait for it on average; own: its seconds a step, and theirs. */
struct slowest { int rank; double share, own, others; char host[64]; };
/* Begins to measure; also after work that is no step. Local. */
void straggler_begin(struct straggler *s);
/* A step was made. Local. */
void straggler_step(struct straggler *s);
/* COLLECTIVE. Nonzero on every rank where there were steps enough and others wait for more than `threshold` of the time; begins
 * anew then, and where they do not. */
int straggler_find(struct straggler *s, const struct world *w, double threshold, struct slowest *found);
#endif
