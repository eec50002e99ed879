/* saves.h - the checkpoints of a run while it trains: taken at a step boundary, either there and then or by threads while the
 * steps go on (checkpoint.async); what they cost, in the log; the few that are kept for good.
 * A line of metrics a save: {"event":"save", "step": now, "saved_step":, "seconds": that the steps waited, "in_all": until it
 * was sure, "bytes":, "mb_per_s": bytes over in_all, "share": of this start's wall time that all saves so far made it wait}.
 * All but those said to be local are COLLECTIVE over w->comm. */
#ifndef JOBS_SAVES_H
#define JOBS_SAVES_H
#include "io/checkpoint_later.h"
#include "io/metrics.h"
#include "io/progress.h"
#include "jobs/trainer.h"

struct saves {
  const struct world *w;
  const struct trainer *t;
  const char *folder;
  const struct metrics *metrics;   /* rank 0's, the caller's */
  struct progress *progress;       /* the caller's */
  struct checkpoint_later *later;  /* NULL: every save is taken there and then */
  int under_way;
  uint64_t step;                   /* of what is under way */
  double began, waited;            /* of what is under way: the clock when it began, seconds that the steps have waited for it */
  double started, waited_in_all;   /* of this start */
  int exists;                      /* there is a checkpoint that is sure, */
  uint64_t sure;                   /* of this step; where one was there before saves_open, the caller says so */
  double at;                       /* clock of the last one, or of the start */
  int ended, made;                 /* saves of this start, the failed ones too; those that are sure */
  uint64_t archived;               /* step of the last one that has a second name in RUN/archive, 0: none */
  int slow_told, often_told;
  double longest;                  /* seconds that one takes, from its beginning until it is sure: as the last did that went well,
                                    * or what is to be expected of the first (metrics.jsonl tells, or its bytes) */
};
/* Takes the memory for copies. Errors: STATUS_NOMEM. */
int saves_open(struct saves *s, const struct world *w, const struct trainer *t, const char *folder, const struct metrics *metrics,
               struct progress *progress);
/* Local. */
void saves_close(struct saves *s);
/* Takes one. A failure leaves the older generations; training goes on where `needed` is 0. needed: it is sure on return. */
int saves_take(struct saves *s, int needed);
/* Local: this rank is still writing. */
int saves_busy(const struct saves *s);
/* Waits for what is under way, if anything, and makes it sure. */
int saves_finish(struct saves *s);
/* Local. Seconds before the end of a run's time at which it must stop to be saved in time: two saves, the longest recent step,
 * and a minute, or a twentieth of the whole time where that is less (EXPECTATIONS C18). */
double saves_margin(const struct saves *s, double longest_step, double whole);
/* Local. Seconds until the next one that checkpoint.every_minutes asks for, negative if it is late; -1 without that setting. */
double saves_until(const struct saves *s);
/* Local. An earlier start of this run hung in a save by MPI-IO, and RUN/hung says where; from then on checkpoint.io=auto means
 * rank0 (EXPECTATIONS H4). */
int saves_hung(const char *folder);
/* Local. Around what MPI-IO writes, where it does: a process that the watchdog ends meanwhile leaves RUN/hung. NULL: it is written. */
void saves_by_mpi(const char *folder);
/* Local. A save so slow that another way to write should be tried (EXPECTATIONS H16). */
int saves_slow(double bytes, double seconds);
/* Local. Whether so many saves of this start, for which it waited so many of its seconds in all, take too much of them: more than
 * 5 %, and a minute (EXPECTATIONS C25). */
int saves_too_often(int saves, double waited, double in_all);
/* Local. Seconds to be expected of the next save after one that took so long and ended with that status: one that fails at once
 * says nothing of them. */
double saves_expect(double expected, double took, int status);
/* Local. Whether, and under which name in RUN/archive, a checkpoint of `step` is kept: the first of each `every` steps, where
 * `last` is the newest that is there (0: none). */
int saves_archived(uint64_t every, uint64_t last, uint64_t step);
#endif
