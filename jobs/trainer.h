/* trainer.h - everything that takes a step: data, net, state, gradient, optimizer. pmf train runs it to the end, pmf bench
 * measures it. Nothing here knows of a run's folder.
 * Memory: arenas of its own, freed by trainer_close. */
#ifndef JOBS_TRAINER_H
#define JOBS_TRAINER_H
#include "io/dataset.h"
#include "io/loader.h"
#include "jobs/needs.h"
#include "jobs/perception.h"
#include "jobs/state.h"
#include "jobs/step.h"

/* Before the networks of the loss, in the settings that a checkpoint keeps. */
#define TRAINER_LOSS "# the loss: "
struct trainer {
  const struct world *w;
  struct settings s;               /* the caller fills this in */
  int drawn;                       /* the caller's: a classifier for the loss may have random weights */
  char *text;                      /* the same as YAML; once all is allocated with the loss's networks in a line of comment */
  struct dataset data;
  struct net net;
  struct state state;
  struct step step;
  struct perception perception;
  struct arena scratch;            /* the optimizer's */
  real *work;
  struct loader *loader;
  uint64_t steps;                  /* of the whole run */
  struct needs needs;
  struct phases phases;
  struct guard guard;              /* its memory is the state's */
};
/* The packed images must be those that the net of these settings is for. Local. Errors: STATUS_BAD. */
int trainer_fits(const struct settings *s, const struct dataset *d);
/* COLLECTIVE. Opens the data and builds the net: all that is known before memory is taken. Errors: STATUS_BAD: data that
 * the net is not for, ranks that see different settings or data, or more memory than the node has (the reason names the
 * largest micro-batch that fits; training.micro_batch=0 takes that). */
int trainer_open(struct trainer *t);
/* COLLECTIVE. Takes the memory; the state is the initial one. Errors: STATUS_NOMEM; STATUS_BAD where MPI gives wrong sums
 * (mpi/selftest.h) or BLAS wrong products (products.h); those of perception_open. */
int trainer_allocate(struct trainer *t);
/* COLLECTIVE. Starts reading at the state's step, or begins again there. */
int trainer_start(struct trainer *t);
/* COLLECTIVE. One step; *rate: its learning rate. Where guard.verdict is not GUARD_GOOD afterwards, it has left weights, moments
 * and EMAs as they were (jobs/guard.h). Errors: those of loader_next. */
int trainer_step(struct trainer *t, struct objective_sums *sums, double *rate);
/* Harmless on a zeroed one (but for data.fd = -1), and after any error. */
void trainer_close(struct trainer *t);
#endif
