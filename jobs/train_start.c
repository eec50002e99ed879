/* train_start.c - how a training begins, or goes on: the folder, the checkpoint, the files of the run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/folder.h"
#include "io/generations.h"
#include "io/provenance.h"
#include "io/stop.h"
#include "io/watchdog.h"
#include "jobs/core.h"
#include "jobs/fault.h"
#include "jobs/train.h"
#include "mpi/agree.h"
#include "mpi/watch.h"
#include "src/base/status.h"

/* Names each line that differs between the settings of the checkpoint and those of this start. A checkpoint of another version
 * may have other keys, so its settings are read and written again. */
static void tell_changes(const char *saved, const char *now) {
  struct settings s;
  settings_default(&s);
  if (settings_parse(&s, saved, strlen(saved), "checkpoint")) return;
  char *again = settings_text(&s);
  for (const char *before = again; before && *before && *now;) {
    const size_t m = strcspn(before, "\n"), n = strcspn(now, "\n");
    if (m != n || strncmp(before, now, n)) {
      const size_t a = strspn(before, " "), b = strspn(now, " ");
      fprintf(stderr, "warning: the checkpoint was made with %.*s, now it is %.*s\n", (int)(m - a), before + a, (int)(n - b),
              now + b);
    }
    before += m + (before[m] == '\n');
    now += n + (now[n] == '\n');
  }
  free(again);
}

/* The line of comment that names the networks in the loss; none where there are none, or by an older version. */
static const char *networks(const char *text, size_t *length) {
  const char *at = strstr(text, TRAINER_LOSS);
  if (at) at += strlen(TRAINER_LOSS);
  *length = at ? strcspn(at, "\n") : 0;
  return at;
}

/* The files' names may be those of before and what is in them not. */
static void tell_networks(const char *saved, const char *now) {
  size_t m, n;
  const char *a = networks(saved, &m), *b = networks(now, &n);
  if (!a || !b || (m == n && !strncmp(a, b, n))) return;
  fprintf(stderr, "warning: the checkpoint was trained with %.*s; from here on with %.*s\n", (int)m, a, (int)n, b);
}

int train_load(struct run *run, char **before) {
  const int status = state_resume(run->w, &run->t.state, &run->t.net, run->folder, before);
  run->resumed = !status && *before;
  if (status || *before) return status;
  if (run->restart_from) {
    const int other = state_resume_from(run->w, &run->t.state, &run->t.net, run->restart_from, before);
    run->t.state.guard->rollbacks = 0;   /* that run's; this one has its own */
    return other;
  }
  if (!run->load_from) return STATUS_OK;
  return state_begin_from(run->w, &run->t.state, &run->t.net, &run->t.s, run->load_from);
}

static int resume(struct run *run) {
  char *before;
  int status = train_load(run, &before);
  if (status) return status;
  if (before && run->restart == RESTART_NEVER)
    status = because(STATUS_BAD, "%s has a checkpoint of step %llu and restart=never was asked for", run->folder,
                     (unsigned long long)run->t.state.step);
  if (!before && run->restart == RESTART_REQUIRE)
    status = because(STATUS_BAD, "%s has no checkpoint and restart=require was asked for", run->folder);
  if (!status && before && run->w->rank == 0) tell_changes(before, run->t.text), tell_networks(before, run->t.text);
  if (!status && *run->t.state.changes)
    fprintf(stderr, "warning: the checkpoint in %s was made with %s: from here on the same within rounding, not bit for bit\n",
            run->resumed || !run->restart_from ? run->folder : run->restart_from, run->t.state.changes);
  if (!status && !before && run->load_from && run->w->rank == 0)
    fprintf(stderr, "begins with the weights of %s\n", run->load_from);
  if (!status && run->restart_from && !run->resumed && run->w->rank == 0)
    fprintf(stderr, "begins with all that %s holds\n", run->restart_from);
  free(before);
  return status;
}

/* COLLECTIVE. What scores on the way need, unless all steps are done. */
static int open_evaluation(struct run *run) {
  if (run->t.state.step >= run->t.steps) return STATUS_OK;
  return evaluate_open(&run->evaluation, run->w, &run->t, run->folder, train_must_stop, run);
}

/* Rank 0. */
static int open_events(struct run *run) {
  const uint64_t step = run->t.state.step;
  if (!run->t.s.training.tensorboard) return STATUS_OK;
  const int status = events_open(&run->events, run->folder, step, grids_file_most(&run->t.s));
  if (status) return status;
  run->metrics.events = &run->events;
  return events_verbatim(&run->events, "settings", step, run->t.text);
}

/* By the clock: training.max_time, or what Slurm says of the job's end, whichever is earlier; 0: neither. */
static double time_ends(const struct run *run) {
  const char *end = getenv("SLURM_JOB_END_TIME");   /* seconds since 1970 */
  const double slurm = end && atof(end) > 0 ? progress_clock() + atof(end) - (double)time(NULL) : 0;
  return run->deadline > 0 && slurm > 0 ? fmin(run->deadline, slurm) : fmax(run->deadline, slurm);
}

/* Rank 0. Two starts in a folder of a file system that gives no locks write over each other. */
static void tell_unlocked(const struct run *run, int refused) {
  if (refused) fprintf(stderr, "warning: %s: no lock is to be had here (%s): a second training in this folder would not be kept"
                               " out\n", run->folder, strerror(refused));
}

/* Rank 0, once the folder is its own. What deaths left at full size: of the best by the scores, and of pmf iotest. */
static void tidy(const struct run *run) {
  static const char *const names[] = { "best.h5", "pmf-iotest.h5" };
  char path[TEXT_MAX + 32];
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", run->folder, names[i]);
    generations_tidy(path);
  }
  unlink(path);   /* a trial is worth nothing once its process is gone */
}

/* Rank 0. Some file systems give a lock back only a while after its node was lost, and Slurm starts the job on another one at once:
 * such a start waits for it, PMF_LOCK_PATIENCE seconds (300), less where the watchdog of the others would not have it.
 * refused: as folder_lock. */
static int take_lock(struct run *run, int *refused) {
  const char *restarts = getenv("SLURM_RESTART_COUNT"), *asked = getenv("PMF_LOCK_PATIENCE");
  const double watchdog = run->t.s.training.watchdog, most = watchdog > 0 ? 2 * watchdog : INFINITY;
  const double patience = restarts && atoi(restarts) > 0 ? fmin(asked ? atof(asked) : 300, most) : 0;
  const double until = progress_clock() + patience;
  int status, told = 0;
  while ((status = folder_lock(run->folder, &run->lock, refused)) == STATUS_BAD && progress_clock() < until
         && !stop_reason(NULL, 0)) {
    if (!told++) fprintf(stderr, "%s; the job was started again: this start waits for up to %.0f s\n", status_reason(), patience);
    watch_move();
    nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
  }
  if (status == STATUS_BAD && patience > 0 && stop_reason(NULL, 0))
    return because(STATUS_SAVED, "stopped while it waited for the lock of %s; nothing was done", run->folder);
  return status;
}

/* Rank 0. The lock of a folder that was not there when this start began: another one may have come, saved and gone since. */
static int lock_new(struct run *run, int *refused) {
  char path[TEXT_MAX + 16];
  const int here = run->lock >= 0;
  const int status = folder_lock(run->folder, &run->lock, refused);
  snprintf(path, sizeof path, "%s/checkpoint.h5", run->folder);
  if (status || here || run->resumed || (access(path, F_OK) && access(strcat(path, ".prev"), F_OK))) return status;
  return because(STATUS_BAD, "%s: another start has saved here meanwhile; the same command goes on from there", run->folder);
}

/* Rank 0. */
static int write_start(const struct run *run, const struct binding *bindings) {
  int slowest;
  const double middle = binding_gflops(bindings, run->w->ranks, &slowest);
  const struct metric m[] = { { "ranks", run->w->ranks }, { "micro_batch", (double)run->t.step.micro },
                              { "images", (double)run->t.state.images_seen }, { "gflops", middle },
                              { "gflops_least", bindings[slowest].gflops }, { "slowest", slowest } };
  return metrics_write(&run->metrics, run->t.state.step ? "resume" : "start", run->t.state.step, m, sizeof m / sizeof *m, NULL);
}

int train_start(struct run *run, const struct binding *bindings) {
  const int first = run->w->rank == 0;
  int refused = 0;
  int status = agree(run->w->comm, first ? take_lock(run, &refused) : STATUS_OK);
  if (!status) status = resume(run);   /* what is refused leaves no folder */
  if (!status && first) tidy(run);
  if (!status) status = open_evaluation(run);
  if (!status) status = agree(run->w->comm, grids_open(&run->grids, run->w, &run->t));
  fault_sleep(0);
  if (!status && first) status = folder_make(run->folder);
  if (!status && first) status = lock_new(run, &refused);
  status = agree(run->w->comm, status);
  if (status) return status;
  if (first) {
    tell_unlocked(run, refused);
    stop_clear(run->folder);
    grids_cut(run->folder, run->t.state.step);
    status = metrics_open(&run->metrics, run->folder, run->t.state.step);
    if (!status) status = open_events(run);
    if (!status) status = folder_write(run->folder, "used_parameters.yml", run->t.text);
    if (!status) status = core_remember(run->folder);
    if (!status)
      status = provenance_add(run->folder, &(struct provenance){ "train", run->argc, run->argv, run->t.state.step, bindings,
                                                                 run->w->ranks });
    if (!status)
      status = write_start(run, bindings);
  }
  status = agree(run->w->comm, status);
  if (!status) status = trainer_start(&run->t);
  if (status) return status;
  progress_start(&run->progress, run->t.steps, run->t.step.batch, run->t.state.step);
  status = saves_open(&run->saves, run->w, &run->t, run->folder, &run->metrics, &run->progress);
  if (status) return status;
  run->saves.exists = run->resumed;
  run->saves.sure = run->t.state.step;
  /* From here on the folder has its own: the other file may go, or be another by the next start. */
  if (run->restart_from && !run->resumed && (status = saves_take(&run->saves, 1))) return status;
  run->saves.made = 0;   /* training.max_saves counts what this start has learnt */
  evaluate_start(&run->evaluation);
  if (run->t.s.training.max_time > 0) run->deadline = run->began + 60 * run->t.s.training.max_time;
  run->progress.until = time_ends(run);
  run->step_began = progress_clock();
  if (first) train_tell_start(run, bindings);
  train_tell_status(run, "running");
  straggler_begin(&run->straggler);
  watchdog_patience(1);
  return STATUS_OK;
}
