/* step.h - one gradient of the global batch: each rank takes its share of the samples in micro-batches, draws what they need by
 * (seed, step, sample index), and the ranks' sums are added up and divided by the batch, once. The ranks agree there whether
 * the numbers are fit for use: each looks at its own loss, all at the sums (jobs/guard.h has the limits).
 * With training.reproducible the same bits on any number of ranks, and in float32 of threads: micro-batches are cut from the global batch,
 * [j m, (j+1) m) with m = training.micro_batch, each computed in one shape wherever it is, and their gradients added in fixed
 * point (base/fixed.h), the losses in the order of the micro-batches.
 * Memory: one arena, freed by step_free. */
#ifndef JOBS_STEP_H
#define JOBS_STEP_H
#include "io/loader.h"
#include "jobs/phases.h"
#include "jobs/setup.h"
#include "jobs/way_back.h"
#include "jobs/way_there.h"
#include "mpi/owners.h"
#include "mpi/reduction.h"
#include "mpi/world.h"
#include "src/optim/share.h"

enum { STEP_LOSSES = 10 };   /* the first of a report's sums */
enum { STEP_ASKED = 5 };       /* numbers that a caller may ask */
struct step {
  const struct net *net;
  struct times times;
  struct guidance guidance;
  struct objective_config objective;
  uint64_t seed;
  double noise_scale;
  int reproducible;
  uint64_t batch_number;                /* of the step that is made, from 1 */
  size_t batch, first, count, micro;    /* images of all ranks; this rank's share; images in a micro-batch */
  struct arena arena;
  real *grads;                          /* [table.size] */
  int64_t *exact;                       /* [table.size] where reproducible, else NULL: the sum of the micro-batches' grads */
  double *losses;                       /* [micro-batches of all ranks, STEP_LOSSES] where reproducible: the sums of each */
  size_t final;                         /* of this micro-batch's gradient what lies from here on has been added to `exact` */
  int overflow;                         /* some of it could not */
  real *x, *e, *conditions;             /* [share], [micro] images; [5,micro] */
  int32_t *y;                           /* [share] */
  int *flags;                           /* [2,micro] */
  struct objective_work work;
  struct reduction reduction;
  struct owners *owners;                /* the caller's: of the weights that may still be on their way, or NULL */
  int sharded;
  struct share mine;                    /* what of the gradient is for this rank: all, or where sharded what it owns */
  int last;                             /* in this rank's last micro-batch: what becomes final may travel */
  struct phases *phases;                /* the caller's, or NULL */
  struct way_there *way_there;          /* likewise; of the first micro-batch */
  struct way_back *way_back;            /* likewise; of the last */
  double most_loss, most_norm;          /* the caller's: of a good step; loss: mean over the images. INFINITY: any */
  int bad, bad_rank;                    /* of the last one, the same on all ranks; the lowest rank whose loss is no number, -1 */
  double norm;                          /* of the mean gradient */
  /* The caller's, or NULL: what each rank asks for, at the end of its gradient; `asked` is then the largest of all ranks. */
  void (*ask)(void *asker, double asked[STEP_ASKED]);
  void *asker;
  double asked[STEP_ASKED];
};
/* What the layout takes, in numbers of `real`: all, the net's part of it, and that without rows of tangents; the size of
 * the micro-batch and how many of it may have tangents; the exact sums' part; the images of the rank. For the largest share
 * among `ranks`; micro = 0: as step_init would choose. Local. */
struct step_size { size_t all, net, net_primal, micro, micro_dot, exact, share; };
struct step_size step_count(const struct net *n, const struct settings *s, int ranks, size_t micro);
/* COLLECTIVE, as is step_free. Errors: STATUS_NOMEM; those of reduction_init. */
int step_init(struct step *t, const struct world *w, const struct net *n, const struct settings *s);
void step_free(struct step *t);
/* Samples *first .. *first + *count - 1 of the global batch are rank k's of R: as even as can be, or whole micro-batches. Local. */
void step_share(const struct step *t, int k, int R, size_t *first, size_t *count);
/* COLLECTIVE. grads becomes, in `mine`, the mean gradient over the global batch of step `k` (from 0), sums the sums over it; the
 * same bits on every rank; and norm, bad and bad_rank are set. Other ranks' parts may still be on their way from here
 * (reduction_finish), so the rest of grads must stay. How gradients travel is the settings' (training.reduce). What fixed point
 * cannot hold (training.reproducible) makes the norm infinite. Errors: those of loader_next, on every rank. */
int step_gradient(struct step *t, const struct world *w, struct loader *loader, uint64_t k, const real *weights,
                  struct objective_sums *sums);
#endif
