/* trained.h - a trained net read back from a checkpoint: the settings of its run, the net, and the weights that were asked for.
 * Shared by the jobs that make images.
 * Memory: trained_close frees all; harmless on a zeroed one, and after any error. */
#ifndef JOBS_TRAINED_H
#define JOBS_TRAINED_H
#include "io/checkpoint.h"
#include "io/settings.h"
#include "mpi/world.h"
#include "src/base/arena.h"
#include "src/flow/sampler.h"

struct trained {
  char path[TEXT_MAX + 64];     /* the checkpoint */
  struct checkpoint_file file;  /* open: a run that goes on may put another in its place */
  struct settings s;            /* of its run */
  uint64_t step, images_seen;
  char ema[TEXT_MAX];           /* raw, ema500, ... */
  struct net net;
  struct arena arena;
  int v_head;                   /* imported weights may have none; its weights are 0 then */
  real *weights;                /* [net.table.size] */
};
/* COLLECTIVE. The newest sound checkpoint of the folder `run` (rank 0 says why a newer one was passed over), or the file
 * `checkpoint`: one of them is NULL. ema: raw, ema500, ..., NULL: the run's sampling.ema. All but the weights' values, so that
 * a job may refuse its own words before it reads them. Errors: STATUS_BAD: neither or both, no such file, no such weights. */
int trained_open(struct trained *t, const struct world *w, const char *run, const char *checkpoint, const char *ema);
/* Other weights of the same checkpoint, for the next trained_load. Local. Errors: STATUS_BAD: it has none of that name. */
int trained_choose(struct trained *t, const char *ema);
/* COLLECTIVE. Reads the weights. Errors: STATUS_BAD, naming the block that is damaged. */
int trained_load(struct trained *t, const struct world *w);
/* The run's sampler, with those of omega, t_min, t_max that are not NAN. Local. Errors: STATUS_BAD: t_min not below t_max, or
 * one of them for a net without classes. */
int trained_sampler(const struct trained *t, double omega, double t_min, double t_max, struct sampler *sampler);
/* The sampler's head u or v, and the solver euler or heun of v; NULL: not asked for, u and euler. Local. Errors: STATUS_BAD:
 * another word, a solver for u, v where the checkpoint has none. */
int trained_head(const struct trained *t, const char *head, const char *solver, struct sampler *sampler);
void trained_close(struct trained *t);
#endif
