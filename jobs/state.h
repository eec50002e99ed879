/* state.h - all that training changes, equal on every rank: weights, moments, EMAs, and how far it has come. It is what a
 * checkpoint holds, and nothing else decides how a run goes on.
 * Memory: one arena, freed by state_free. */
#ifndef JOBS_STATE_H
#define JOBS_STATE_H
#include "io/checkpoint.h"
#include "io/checkpoint_later.h"
#include "io/settings.h"
#include "jobs/phases.h"
#include "mpi/world.h"
#include "src/base/arena.h"
#include "src/net/net.h"

struct state {
  uint64_t step, images_seen;                    /* done */
  struct arena arena;
  real *weights, *m, *s, *ema[EMA_MAX];
  struct flat flats[3 + EMA_MAX];                /* the arrays by their names in a checkpoint */
  size_t n_flats;
  struct phases *phases;                         /* the caller's, or NULL */
};
/* Initial weights, zero moments, EMAs that start as copies. Local. Errors: STATUS_NOMEM. */
int state_init(struct state *state, const struct net *n, const struct settings *s);
/* What its arena takes, in numbers of `real`. Local. */
size_t state_count(const struct net *n, const struct settings *s);
void state_free(struct state *state);
/* COLLECTIVE. Goes on from RUN's newest sound checkpoint where there is one; *text receives its settings (malloc'ed) or NULL.
 * Says on rank 0 why a newer one was passed over. Errors: STATUS_BAD: another net or other EMAs than the settings ask for,
 * or no sound checkpoint among those there. */
int state_resume(const struct world *w, struct state *state, const struct net *n, const char *run, char **text);
/* COLLECTIVE. The raw weights of a checkpoint of the same net as initial ones, the EMAs as copies; step and moments stay those
 * of the start. A head for v that the file lacks stays as state_init drew it, if model.init_v_head=fresh. Errors: STATUS_BAD:
 * another net; no v head and no fresh one asked for; or both. */
int state_begin_from(const struct world *w, struct state *state, const struct net *n, const struct settings *s,
                     const char *path);
/* COLLECTIVE. Saves as RUN/checkpoint.h5. settings: YAML. Errors: those of checkpoint_save; STATUS_DIVERGED where the ranks'
 * weights are not the same bits. */
int state_save(const struct world *w, const struct state *state, const struct net *n, const char *run, const char *settings);
/* COLLECTIVE. Begins to save it, for checkpoint_later_end to end; table, settings and flats must stay until then. The same
 * errors, but that of a number that is not finite comes at the end. */
int state_save_later(const struct world *w, const struct state *state, const struct net *n, const char *run,
                     const char *settings, struct checkpoint_later *later);
/* state_save under another name in RUN. */
int state_save_as(const struct world *w, const struct state *state, const struct net *n, const char *run, const char *name,
                  const char *settings);
/* COLLECTIVE. One step of the optimizer with the mean gradient of a batch, and of the EMAs; the same bits on every rank, and on
 * any number of them that got the same gradient. work: optimizer_work numbers. */
void state_step(const struct world *w, struct state *state, const struct net *n, const struct settings *s, double rate,
                const real *grads, real *work);
#endif
