/* guard.h - which steps may change the weights (EXPECTATIONS U6, U7, F3).
 * A step is bad if a rank's own loss is no finite number, or the norm of the reduced gradient is none, or the loss or the norm
 * is above `spike` times its median over the last good steps. All ranks judge by the same reduced numbers (jobs/step.h). A bad
 * step leaves weights, moments and EMAs as they are, but counts: state.step, images_seen, learning rate and data go on, so that
 * its batch is passed.
 * After `max_skips` bad steps in a row the run goes back to its last checkpoint (jobs/train_loop.c) and passes over all batches up to
 * the last bad one: from then on the batch of step k (from 0) is batch k + shift of the order of data, noise and times with it. The
 * learning rate is `rollback_lr_factor` times what it was, for the rest of the run.
 * What all this depends on lies in the state, so that it is saved with the weights, and a run that was stopped goes on exactly.
 * Memory: GUARD_NUMBERS of the state's. Errors: none. Ranks: local; every rank computes the same. */
#ifndef JOBS_GUARD_H
#define JOBS_GUARD_H
#include <stddef.h>
#include <stdint.h>

#include "src/base/real.h"

enum {
  GUARD_WINDOW = 64, GUARD_LEAST = 32,   /* good steps in a median, and the least number of them for one */
  GUARD_GROUP = 8, GUARD_GROUPS = 8,     /* of du/dt: steps in a group, groups that a median needs */
};
enum verdict { GUARD_GOOD, GUARD_LOSS_NOT_FINITE, GUARD_GRADIENT_NOT_FINITE, GUARD_LOSS_SPIKE, GUARD_GRADIENT_SPIKE };

/* What a checkpoint keeps. Numbers of `real` all, so that it is an array of the state; a count as four of 16 bits. */
struct guard_memory {
  real loss[GUARD_WINDOW], norm[GUARD_WINDOW], du_dt[GUARD_WINDOW];   /* du_dt: the groups' medians */
  real good, groups;                      /* numbers in the first two, and in the third; at most GUARD_WINDOW */
  real next, next_group;                  /* where the next ones go */
  real group[GUARD_GROUP], in_group;      /* of du/dt, steps since the last group */
  real in_a_row, rollbacks, alarmed;      /* alarmed: du/dt is above its limit */
  real shift[4];
  real first_verdict, first_rank, first_step[4], first_batch[4];   /* of the first bad step of a row; rank -1: of none alone */
  real lr_factor;                         /* what rollbacks have left of the learning rate, as a part of the schedule's */
};
enum { GUARD_NUMBERS = sizeof(struct guard_memory) / sizeof(real) };

struct guard {
  struct guard_memory *memory;
  double spike, alarm;                    /* times a median; 0: not looked at */
  long max_skips, max_rollbacks;          /* max_skips 0: nothing is rolled back */
  double rollback_lr_factor;              /* of the learning rate, at each rollback */
  enum verdict verdict;                   /* of the last step */
  int rank;                               /* whose loss it was; -1: of none alone */
  double loss, norm;                      /* of the last step: a mean over images; of the mean gradient */
  double du_dt, du_dt_median;             /* of the last group, and over those before it */
  int rang;                               /* in the last step the former has just passed `alarm` times the latter */
};
/* Nothing is remembered, and the learning rate is all of the schedule's. */
void guard_begin(struct guard_memory *m);
/* The greatest loss and norm of a good step. */
void guard_limits(const struct guard *g, double *most_loss, double *most_norm);
/* A step's numbers; rank: the lowest whose own loss is not finite, or -1. bad: whether the ranks found it bad. step, batch: from
 * 1. Sets verdict, and remembers. */
void guard_judge(struct guard *g, int bad, int rank, uint64_t step, uint64_t batch, double loss, double norm);
/* rms of du/dt of a good step: sets `rang`. One step says little, 15 times the median is a matter of chance; half of the steps of
 * a group say more. */
void guard_alarm(struct guard *g, double du_dt);
/* So many bad steps in a row that the run must go back. */
int guard_must_go_back(const struct guard *g);
/* May it, once more? */
int guard_may_go_back(const struct guard *g);
/* After the state was loaded again, at `step`: what must outlive that is taken from `before`, and the batches up to the bad one
 * of step `failed` (both counted as steps done) are passed over; the learning rate falls. */
void guard_gone_back(struct guard *g, const struct guard_memory *before, uint64_t step, uint64_t failed);
/* The batch of step k, both from 0. */
uint64_t guard_batch(const struct guard *g, uint64_t k);
struct guard_first { enum verdict verdict; int rank; uint64_t step, batch; };   /* step and batch from 1 */
struct guard_first guard_first(const struct guard *g);
/* "the loss is not a finite number on rank 1", for the reports. */
void guard_describe(enum verdict verdict, int rank, char text[static 96]);
/* The median of n numbers, 1 <= n <= GUARD_WINDOW. */
double guard_median(size_t n, const real *x);
#endif
