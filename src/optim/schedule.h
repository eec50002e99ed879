/* schedule.h - what changes from step to step: the learning rate and the EMAs' decays (SPEC 6).
 * Units: steps; images. Errors: none. Ranks: local. */
#ifndef OPTIM_SCHEDULE_H
#define OPTIM_SCHEDULE_H
#include <stdint.h>

struct schedule {
  int cosine;                       /* else constant */
  double rate, min_factor, warmup, steps;   /* warmup W and steps S in steps */
};
/* The rate after `done` steps, linear from 0 during warm-up (the first step of a warm-up moves nothing); then constant, or
 * rate (f + (1-f)(1 + cos(pi min(1, (done-W)/(S-2W))))/2). */
double schedule_rate(const struct schedule *c, uint64_t done);
/* 0.5^(batch / min(halflife, 0.05 seen)): halflife in images, seen counts the step just made. */
double schedule_edm_decay(double halflife, double batch, double seen);
#endif
