/* fault.h - faults on purpose, for tests: PMF_FAULT=KIND[:rank=R][:step=A[..B]][:seconds=S][,...] in the environment.
 *   nan        a pixel of the rank's first image is no number
 *   tangent    the rank reports a du/dt a thousand times as large
 *   flip       one bit of the rank's weights changes, in the first tensor of Adam's; for training.shard=off or reduce=plain, as
 *              weights that arrive during the next step would heal it
 *   sleep      the rank sleeps S seconds in each of these steps; in step 0: before it makes the folder of a new run
 *   away       the rank never comes to the sum of the gradients: it stays in its last pass backward, with nothing of it sent
 *   away_save  the rank never comes to the save
 *   product    the test of products at the start finds a wrong number
 *   slow       the rank multiplies at a thousandth of its speed, as far as the start measures it
 * Steps count batches from 1 in the order of the data: the number of the step, as long as nothing was rolled back. Without
 * rank: every one; without step: always.
 * Memory: statics. Ranks: local. */
#ifndef JOBS_FAULT_H
#define JOBS_FAULT_H
#include <stdint.h>

#include "src/base/table.h"

enum fault { FAULT_NAN, FAULT_TANGENT, FAULT_FLIP, FAULT_SLEEP, FAULT_AWAY, FAULT_AWAY_SAVE, FAULT_PRODUCT, FAULT_SLOW,
             FAULTS };
/* Reads the environment, once. Errors: STATUS_BAD where it says something else. */
int fault_read(int rank);
/* Nonzero if this fault strikes this rank now. */
int fault_strikes(enum fault fault, uint64_t batch);
/* A bit that halves or so the largest number of the first tensor of Adam's: no owner hands that out anew, and no rounding of the
 * next updates takes it back. */
void fault_flip(const struct table *t, real *weights);
/* Sleeps, if it must. */
void fault_sleep(uint64_t batch);
/* Stays where it is, for ever, if it must. */
void fault_stay_away(enum fault fault, uint64_t batch);
#endif
