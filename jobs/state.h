/* state.h - all that training changes: weights, moments, EMAs, how far it has come, and what the guard of its steps remembers
 * (jobs/guard.h). It is what a checkpoint holds, and nothing else decides how a run goes on. Weights are equal on every rank;
 * moments and EMAs too, or with training.shard each rank has those of the tensors that it owns (optim/share.h) and no others,
 * and the new weights go out from the owners.
 * Memory: one arena, freed by state_free. */
#ifndef JOBS_STATE_H
#define JOBS_STATE_H
#include "io/checkpoint.h"
#include "io/checkpoint_later.h"
#include "io/settings.h"
#include "jobs/guard.h"
#include "jobs/phases.h"
#include "mpi/crew.h"
#include "mpi/owners.h"
#include "mpi/reduction.h"
#include "mpi/world.h"
#include "src/base/arena.h"
#include "src/net/net.h"
#include "src/optim/share.h"

struct state {
  uint64_t step, images_seen;                    /* done */
  struct arena arena;
  int sharded;
  int exact;                                     /* training.reproducible: the same bits on any number of ranks, */
  int any_threads;                               /* and of threads, which bf16 has not */
  struct share mine;                             /* what m and ema hold of their arrays */
  real *weights, *m, *s, *ema[EMA_MAX];
  struct guard_memory *guard;
  struct flat flats[4 + EMA_MAX];                /* the arrays by their names in a checkpoint */
  size_t n_flats;
  char changes[512];                             /* on rank 0: what the bits depend on and is not as it was when they were saved */
  struct owners owners;                          /* where sharded */
  struct crew crew;                              /* setup_crews: whom this rank helps with its matrix, or who helps it */
  int later;                                     /* new weights may come while the next step's way through the net has begun */
  struct reduction *reduction;                   /* of the gradient, whose rest may still be on its way, or NULL; the caller's */
  struct phases *phases;                         /* the caller's, or NULL */
};
/* COLLECTIVE, as is state_free. Initial weights, zero moments, EMAs that start as copies. The net's tensors have their owners
 * (setup_share). Errors: STATUS_NOMEM. */
int state_init(const struct world *w, struct state *state, const struct net *n, const struct settings *s);
/* The same, in the memory that is there. Local. */
void state_begin(struct state *state, const struct net *n, const struct settings *s);
/* What its arena takes on the rank of `ranks` that owns most, in numbers of `real`: all, and the parts of it. Local. */
struct state_size { size_t all, weights, moments, emas; };
struct state_size state_count(const struct net *n, const struct settings *s, int ranks);
void state_free(struct state *state);
/* COLLECTIVE. The array of that name, `weights` or an EMA's: the state's own, or where it lies in pieces, all of it in
 * room[table.size]. NULL: there is none. */
const real *state_whole(const struct world *w, const struct state *state, const struct net *n, const char *name, real *room);
/* COLLECTIVE. Goes on from RUN's newest sound checkpoint where there is one; *text receives its settings (malloc'ed) or NULL.
 * Says on rank 0 why a newer one was passed over, and leaves in `changes` what has changed that the bits depend on.
 * Errors: STATUS_BAD: another net or other EMAs than the settings ask for, or no sound checkpoint among those there. */
int state_resume(const struct world *w, struct state *state, const struct net *n, const char *run, char **text);
/* COLLECTIVE. The same from the checkpoint `path`, of any run. Errors: also STATUS_BAD where it is not there or not sound. */
int state_resume_from(const struct world *w, struct state *state, const struct net *n, const char *path, char **text);
/* COLLECTIVE. The raw weights of a checkpoint of the same net as initial ones, the EMAs as copies; step and moments stay those
 * of the start. A head for v that the file lacks stays as state_init drew it, if model.init_v_head=fresh. Errors: STATUS_BAD:
 * another net; no v head and no fresh one asked for; or both. */
int state_begin_from(const struct world *w, struct state *state, const struct net *n, const struct settings *s,
                     const char *path);
/* COLLECTIVE. Saves as RUN/checkpoint.h5. settings: YAML. Errors: those of checkpoint_save; STATUS_DIVERGED where the ranks'
 * weights are not the same bits, naming the tensor. */
int state_save(const struct world *w, const struct state *state, const struct net *n, const char *run, const char *settings);
/* COLLECTIVE. Begins to save it, for checkpoint_later_end to end; table, settings and flats must stay until then. The same
 * errors, but that of a number that is not finite comes at the end. */
int state_save_later(const struct world *w, const struct state *state, const struct net *n, const char *run,
                     const char *settings, struct checkpoint_later *later);
/* state_save under another name in RUN. */
int state_save_as(const struct world *w, const struct state *state, const struct net *n, const char *run, const char *name,
                  const char *settings);
/* COLLECTIVE. One step of the optimizer with the mean gradient of a batch, and of the EMAs; the same bits on every rank, and on
 * any number of them that got the same gradient. Where sharded, grads need hold this rank's own part alone. work: optimizer_work
 * numbers. */
void state_step(const struct world *w, struct state *state, const struct net *n, const struct settings *s, double rate,
                const real *grads, real *work);
/* Where `later`, state_step returns while other owners' weights are on their way: who reads them waits for those (owners_need),
 * and who wants all, or to change any, calls this first. COLLECTIVE where `later`: others' weights may come through this rank. */
void state_settle(struct state *state);
/* A step that leaves all as it is, but counts. Local. */
void state_pass(struct state *state, const struct settings *s);
#endif
