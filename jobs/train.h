/* train.h - what a training run knows, and its parts:
 *   train.c         the job: words, memory, the end
 *   train_start.c   from the checkpoint, if there is one, to the first step
 *   train_loop.c    steps, and what is due between them
 *   train_tell.c    what the run says of itself: lines, metrics.jsonl, RUN/status
 * All but what is said to be local is COLLECTIVE over w->comm. */
#ifndef JOBS_TRAIN_H
#define JOBS_TRAIN_H
#include "io/binding.h"
#include "io/events.h"
#include "io/metrics.h"
#include "io/progress.h"
#include "jobs/bad_images.h"
#include "jobs/evaluate.h"
#include "jobs/grids.h"
#include "jobs/saves.h"
#include "jobs/straggler.h"
#include "jobs/trainer.h"
#include "jobs/travel.h"

/* So many times the watchdog's limit: what moves much data may stand still for longer than a step. */
enum { TRAIN_PATIENCE = 4 };
enum restart { RESTART_AUTO, RESTART_NEVER, RESTART_REQUIRE };

struct run {
  const struct world *w;
  struct trainer t;
  char folder[TEXT_MAX];
  enum restart restart;
  const char *restart_from, *load_from;   /* checkpoints, or NULL */
  int lock;                        /* rank 0's, on the folder; -1 before */
  struct metrics metrics;          /* rank 0's; zeroed elsewhere */
  struct events events;            /* likewise, with training.tensorboard */
  struct progress progress;
  struct objective_sums interval;  /* since the last line; of good steps */
  double norms;                    /* of their gradients, added up */
  uint64_t good, taken;            /* their number, and that of all */
  struct travel travel;
  struct straggler straggler;
  struct bad_images bad_images;
  struct saves saves;
  int resumed;                     /* from a checkpoint of its own, when the run was loaded last */
  double gflops;                   /* of this rank's products at the start */
  double began, deadline;          /* clock of the start; of the end of training.max_time, or 0 */
  double step_began, longest_step; /* seconds; a tenth of it is forgotten with every step */
  struct evaluation evaluation;
  struct grids grids;
  int argc;
  char **argv;                     /* the words of this start */
};

/* train_start.c. The state of the run's last checkpoint, or else of restart_from, with its settings in *before, which is to be
 * freed; or else (NULL) the weights of load_from, if given. Errors: those of state_resume, state_resume_from and state_begin_from. */
int train_load(struct run *run, char **before);
/* Locks and makes the folder, loads, opens the files of the run, says how it begins; the watchdog has its usual patience then.
 * bindings: rank 0's, of every rank. Errors: STATUS_BAD for a folder or checkpoint that is not what `restart` asks for, STATUS_SAVED
 * where it was stopped while it waited for the lock, those of its files, STATUS_NOMEM. */
int train_start(struct run *run, const struct binding *bindings);

/* train_loop.c. Until all steps are made (STATUS_OK) or there is a reason to stop (STATUS_SAVED); else the failure. */
int train_loop(struct run *run);
/* Local. Of this process; asked again and again by long work. run: a struct run. */
int train_must_stop(void *run);

/* train_tell.c; local. RUN/status: "<what> step N of N". */
void train_tell_status(const struct run *run, const char *what);
/* Rank 0. Lines of a run that begins. */
void train_tell_start(struct run *run, const struct binding *bindings);
/* An interval begins; a good step of these sums was made. */
void train_tell_begin(struct run *run);
void train_tell_add(struct run *run, const struct objective_sums *sums);
/* Is a line of metrics to be written after this step? */
int train_tell_due(const struct run *run);
/* Rank 0. The live line; the line of metrics, if due. rate: of learning. Errors: those of metrics_write. */
int train_tell_step(struct run *run, double rate);
/* Rank 0. seconds: that it took. */
void train_tell_score(struct run *run, const struct score *score, int best, double seconds);
#endif
