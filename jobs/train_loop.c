/* train_loop.c - steps, and what is due between them: stops, saves, scores, grids, going back. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/stop.h"
#include "io/watchdog.h"
#include "jobs/fault.h"
#include "jobs/recover.h"
#include "jobs/train.h"
#include "mpi/agree.h"
#include "mpi/replicas.h"
#include "mpi/watch.h"
#include "src/base/status.h"

/* Checkpoints that this start may still save. */
static long saves_left(const struct run *run) {
  const long most = run->t.s.training.max_saves;
  return most > 0 ? most - run->saves.made : LONG_MAX;
}

/* COLLECTIVE. */
static int save(struct run *run, int needed) {
  watch_phase("save");
  straggler_pause(&run->straggler);
  watchdog_patience(TRAIN_PATIENCE);
  state_settle(&run->t.state);
  fault_stay_away(FAULT_AWAY_SAVE, run->t.state.step);
  int status = saves_take(&run->saves, needed);
  if (!status && saves_left(run) <= 1) status = saves_finish(&run->saves);   /* one that is sure ends the run */
  watchdog_patience(1);
  straggler_go_on(&run->straggler);
  return status;
}

/* COLLECTIVE. What would be lost otherwise is tried once more: a file system may fail for a moment. */
static int save_surely(struct run *run) {
  const int status = save(run, 1);
  return status == STATUS_IO ? save(run, 1) : status;
}

/* What a rank asks for, and what is to be done after the step. */
enum { ASK_STOP, ASK_SAVE, ASK_SCORE, ASK_WAIT, ASK_BAD_IMAGES };   /* wait: it is still writing */
_Static_assert(ASK_BAD_IMAGES + 1 == STEP_ASKED, "each has a place");
struct due { enum stop stop; int save, score, commit, bad_images; };

/* Rank 0's clock says whether a score may be taken after this step. */
static int score_due(const struct run *run) {
  const double to_end = run->deadline > 0 ? run->deadline - progress_clock() : -1;
  const double to_save = saves_left(run) > 1 ? saves_until(&run->saves) : -1;   /* after the last there is no step for it */
  return evaluate_due(&run->evaluation, run->t.state.step + 1, to_save, 60 * run->t.s.checkpoint.every_minutes, to_end);
}

/* Of this process; rank 0 alone looks for the file. */
static enum stop reason_to_stop(const struct run *run) {
  const double whole = 60 * run->t.s.training.max_time, longest = run->longest_step + run->grids.longest;
  return stop_reason(run->w->rank == 0 ? run->folder : NULL,
                     run->deadline > 0 ? run->deadline - saves_margin(&run->saves, longest, whole) : 0);
}

int train_must_stop(void *run) {
  watch_move();
  return reason_to_stop(run) != STOP_NOT;
}

/* Of this rank, when its gradients have arrived: why it would stop, what rank 0's clock asks for, whether it still writes what is
 * under way. Agreed on with the gradient's sums (jobs/step.h), as ranks that wait for one another after a step cannot hand on its
 * new weights. */
static void ask(void *asker, double asked[STEP_ASKED]) {
  struct run *run = asker;
  const int first = run->w->rank == 0;
  asked[ASK_STOP] = reason_to_stop(run);
  asked[ASK_SAVE] = first && run->t.s.checkpoint.every_minutes > 0 && saves_until(&run->saves) <= 0;
  asked[ASK_SCORE] = first && score_due(run);
  asked[ASK_WAIT] = saves_busy(&run->saves);
  asked[ASK_BAD_IMAGES] = bad_images_here(&run->t) > 0;
}

/* What all have agreed on. */
static struct due due_now(struct run *run) {
  const uint64_t every = setup_save_steps(&run->t.s, run->t.data.count[SPLIT_TRAIN]);
  const double *asked = run->t.step.asked;
  run->longest_step = fmax(progress_clock() - run->step_began, 0.9 * run->longest_step);
  return (struct due){ (enum stop)asked[ASK_STOP], asked[ASK_SAVE] > 0 || (every && run->t.state.step % every == 0),
                       asked[ASK_SCORE] > 0, run->saves.under_way && asked[ASK_WAIT] == 0, asked[ASK_BAD_IMAGES] > 0 };
}

/* COLLECTIVE. A score that fails stops nothing; one that is given up for a stop leaves the next question to find that. */
static void evaluate(struct run *run) {
  struct score score;
  int best;
  const double began = progress_clock();
  watch_phase("score");
  straggler_pause(&run->straggler);
  watchdog_patience(TRAIN_PATIENCE);
  state_settle(&run->t.state);
  const int status = evaluate_now(&run->evaluation, &run->t, run->folder, &score, &best);
  watchdog_patience(1);
  const double seconds = progress_clock() - began;
  progress_exclude(&run->progress, seconds);
  straggler_go_on(&run->straggler);
  if (run->w->rank > 0 || status == STATUS_SAVED) return;
  if (!status || best) train_tell_score(run, &score, best && !status, seconds);
  if (status)
    progress_say(&run->progress, "WARNING: score at step %llu: %s", (unsigned long long)run->t.state.step, status_reason());
}

/* COLLECTIVE. A grid that fails stops nothing. */
static void make_grids(struct run *run) {
  const double began = progress_clock();
  watch_phase("grid");
  straggler_pause(&run->straggler);
  watchdog_patience(TRAIN_PATIENCE);
  state_settle(&run->t.state);
  const int status = grids_make(&run->grids, &run->t, run->folder, &run->metrics);
  watchdog_patience(1);
  const double seconds = progress_clock() - began;
  progress_exclude(&run->progress, seconds);
  run->step_began += seconds;
  straggler_go_on(&run->straggler);
  if (status && run->w->rank == 0)
    progress_say(&run->progress, "WARNING: grid of step %llu: %s", (unsigned long long)run->t.state.step, status_reason());
  if (!status && run->w->rank == 0 && grids_show_patches(&run->grids))
    progress_say(&run->progress, "WARNING: the samples of step %llu show the grid of the net's patches: %.1f %% of their contrast"
                 " repeats from patch to patch, of held-out images %.1f %%", (unsigned long long)run->t.state.step,
                 100 * run->grids.patch_energy[0], 100 * run->grids.of_data);
}

static int take_step(struct run *run) {
  struct objective_sums sums;
  double rate;
  const double began = progress_clock();
  const struct guard *guard = &run->t.guard;
  int status = trainer_step(&run->t, &sums, &rate);
  if (status) return status;
  watchdog_step(progress_clock() - began);
  straggler_step(&run->straggler);
  run->taken++;
  if (!guard->verdict) train_tell_add(run, &sums);
  if (train_tell_due(run))
    travel_take(run->w, &run->t.step.reduction.figures, (double)run->taken, &run->travel);
  if (run->w->rank == 0) {
    if (guard->verdict) recover_tell_skip(&run->t, &run->metrics, &run->progress);
    if (guard->rang) recover_tell_alarm(&run->t, &run->metrics, &run->progress);
    status = train_tell_step(run, rate);   /* a lost line of metrics stops nothing */
  }
  if (status) progress_say(&run->progress, "WARNING: %s", status_reason());
  if (run->t.state.step % (uint64_t)run->t.s.training.log_per_step) return STATUS_OK;
  train_tell_begin(run);
  straggler_report(&run->straggler, run->w, run->t.state.step, &run->metrics, &run->progress);
  return STATUS_OK;
}

/* "the last good checkpoint ...", for a reason to end. */
static const char *last_checkpoint(const struct run *run) {
  static char text[TEXT_MAX + 128];
  if (run->saves.exists) snprintf(text, sizeof text, "the last good checkpoint is %s/checkpoint.h5 of step %llu", run->folder,
                                  (unsigned long long)run->saves.sure);
  else snprintf(text, sizeof text, "there is no checkpoint yet");
  return text;
}

/* COLLECTIVE. Weights that differ between the ranks are no one's: the run ends, and nothing is saved. */
static int check_replicas(struct run *run) {
  const uint64_t every = (uint64_t)run->t.s.training.check_every, step = run->t.state.step;
  if (!every || step % every) return STATUS_OK;
  state_settle(&run->t.state);
  const int status = replicas_check(run->w->comm, &run->t.net.table, run->t.state.weights);
  if (!status) return STATUS_OK;
  char why[1024];
  snprintf(why, sizeof why, "%s", status_reason());
  saves_finish(&run->saves);   /* one from before is then the last good one */
  if (run->w->rank == 0) metrics_write(&run->metrics, "replicas differ", step, NULL, 0, why);
  return because(status, "step %llu: %s; not saved, %s", (unsigned long long)step, why, last_checkpoint(run));
}

/* COLLECTIVE. After bad steps in a row: the state of the last checkpoint, or of the beginning, and the data after theirs. */
static int roll_back(struct run *run) {
  struct trainer *t = &run->t;
  const struct guard_memory before = *t->state.guard;
  const uint64_t failed = t->state.step;
  char *settings = NULL;
  watch_phase("rollback");
  state_settle(&run->t.state);
  int status = saves_finish(&run->saves);
  if (status) return status;
  if (!guard_may_go_back(&t->guard)) return recover_give_up(t, last_checkpoint(run));
  state_begin(&t->state, &t->net, &t->s);
  status = train_load(run, &settings);
  free(settings);
  if (status) return status;
  if (run->resumed) run->saves.sure = t->state.step;
  guard_gone_back(&t->guard, &before, t->state.step, failed);
  status = trainer_start(t);
  run->evaluation.last = t->state.step;
  train_tell_begin(run);
  straggler_begin(&run->straggler);
  progress_redo(&run->progress, failed - t->state.step);
  if (run->w->rank == 0) recover_tell_rollback(t, failed, &run->metrics, &run->progress);
  return status;
}

/* COLLECTIVE. The run ends with this status and its reason, but saved. */
static int end_saved(struct run *run, int status) {
  char why[1024];
  snprintf(why, sizeof why, "%s", status_reason());
  return save_surely(run) ? because(status, "%s", why)
                          : because(status, "%s; saved at step %llu", why, (unsigned long long)run->t.state.step);
}

/* COLLECTIVE. Too many of them end the run; what it has learnt is of good images, and is saved. */
static int tell_bad_images(struct run *run) {
  const int status = bad_images_take(&run->bad_images, &run->t, &run->metrics, &run->progress);
  return !status || status == STATUS_NOMEM ? status : end_saved(run, status);
}

/* COLLECTIVE. A batch could not be had, on which all ranks agreed before anything of the state had changed (jobs/step.h). */
static int give_up_step(struct run *run, int status) {
  reduction_finish(&run->t.step.reduction);   /* the others' parts of its gradient */
  return run->t.state.step > run->saves.sure ? end_saved(run, status) : status;
}

/* COLLECTIVE. */
static int stop(struct run *run, enum stop reason) {
  if (run->w->rank == 0) progress_say(&run->progress, "stopping: %s", stop_text(reason));
  const int saved = run->saves.exists && run->saves.sure == run->t.state.step, status = saved ? STATUS_OK : save_surely(run);
  if (status) return status;
  train_tell_status(run, "saved");
  if (run->w->rank == 0) metrics_write(&run->metrics, "stop", run->t.state.step, NULL, 0, stop_text(reason));
  return because(STATUS_SAVED, "saved at step %llu of %llu; the same command goes on from there",
                 (unsigned long long)run->t.state.step, (unsigned long long)run->t.steps);
}

int train_loop(struct run *run) {
  struct due due = { 0 };
  run->t.step.ask = ask;
  run->t.step.asker = run;
  while (run->t.state.step < run->t.steps) {
    run->step_began = progress_clock();
    int status = take_step(run);
    if (status) return give_up_step(run, status);
    if ((status = check_replicas(run))) return status;
    if (guard_must_go_back(&run->t.guard)) {
      watchdog_patience(TRAIN_PATIENCE);
      if ((status = roll_back(run))) return status;
      watchdog_patience(1);
      continue;
    }
    if (grids_due(&run->grids, run->t.state.step)) make_grids(run);   /* before a save or a stop: a run that goes on has it */
    due = due_now(run);
    if (due.bad_images && (status = tell_bad_images(run))) return status;
    if (due.commit && (status = saves_finish(&run->saves))) return status;
    if (run->t.state.step == run->t.steps) break;
    if (due.stop) return stop(run, due.stop);
    /* The checkpoint to go back to is the one from before bad steps. */
    const int amid_bad = run->t.guard.max_skips > 0 && run->t.guard.memory->in_a_row > 0;
    if (due.save && !amid_bad && (status = save(run, 0))) return status;
    const int last_save = due.save && !amid_bad && saves_left(run) <= 0;
    if (due.score && (!due.save || last_save)) evaluate(run);
    if (last_save) return stop(run, STOP_SAVES);
  }
  const int status = save_surely(run);
  if (!status && due.score) evaluate(run);
  if (!status) train_tell_status(run, "done");
  if (!status && run->w->rank == 0) {
    metrics_write(&run->metrics, "end", run->t.state.step, NULL, 0, NULL);
    progress_say(&run->progress, "done: %llu steps, %llu images seen", (unsigned long long)run->t.state.step,
                 (unsigned long long)run->t.state.images_seen);
  }
  return status;
}
