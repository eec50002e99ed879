/* train.c - pmf train: steps until the end, a signal or the time; saved on the way; started again it goes on. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/binding.h"
#include "io/checkpoint_io.h"
#include "io/folder.h"
#include "io/generations.h"
#include "io/stop.h"
#include "io/watchdog.h"
#include "io/words.h"
#include "jobs/dry_run.h"
#include "jobs/fault.h"
#include "jobs/jobs.h"
#include "jobs/rate.h"
#include "jobs/train.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "src/base/matmul.h"
#include "src/base/status.h"

static char words_run[TEXT_MAX], words_restart[TEXT_MAX], words_from[TEXT_MAX];
static struct word words[] = {
  { .name = "run", .type = WORD_TEXT, .value = words_run, .help = "folder of the run: checkpoints, metrics, settings" },
  { .name = "restart", .type = WORD_TEXT, .value = words_restart,
    .help = "auto: go on from RUN's checkpoint if there is one; require: it must be there; never: refuse if it is; FILE.h5:"
            " where there is none go on from this one, of any run, with its step, moments and averages" },
  { .name = "load_from", .type = WORD_TEXT, .value = words_from,
    .help = "a checkpoint whose raw weights a new run begins with; a run that goes on does not read it" },
  { .name = "--dry-run", .type = WORD_TEXT, .help = "print all settings, sizes and memory, and train nothing" },
};
enum { RUN, RESTART, LOAD_FROM, DRY_RUN, WORDS };

void train_help(void) {
  puts("usage: pmf train preset=NAME | config=FILE.yml  data=FILE.h5 run=DIR  [key=value ...]\n"
       "       mpirun -np 2 pmf train preset=fashion data=runs/fashion.h5 run=runs/f training.steps=500\n\n"
       "Trains on all ranks. RUN/checkpoint.h5 is saved on the way, at the end, and on USR1, TERM, INT,\n"
       "the file RUN/stop, training.max_time or training.max_saves (exit code 75); the same command goes on.\n"
       "RUN/metrics.jsonl has one JSON object a line, RUN/used_parameters.yml all settings,\n"
       "RUN/provenance.json versions, hosts and words of each start. sampling.grid_every_steps=N draws\n"
       "samples on the way, in RUN/samples; training.tensorboard=on writes for TensorBoard too.\n"
       "USR2 makes every rank say where it is, and ends nothing.\n\nwords:");
  words_help(words, WORDS);
  puts("\nsettings (key=value, over the preset):");
  settings_help(NULL);
}

static int read_words(struct run *run, int argc, char **argv) {
  snprintf(words_restart, sizeof words_restart, "auto");
  int status = settings_load(&run->t.s, argc, argv, words, WORDS, NULL, 0);
  if (!status) status = settings_check(&run->t.s);
  if (!status) status = settings_name_a_net();
  if (status) return status;
  if (!words[RUN].given && !words[DRY_RUN].given) return because(STATUS_BAD, "run=DIR is missing: the folder of this run");
  if (!*run->t.s.dataset.root)
    return because(STATUS_BAD, "data=FILE.h5 is missing: a file that `pmf pack` wrote");
  snprintf(run->folder, sizeof run->folder, "%s", words_run);
  run->load_from = words[LOAD_FROM].given ? words_from : NULL;
  if (!strcmp(words_restart, "auto")) run->restart = RESTART_AUTO;
  else if (!strcmp(words_restart, "never")) run->restart = RESTART_NEVER;
  else if (!strcmp(words_restart, "require")) run->restart = RESTART_REQUIRE;
  else if (strstr(words_restart, ".h5")) run->restart_from = words_restart;
  else return because(STATUS_BAD, "restart=%s: expected auto, never, require, or a checkpoint FILE.h5", words_restart);
  if (run->restart_from && run->load_from)
    return because(STATUS_BAD, "restart=%s and load_from=%s: expected one of them", words_restart, words_from);
  return STATUS_OK;
}

/* COLLECTIVE. A start reads what a save has written; it may stand still as long. */
static int start_watchdog(const struct run *run) {
  watchdog_patience(TRAIN_PATIENCE);
  return agree(run->w->comm, watchdog_start(run->w->rank, run->w->ranks, run->t.s.training.watchdog));
}

/* COLLECTIVE. All that is known before memory is taken. */
static int prepare(struct run *run, int argc, char **argv) {
  int status = agree(run->w->comm, read_words(run, argc, argv));
  if (!status) status = agree(run->w->comm, fault_read(run->w->rank));
  if (!status) status = start_watchdog(run);
  if (!status) status = trainer_open(&run->t);
  if (!status && run->w->rank == 0) settings_tell_unused();
  return status;
}

/* COLLECTIVE. How fast they multiply, all at once, before the run has its memory: that of the products is gone by then. Where they
 * differ, up to five times, the best of each: what else runs there for a moment makes no slow rank. */
static int measure_speed(struct run *run) {
  const double slower = fault_strikes(FAULT_SLOW, 1) ? 1000 : 1;
  double most[2] = { INFINITY, 0 };   /* of the ranks; of their negatives */
  for (int i = 0; i < 5 && -most[1] < BINDING_SLOW * most[0]; i++) {
    double rate = 0;
    const int status = agree(run->w->comm, rate_glance(0.02, &rate));
    if (status) return status;
    run->gflops = fmax(run->gflops, rate / 1e9 / slower);
    most[0] = run->gflops, most[1] = -run->gflops;
    reduce_max_double(run->w->comm, 2, most);
  }
  return STATUS_OK;
}

/* COLLECTIVE. On which cores the ranks lie: *all, on rank 0, is to be freed. */
static int gather_bindings(const struct run *run, struct binding **all) {
  const int first = run->w->rank == 0;
  struct binding mine;
  *all = first ? calloc((size_t)run->w->ranks, sizeof **all) : NULL;
  const int missing = first && !*all;
  const int status = agree(run->w->comm, missing ? because(STATUS_NOMEM, "no memory for the places of %d ranks", run->w->ranks)
                                                 : STATUS_OK);
  if (status) return status;
  binding_read(&mine, omp_get_max_threads(), matmul_core());
  mine.gflops = run->gflops;
  MPI_Gather(&mine, sizeof mine, MPI_BYTE, *all, sizeof mine, MPI_BYTE, 0, run->w->comm);
  return STATUS_OK;
}

/* COLLECTIVE. By which way checkpoints are written: one that has hung is not tried again. */
static void choose_io(struct run *run) {
  const int io = (int)run->t.s.checkpoint.io, hung = agree_any(run->w->comm, run->w->rank == 0 && saves_hung(run->folder));
  checkpoint_io_choose(hung && io == CHECKPOINT_AUTO ? CHECKPOINT_RANK0 : io);
}

/* COLLECTIVE. */
static int train(struct run *run) {
  struct binding *bindings = NULL;
  choose_io(run);
  generations_kept = (int)run->t.s.checkpoint.keep;
  int status = measure_speed(run);
  if (!status) status = trainer_allocate(&run->t);
  if (!status) status = travel_init(run->w, &run->travel);
  if (!status) status = gather_bindings(run, &bindings);
  if (!status) status = train_start(run, bindings);
  free(bindings);
  if (status) return status;
  if (run->t.state.step >= run->t.steps) {
    if (run->w->rank == 0)
      progress_say(&run->progress, "done already: step %llu of %llu", (unsigned long long)run->t.state.step,
                   (unsigned long long)run->t.steps);
    train_tell_status(run, "done");
    return STATUS_OK;
  }
  status = train_loop(run);
  if (status && run->saves.under_way) {   /* it is of a step before the failure */
    char reason[1024];
    snprintf(reason, sizeof reason, "%s", status_reason());
    saves_finish(&run->saves);
    because(status, "%s", reason);
  }
  if (status && status != STATUS_SAVED) {   /* the reason of the failure stays the one that is said */
    char reason[1024];
    snprintf(reason, sizeof reason, "%s", status_reason());
    train_tell_status(run, "failed");
    because(status, "%s", reason);
  }
  return status;
}

int train_run(const struct world *w, int argc, char **argv) {
  struct run run = { .w = w, .lock = -1, .t = { .w = w, .data.fd = -1 }, .argc = argc, .argv = argv,
                     .began = progress_clock() };
  stop_install();
  watchdog_prepare();
  int status = prepare(&run, argc, argv);
  if (!status && words[DRY_RUN].given) {
    status = dry_run_tell(&run.t);
  } else if (!status) {
    status = train(&run);
  }
  watchdog_stop();
  saves_close(&run.saves);
  metrics_close(&run.metrics);
  events_close(&run.events);
  grids_close(&run.grids);
  evaluate_close(&run.evaluation);
  bad_images_free(&run.bad_images);
  travel_free(&run.travel);
  folder_unlock(run.lock);
  trainer_close(&run.t);
  return status;
}
