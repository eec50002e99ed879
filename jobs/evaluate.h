/* evaluate.h - scores during training: every fid.every_steps steps the EMA that sampling.ema names makes fid.online_samples
 * images, at the settings of sampling, and they are compared with the held-out ones as pmf score does it. The state with the
 * best FID[classifier] so far is kept as RUN/best.h5, its score in RUN/best: FID, step and classifier, and on a line of its own what
 * it is of (numbers of images, weights, sampler, seed). A start that measures anything else forgets the best, and says so.
 * An evaluation changes nothing of the training. It is put off while its time, guessed from the last, would bring those of this
 * start above fid.time_share of the time, or would delay a save or the end; a stop ends it.
 * Memory: taken by evaluate_open, freed by evaluate_close; harmless on a zeroed one. */
#ifndef JOBS_EVALUATE_H
#define JOBS_EVALUATE_H
#include "jobs/scores.h"
#include "jobs/trainer.h"

struct evaluation {
  const struct world *w;
  uint64_t every;               /* steps; 0: there are none */
  double share;                 /* of the time */
  size_t n;
  struct evaluator judge;
  struct generate generate;
  struct scorer scorer;
  const real *weights;          /* that make the images: the state's, or gathered for this one evaluation */
  uint64_t last;                /* the step of the last one, or of the start */
  double began, spent, guess;   /* seconds on rank 0: clock at the start, of all so far, of the next one */
  double best;                  /* INFINITY where there is none */
  uint64_t best_step;
  char measure[384];            /* rank 0's: what the scores are of, in words */
};
/* COLLECTIVE, once the state is there. Opens the evaluator of t->data (and trains it where there is none), extracts the
 * features of the held-out images, and times a chunk for the first guess. Nothing where fid.every_steps is 0.
 * Errors: those of evaluator_open and scorer_init. */
int evaluate_open(struct evaluation *e, const struct world *w, struct trainer *t, const char *run, int (*stop)(void *),
                  void *stop_context);
/* Starts the clock of fid.time_share. */
void evaluate_start(struct evaluation *e);
/* Rank 0's to say: whether there should be one after this step. Seconds: until a save is due and between two, until the end;
 * negative: never. */
int evaluate_due(const struct evaluation *e, uint64_t step, double to_save, double between_saves, double to_end);
/* COLLECTIVE. A score of the state as it is; *improved (may be with a status): it is the best and RUN/best.h5 was written.
 * Errors: STATUS_SAVED: given up, as a stop was asked for; STATUS_IO: best.h5 could not be written; those of scorer_score. */
int evaluate_now(struct evaluation *e, struct trainer *t, const char *run, struct score *score, int *improved);
/* Bytes that evaluate_open takes on a rank. Local. */
size_t evaluate_bytes(const struct net *n, const struct settings *s, int ranks);
void evaluate_close(struct evaluation *e);
#endif
