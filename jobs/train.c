/* train.c - pmf train: steps until the end, a signal or the time; saved on the way; started again it goes on. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/binding.h"
#include "io/checkpoint_io.h"
#include "io/events.h"
#include "io/folder.h"
#include "io/metrics.h"
#include "io/progress.h"
#include "io/provenance.h"
#include "io/stop.h"
#include "io/watchdog.h"
#include "io/words.h"
#include "jobs/bad_images.h"
#include "jobs/core.h"
#include "jobs/dry_run.h"
#include "jobs/evaluate.h"
#include "jobs/fault.h"
#include "jobs/grids.h"
#include "jobs/jobs.h"
#include "jobs/precision.h"
#include "jobs/recover.h"
#include "jobs/saves.h"
#include "jobs/straggler.h"
#include "jobs/trainer.h"
#include "jobs/travel.h"
#include "mpi/agree.h"
#include "mpi/replicas.h"
#include "mpi/watch.h"
#include "src/base/matmul.h"
#include "src/base/status.h"

enum restart { RESTART_AUTO, RESTART_NEVER, RESTART_REQUIRE };

struct run {
  const struct world *w;
  struct trainer t;
  char folder[TEXT_MAX];
  enum restart restart;
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
  int resumed;                     /* from a checkpoint, when the run was loaded last */
  double began, deadline;          /* clock of the start; of the end of training.max_time, or 0 */
  const char *reason;              /* to stop, of this rank, or NULL */
  double step_began, longest_step; /* seconds; a tenth of it is forgotten with every step */
  struct evaluation evaluation;
  struct grids grids;
  int argc;
  char **argv;                     /* the words of this start */
};

static char words_run[TEXT_MAX], words_restart[TEXT_MAX], words_from[TEXT_MAX];
static struct word words[] = {
  { .name = "run", .type = WORD_TEXT, .value = words_run, .help = "folder of the run: checkpoints, metrics, settings" },
  { .name = "restart", .type = WORD_TEXT, .value = words_restart,
    .help = "auto: go on from RUN's checkpoint if there is one; require: it must be there; never: refuse if it is" },
  { .name = "load_from", .type = WORD_TEXT, .value = words_from,
    .help = "a checkpoint whose raw weights a new run begins with; a run that goes on does not read it" },
  { .name = "--dry-run", .type = WORD_TEXT, .help = "print all settings, sizes and memory, and train nothing" },
};
enum { RUN, RESTART, LOAD_FROM, DRY_RUN, WORDS };

void train_help(void) {
  puts("usage: pmf train preset=NAME | config=FILE.yml  data=FILE.h5 run=DIR  [key=value ...]\n"
       "       mpirun -np 2 pmf train preset=fashion data=runs/fashion.h5 run=runs/f training.steps=500\n\n"
       "Trains on all ranks. RUN/checkpoint.h5 is saved on the way, at the end, and on USR1, TERM, INT,\n"
       "the file RUN/stop or training.max_time (exit code 75); the same command goes on from there.\n"
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
  if (status) return status;
  if (!words[RUN].given && !words[DRY_RUN].given) return because(STATUS_BAD, "run=DIR is missing: the folder of this run");
  if (!*run->t.s.dataset.root)
    return because(STATUS_BAD, "data=FILE.h5 is missing: a file that `pmf pack` wrote");
  snprintf(run->folder, sizeof run->folder, "%s", words_run);
  if (!strcmp(words_restart, "auto")) run->restart = RESTART_AUTO;
  else if (!strcmp(words_restart, "never")) run->restart = RESTART_NEVER;
  else if (!strcmp(words_restart, "require")) run->restart = RESTART_REQUIRE;
  else return because(STATUS_BAD, "restart=%s: expected auto, never or require", words_restart);
  return STATUS_OK;
}

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

/* COLLECTIVE. The state of the last checkpoint, whose settings are *before; or else (NULL) the weights of load_from, if given. */
static int load(struct run *run, char **before) {
  const int status = state_resume(run->w, &run->t.state, &run->t.net, run->folder, before);
  run->resumed = !status && *before;
  if (status || *before || !words[LOAD_FROM].given) return status;
  return state_begin_from(run->w, &run->t.state, &run->t.net, &run->t.s, words_from);
}

static int resume(struct run *run) {
  char *before;
  int status = load(run, &before);
  if (status) return status;
  if (before && run->restart == RESTART_NEVER)
    status = because(STATUS_BAD, "%s has a checkpoint of step %llu and restart=never was asked for", run->folder,
                     (unsigned long long)run->t.state.step);
  if (!before && run->restart == RESTART_REQUIRE)
    status = because(STATUS_BAD, "%s has no checkpoint and restart=require was asked for", run->folder);
  if (!status && before && run->w->rank == 0) tell_changes(before, run->t.text);
  if (!status && *run->t.state.changes)
    fprintf(stderr, "warning: the checkpoint in %s was made with %s: from here on the same within rounding, not bit for bit\n",
            run->folder, run->t.state.changes);
  if (!status && !before && words[LOAD_FROM].given && run->w->rank == 0)
    fprintf(stderr, "begins with the weights of %s\n", words_from);
  free(before);
  return status;
}

static void write_status(const struct run *run, const char *what) {
  char line[256];
  snprintf(line, sizeof line, "%s step %llu of %llu\n", what, (unsigned long long)run->t.state.step,
           (unsigned long long)run->t.steps);
  if (run->w->rank == 0) folder_write(run->folder, "status", line);
}

static void say_line(void *progress, const char *line) { progress_say(progress, "%s", line); }

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
  MPI_Gather(&mine, sizeof mine, MPI_BYTE, *all, sizeof mine, MPI_BYTE, 0, run->w->comm);
  return STATUS_OK;
}

/* Of this process; rank 0 alone looks for the file. */
static const char *reason_to_stop(const struct run *run) {
  const double whole = 60 * run->t.s.training.max_time, longest = run->longest_step + run->grids.longest;
  return stop_reason(run->w->rank == 0 ? run->folder : NULL,
                     run->deadline > 0 ? run->deadline - saves_margin(&run->saves, longest, whole) : 0);
}

/* Asked again and again by long work. */
static int must_stop(void *run) {
  watch_move();
  return reason_to_stop(run) != NULL;
}

/* COLLECTIVE. What scores on the way need, unless all steps are done. */
static int open_evaluation(struct run *run) {
  if (run->t.state.step >= run->t.steps) return STATUS_OK;
  return evaluate_open(&run->evaluation, run->w, &run->t, run->folder, must_stop, run);
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

static int start(struct run *run, const struct binding *bindings) {
  const int first = run->w->rank == 0;
  int status = agree(run->w->comm, first ? folder_lock(run->folder, &run->lock) : STATUS_OK);
  if (!status) status = resume(run);   /* what is refused leaves no folder */
  if (!status) status = open_evaluation(run);
  if (!status) status = agree(run->w->comm, grids_open(&run->grids, run->w, &run->t));
  if (!status && first) status = folder_make(run->folder);
  if (!status && first) status = folder_lock(run->folder, &run->lock);   /* if the folder is new */
  status = agree(run->w->comm, status);
  if (status) return status;
  if (first) {
    stop_clear(run->folder);
    status = metrics_open(&run->metrics, run->folder, run->t.state.step);
    if (!status) status = open_events(run);
    if (!status) status = folder_write(run->folder, "used_parameters.yml", run->t.text);
    if (!status) status = core_remember(run->folder);
    if (!status)
      status = provenance_add(run->folder, &(struct provenance){ "train", run->argc, run->argv, run->t.state.step, bindings,
                                                                 run->w->ranks });
    if (!status)
      status = metrics_write(&run->metrics, run->t.state.step ? "resume" : "start", run->t.state.step,
                             (struct metric[]){ { "ranks", run->w->ranks }, { "micro_batch", (double)run->t.step.micro } },
                             2, NULL);
  }
  status = agree(run->w->comm, status);
  if (!status) status = trainer_start(&run->t);
  if (status) return status;
  progress_start(&run->progress, run->t.steps, run->t.step.batch, run->t.state.step);
  status = saves_open(&run->saves, run->w, &run->t, run->folder, &run->metrics, &run->progress);
  if (status) return status;
  run->saves.exists = run->resumed;
  run->saves.sure = run->t.state.step;
  evaluate_start(&run->evaluation);
  if (run->t.s.training.max_time > 0) run->deadline = run->began + 60 * run->t.s.training.max_time;
  run->progress.until = time_ends(run);
  run->step_began = progress_clock();
  if (first) {
    progress_say(&run->progress, "%s: %zu parameters, %zu training images, %d rank%s, batch %zu in micro-batches of %zu",
                 run->folder, table_parameters(&run->t.net.table), run->t.data.count[SPLIT_TRAIN], run->w->ranks,
                 run->w->ranks > 1 ? "s" : "", run->t.step.batch, run->t.step.micro);
    char kernels[256], products[256];
    core_describe(kernels);
    if (*kernels) progress_say(&run->progress, "%s", kernels);
    precision_describe(products);
    if (*products) progress_say(&run->progress, "%s", products);
    progress_say(&run->progress, "checkpoints are written by %s", run->t.s.checkpoint.async ? "a thread of each rank"
                                                                                               : checkpoint_io_name());
    char terms[600];
    perception_describe(&run->t.perception, terms);
    if (*terms) progress_say(&run->progress, "%s", terms);
  }
  if (first && !run->t.data.sums[SPLIT_TRAIN])
    progress_say(&run->progress, "warning: %s has no checksums of its images, as it was packed by an earlier program: damaged ones would not be"
                 " seen; pmf pack again adds them", run->t.s.dataset.root);
  if (first) binding_tell(bindings, run->w->ranks, say_line, &run->progress);
  if (first && run->t.state.step)
    progress_say(&run->progress, "going on after step %llu of %llu", (unsigned long long)run->t.state.step,
                 (unsigned long long)run->t.steps);
  write_status(run, "running");
  straggler_begin(&run->straggler);
  return agree(run->w->comm, watchdog_start(run->w->rank, run->w->ranks, run->t.s.training.watchdog));
}

/* What moves much data may stand still for longer than a step. */
enum { PATIENCE = 4 };

/* COLLECTIVE. */
static int save(struct run *run, int needed) {
  watch_phase("save");
  watchdog_patience(PATIENCE);
  fault_stay_away(FAULT_AWAY_SAVE, run->t.state.step);
  state_settle(&run->t.state);
  const int status = saves_take(&run->saves, needed);
  watchdog_patience(1);
  straggler_begin(&run->straggler);
  return status;
}

static double seconds_to_save(const struct run *run) {
  const double minutes = run->t.s.checkpoint.every_minutes;
  return minutes > 0 ? run->saves.at + 60 * minutes - progress_clock() : -1;
}

/* What a rank asks for, and what is to be done after the step. */
enum { ASK_STOP, ASK_SAVE, ASK_SCORE, ASK_WAIT, ASK_BAD_IMAGES };   /* wait: it is still writing */
_Static_assert(ASK_BAD_IMAGES + 1 == STEP_ASKED, "each has a place");
struct due { int stop, save, score, commit, bad_images; };

/* Rank 0's clock says whether a score may be taken after this step. */
static int score_due(const struct run *run) {
  const double to_end = run->deadline > 0 ? run->deadline - progress_clock() : -1;
  return evaluate_due(&run->evaluation, run->t.state.step + 1, seconds_to_save(run), 60 * run->t.s.checkpoint.every_minutes,
                      to_end);
}

/* Of this rank, when its gradients have arrived: is there a reason to stop, does rank 0's clock ask for more, is it still writing
 * what is under way? Agreed on with the gradient's sums (jobs/step.h), as ranks that wait for one another after a step cannot hand
 * on its new weights. */
static void ask(void *asker, double asked[STEP_ASKED]) {
  struct run *run = asker;
  const int first = run->w->rank == 0;
  run->reason = reason_to_stop(run);
  asked[ASK_STOP] = run->reason != NULL;
  asked[ASK_SAVE] = first && run->t.s.checkpoint.every_minutes > 0 && seconds_to_save(run) <= 0;
  asked[ASK_SCORE] = first && score_due(run);
  asked[ASK_WAIT] = saves_busy(&run->saves);
  asked[ASK_BAD_IMAGES] = bad_images_here(&run->t) > 0;
}

/* What all have agreed on. */
static struct due due_now(struct run *run) {
  const uint64_t every = setup_save_steps(&run->t.s, run->t.data.count[SPLIT_TRAIN]);
  const double *asked = run->t.step.asked;
  if (run->reason && run->w->rank == 0) progress_say(&run->progress, "stopping: %s", run->reason);
  run->longest_step = fmax(progress_clock() - run->step_began, 0.9 * run->longest_step);
  return (struct due){ asked[ASK_STOP] > 0, asked[ASK_SAVE] > 0 || (every && run->t.state.step % every == 0), asked[ASK_SCORE] > 0,
                       run->saves.under_way && asked[ASK_WAIT] == 0, asked[ASK_BAD_IMAGES] > 0 };
}

static void report_score(struct run *run, const struct score *score, int best, double seconds) {
  const struct evaluation *e = &run->evaluation;
  const unsigned long long step = (unsigned long long)run->t.state.step;
  const size_t evaluations = e->generate.sampler.steps;
  const struct metric m[] = {
    { "images", (double)run->t.state.images_seen }, { "fid_classifier", score->frechet }, { "kid_classifier", score->kernel },
    { "agreement", score->agreement }, { "n", (double)score->n }, { "evaluations", (double)evaluations },
    { "seconds", seconds },
  };
  metrics_write(&run->metrics, "score", run->t.state.step, m, sizeof m / sizeof *m, NULL);
  char agreed[64] = "no classes";
  if (!isnan(score->agreement)) snprintf(agreed, sizeof agreed, "%.1f %% of their class", 100 * score->agreement);
  progress_say(&run->progress, "score at step %llu: FID[classifier] %.3f of %zu images in %zu evaluation%s, %s; %s; %.1f s",
               step, score->frechet, score->n, evaluations, evaluations > 1 ? "s" : "", agreed,
               best ? "the best so far, kept as best.h5" : "not the best", seconds);
}

/* COLLECTIVE. A score that fails stops nothing; one that is given up for a stop leaves the next question to find that. */
static void evaluate(struct run *run) {
  struct score score;
  int best;
  const double began = progress_clock();
  watch_phase("score");
  watchdog_patience(PATIENCE);
  state_settle(&run->t.state);
  const int status = evaluate_now(&run->evaluation, &run->t, run->folder, &score, &best);
  watchdog_patience(1);
  const double seconds = progress_clock() - began;
  progress_exclude(&run->progress, seconds);
  straggler_begin(&run->straggler);
  if (run->w->rank > 0 || status == STATUS_SAVED) return;
  if (!status || best) report_score(run, &score, best && !status, seconds);
  if (status)
    progress_say(&run->progress, "WARNING: score at step %llu: %s", (unsigned long long)run->t.state.step, status_reason());
}

/* COLLECTIVE. A grid that fails stops nothing. */
static void make_grids(struct run *run) {
  const double began = progress_clock();
  watch_phase("grid");
  watchdog_patience(PATIENCE);
  state_settle(&run->t.state);
  const int status = grids_make(&run->grids, &run->t, run->folder, &run->metrics);
  watchdog_patience(1);
  const double seconds = progress_clock() - began;
  progress_exclude(&run->progress, seconds);
  run->step_began += seconds;
  straggler_begin(&run->straggler);
  if (status && run->w->rank == 0)
    progress_say(&run->progress, "WARNING: grid of step %llu: %s", (unsigned long long)run->t.state.step, status_reason());
}

static void add_interval(struct run *run, const struct objective_sums *s) {
  struct objective_sums *i = &run->interval;
  run->norms += run->t.guard.norm;
  run->good++;
  i->loss += s->loss, i->mse_u += s->mse_u, i->mse_v += s->mse_v, i->mse_u_fm += s->mse_u_fm;
  i->du_dt_square += s->du_dt_square, i->du_dt_max = fmax(i->du_dt_max, s->du_dt_max);
  i->images += s->images, i->fm += s->fm, i->guidance += s->guidance, i->tangents += s->tangents, i->seen += s->seen;
  for (int k = 0; k < PERCEPTUAL_TERMS; k++) i->distance[k] += s->distance[k];
}

static void clear_interval(struct run *run) {
  run->interval = (struct objective_sums){ 0 };
  run->norms = 0;
  run->good = run->taken = 0;
  run->t.step.reduction.figures = (struct reduction_figures){ 0 };
}

/* Is a line of metrics to be written after this step? */
static int report_due(const struct run *run) {
  return run->t.state.step % (uint64_t)run->t.s.training.log_per_step == 0 || run->t.state.step == run->t.steps;
}

static int report(struct run *run, double rate) {
  const struct objective_sums *s = &run->interval;
  const uint64_t done = run->t.state.step;
  const double none = run->good ? 0 : NAN;   /* all were skipped */
  const double n = none + (double)s->images, others = fmax(1, (double)(s->images - s->fm));
  const int due = report_due(run);
  const struct travel *travel = &run->travel;
  run->progress.waiting = run->w->ranks > 1 ? travel->exposed_mean : 0;
  progress_show(&run->progress, done, s->loss / n, s->mse_u / n, s->mse_v / n, seconds_to_save(run), due);
  if (!due) return STATUS_OK;
  write_status(run, "running");
  const struct metric m[] = {
    { "images", (double)run->t.state.images_seen }, { "loss", s->loss / n }, { "mse_u", s->mse_u / n },
    { "mse_v", s->mse_v / n },
    { "mse_u_fm", none + s->mse_u_fm / fmax(1, (double)s->fm) }, { "mse_u_others", none + (s->mse_u - s->mse_u_fm) / others },
    { "du_dt_rms", none + sqrt(s->du_dt_square / fmax(1, (double)s->tangents)) }, { "du_dt_max", none + s->du_dt_max },
    { "grad_norm", run->norms / (double)run->good },
    { "guidance_per_image", (double)s->guidance / n }, { "learning_rate", rate },
    { "reduce_seconds", travel->here.total }, { "reduce_exposed", travel->exposed_mean },
    { "reduce_exposed_most", travel->exposed_most }, { "reduce_progress", travel->here.progress },
    { "reduce_calls", travel->here.calls }, { "reduce_bytes", travel->here.bytes },
    { "images_per_s", progress_rate(&run->progress, done) }, { "seconds", progress_clock() - run->progress.began },
    { "lpips", s->distance[PERCEPTUAL_LPIPS] / n }, { "convnext", s->distance[PERCEPTUAL_CONVNEXT] / n },
    { "perceptual_per_image", (double)s->seen / n },
  };
  const size_t all = sizeof m / sizeof *m;
  return metrics_write(&run->metrics, "step", done, m, run->t.perception.on ? all : all - 3, NULL);
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
  if (!guard->verdict) add_interval(run, &sums);
  if (report_due(run))
    travel_take(run->w->comm, &run->t.step.reduction.figures, (double)run->taken, &run->travel);
  if (run->w->rank == 0) {
    if (guard->verdict) recover_tell_skip(&run->t, &run->metrics, &run->progress);
    if (guard->rang) recover_tell_alarm(&run->t, &run->metrics, &run->progress);
    status = report(run, rate);   /* a lost line of metrics stops nothing */
  }
  if (status) progress_say(&run->progress, "WARNING: %s", status_reason());
  if (run->t.state.step % (uint64_t)run->t.s.training.log_per_step) return STATUS_OK;
  clear_interval(run);
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
  status = load(run, &settings);
  free(settings);
  if (status) return status;
  if (run->resumed) run->saves.sure = t->state.step;
  guard_gone_back(&t->guard, &before, t->state.step, failed);
  status = trainer_start(t);
  run->evaluation.last = t->state.step;
  clear_interval(run);
  straggler_begin(&run->straggler);
  progress_redo(&run->progress, failed - t->state.step);
  if (run->w->rank == 0) recover_tell_rollback(t, failed, &run->metrics, &run->progress);
  return status;
}

/* COLLECTIVE. Too many of them end the run; what it has learnt is of good images, and is saved. */
static int tell_bad_images(struct run *run) {
  const int status = bad_images_take(&run->bad_images, &run->t, &run->metrics, &run->progress);
  if (!status || status == STATUS_NOMEM) return status;
  char why[1024];
  snprintf(why, sizeof why, "%s", status_reason());
  return save(run, 1) ? because(status, "%s", why)
                      : because(status, "%s; saved at step %llu", why, (unsigned long long)run->t.state.step);
}

static int loop(struct run *run) {
  struct due due = { 0 };
  run->t.step.ask = ask;
  run->t.step.asker = run;
  while (run->t.state.step < run->t.steps) {
    run->step_began = progress_clock();
    int status = take_step(run);
    if (!status) status = check_replicas(run);
    if (status) return status;
    if (guard_must_go_back(&run->t.guard)) {
      watchdog_patience(PATIENCE);
      if ((status = roll_back(run))) return status;
      watchdog_patience(1);
      continue;
    }
    if (grids_due(&run->grids, run->t.state.step)) make_grids(run);   /* before a save or a stop: a run that goes on has it */
    due = due_now(run);
    if (due.bad_images && (status = tell_bad_images(run))) return status;
    if (due.commit && (status = saves_finish(&run->saves))) return status;
    if (run->t.state.step == run->t.steps) break;
    if (due.stop) {
      status = save(run, 1);
      if (!status) write_status(run, "saved");
      if (!status && run->w->rank == 0) metrics_write(&run->metrics, "stop", run->t.state.step, NULL, 0, NULL);
      return status ? status
                    : because(STATUS_SAVED, "saved at step %llu of %llu; the same command goes on from there",
                              (unsigned long long)run->t.state.step, (unsigned long long)run->t.steps);
    }
    /* The checkpoint to go back to is the one from before bad steps. */
    const int amid_bad = run->t.guard.max_skips > 0 && run->t.guard.memory->in_a_row > 0;
    if (due.save && !amid_bad && (status = save(run, 0))) return status;
    if (due.score && !due.save) evaluate(run);
  }
  const int status = save(run, 1);
  if (!status && due.score) evaluate(run);
  if (!status) write_status(run, "done");
  if (!status && run->w->rank == 0) {
    metrics_write(&run->metrics, "end", run->t.state.step, NULL, 0, NULL);
    progress_say(&run->progress, "done: %llu steps, %llu images seen", (unsigned long long)run->t.state.step,
                 (unsigned long long)run->t.state.images_seen);
  }
  return status;
}

/* COLLECTIVE. All that is known before memory is taken. */
static int prepare(struct run *run, int argc, char **argv) {
  int status = agree(run->w->comm, read_words(run, argc, argv));
  if (!status) status = agree(run->w->comm, fault_read(run->w->rank));
  if (!status) status = trainer_open(&run->t);
  if (!status && run->w->rank == 0) settings_tell_unused();
  return status;
}

/* COLLECTIVE. */
static int train(struct run *run) {
  struct binding *bindings = NULL;
  checkpoint_io_choose(run->t.s.checkpoint.io);
  int status = trainer_allocate(&run->t);
  if (!status) status = gather_bindings(run, &bindings);
  if (!status) status = start(run, bindings);
  free(bindings);
  if (status) return status;
  if (run->t.state.step >= run->t.steps) {
    if (run->w->rank == 0)
      progress_say(&run->progress, "done already: step %llu of %llu", (unsigned long long)run->t.state.step,
                   (unsigned long long)run->t.steps);
    write_status(run, "done");
    return STATUS_OK;
  }
  status = loop(run);
  if (status && run->saves.under_way) {   /* it is of a step before the failure */
    char reason[1024];
    snprintf(reason, sizeof reason, "%s", status_reason());
    saves_finish(&run->saves);
    because(status, "%s", reason);
  }
  if (status && status != STATUS_SAVED) {   /* the reason of the failure stays the one that is said */
    char reason[1024];
    snprintf(reason, sizeof reason, "%s", status_reason());
    write_status(run, "failed");
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
  folder_unlock(run.lock);
  trainer_close(&run.t);
  return status;
}
