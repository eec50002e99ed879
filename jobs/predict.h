/* predict.h - what a training step computes, counted, and how long its products take at the rate measured here. All else (other
 * layers, waiting, what crews send (mpi/crew.h), saves) comes on top.
 * Units: floating-point operations; seconds. Memory: freed inside. Ranks: local. */
#ifndef JOBS_PREDICT_H
#define JOBS_PREDICT_H
#include "io/settings.h"
#include "src/net/flops.h"
#include "src/net/net.h"

struct predicted {
  struct flops flops;             /* of the net's parts, an image */
  double guidance, tangents;      /* evaluations an image: means over many draws */
  double gradient;                /* flops an image, all in all */
  double perceptual, below;       /* flops of the perceptual terms for a sample below the threshold; share of those */
  double newton_schulz;           /* flops of a step, all ranks together */
  double rate, seconds[3];        /* a rank's products; gradient, Newton-Schulz of the busiest rank, both */
};
/* Of a step on so many ranks, micro-batches of `micro`; the table's matrices get their owners (setup_share). Errors: STATUS_NOMEM. */
int predict(struct net *n, const struct settings *s, int ranks, size_t micro, struct predicted *p);
#endif
