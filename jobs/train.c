/* train.c - pmf train: steps until the end, a signal or the time; saved on the way; started again it goes on. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/dataset.h"
#include "io/folder.h"
#include "io/metrics.h"
#include "io/progress.h"
#include "io/stop.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "jobs/state.h"
#include "jobs/step.h"
#include "mpi/agree.h"
#include "src/base/status.h"

enum restart { RESTART_AUTO, RESTART_NEVER, RESTART_REQUIRE };

struct training {
  const struct world *w;
  struct settings s;
  char run[TEXT_MAX];
  enum restart restart;
  char *text;                      /* the settings as YAML */
  struct dataset data;
  struct net net;
  struct state state;
  struct step step;
  struct arena scratch;            /* the optimizer's */
  real *work;
  struct loader *loader;
  uint64_t steps;
  FILE *metrics;                   /* rank 0 */
  struct progress progress;
  struct objective_sums interval;  /* since the last line */
  uint64_t interval_steps;
  double saved_at, save_seconds, deadline;
};

static char words_run[TEXT_MAX], words_restart[TEXT_MAX];
static struct word words[] = {
  { .name = "run", .type = WORD_TEXT, .value = words_run, .help = "folder of the run: checkpoints, metrics, settings" },
  { .name = "restart", .type = WORD_TEXT, .value = words_restart,
    .help = "auto: go on from RUN's checkpoint if there is one; require: it must be there; never: refuse if it is" },
  { .name = "--dry-run", .type = WORD_TEXT, .help = "print all settings, sizes and memory, and train nothing" },
};
enum { RUN, RESTART, DRY_RUN, WORDS };

void train_help(void) {
  puts("usage: pmf train preset=NAME | config=FILE.yml  data=FILE.h5 run=DIR  [key=value ...]\n"
       "       mpirun -np 2 pmf train preset=fashion data=runs/fashion.h5 run=runs/fashion training.steps=500\n\n"
       "Trains on all ranks. RUN/checkpoint.h5 is saved on the way, at the end, and on USR1, TERM, INT, the file\n"
       "RUN/stop or training.max_time (exit code 75); the same command goes on from there. RUN/metrics.jsonl has one\n"
       "JSON object a line, RUN/used_parameters.yml all settings.\n\nwords:");
  words_help(words, WORDS);
  puts("\nsettings (key=value, over the preset):");
  settings_help(NULL);
}

static int read_words(struct training *t, int argc, char **argv) {
  snprintf(words_restart, sizeof words_restart, "auto");
  int status = settings_load(&t->s, argc, argv, words, WORDS, NULL, 0);
  if (!status) status = settings_check(&t->s);
  if (status) return status;
  if (!words[RUN].given && !words[DRY_RUN].given) return because(STATUS_BAD, "run=DIR is missing: the folder of this run");
  if (!*t->s.dataset.root)
    return because(STATUS_BAD, "data=FILE.h5 is missing: a file that `pmf pack` wrote");
  snprintf(t->run, sizeof t->run, "%s", words_run);
  if (!strcmp(words_restart, "auto")) t->restart = RESTART_AUTO;
  else if (!strcmp(words_restart, "never")) t->restart = RESTART_NEVER;
  else if (!strcmp(words_restart, "require")) t->restart = RESTART_REQUIRE;
  else return because(STATUS_BAD, "restart=%s: expected auto, never or require", words_restart);
  return STATUS_OK;
}

/* The packed images must be those that the net is for. */
static int check_data(const struct settings *s, const struct dataset *d) {
  const char *file = s->dataset.root;
  if (d->image_size != (size_t)s->dataset.image_size)
    return because(STATUS_BAD, "%s has images of %zu x %zu, dataset.image_size is %ld", file, d->image_size, d->image_size,
                   s->dataset.image_size);
  if (d->channels != (size_t)s->dataset.image_channels)
    return because(STATUS_BAD, "%s has %zu channels, dataset.image_channels is %ld", file, d->channels,
                   s->dataset.image_channels);
  if (d->classes != (size_t)s->dataset.num_classes)
    return because(STATUS_BAD, "%s has %zu classes, dataset.num_classes is %ld", file, d->classes, s->dataset.num_classes);
  if (d->count[SPLIT_TRAIN] < (size_t)s->training.batch_size)
    return because(STATUS_BAD, "%s has %zu training images, fewer than training.batch_size = %ld", file,
                   d->count[SPLIT_TRAIN], s->training.batch_size);
  return STATUS_OK;
}

static int open_all(struct training *t) {
  int status = dataset_open(&t->data, t->s.dataset.root);
  if (!status) status = check_data(&t->s, &t->data);
  if (status) return status;
  t->steps = setup_steps(&t->s, t->data.count[SPLIT_TRAIN]);
  if (t->steps < 1) return because(STATUS_BAD, "training.num_epochs = %g is less than one step", t->s.training.num_epochs);
  const struct net_config config = setup_net(&t->s);
  status = net_init(&t->net, &config, t->s.training.optimizer == OPTIMIZER_ADAMW);
  if (!status) status = state_init(&t->state, &t->net, &t->s);
  if (!status) status = step_init(&t->step, t->w, &t->net, &t->s);
  if (status) return status;
  t->scratch.used = optimizer_work(&t->net.table);
  status = arena_init(&t->scratch);
  if (!status) t->work = arena_take(&t->scratch, t->scratch.size);
  t->text = settings_text(&t->s);
  return status || t->text ? status : because(STATUS_NOMEM, "no memory for the settings' text");
}

/* Names each line that differs between the settings of the checkpoint and those of this start. */
static void tell_changes(const char *before, const char *now) {
  while (*before && *now) {
    const size_t m = strcspn(before, "\n"), n = strcspn(now, "\n");
    if (m != n || strncmp(before, now, n))
      fprintf(stderr, "warning: the checkpoint was made with%.*s, now it is%.*s\n", (int)m, before, (int)n, now);
    before += m + (before[m] == '\n');
    now += n + (now[n] == '\n');
  }
}

static int resume(struct training *t) {
  char *before;
  int status = state_resume(t->w, &t->state, &t->net, t->run, &before);
  if (status) return status;
  if (before && t->restart == RESTART_NEVER)
    status = because(STATUS_BAD, "%s has a checkpoint of step %llu and restart=never was asked for", t->run,
                     (unsigned long long)t->state.step);
  if (!before && t->restart == RESTART_REQUIRE)
    status = because(STATUS_BAD, "%s has no checkpoint and restart=require was asked for", t->run);
  if (!status && before && t->w->rank == 0) tell_changes(before, t->text);
  free(before);
  return status;
}

/* What would be trained, and the bytes that this rank holds for it. */
static void tell_plan(const struct training *t) {
  const double MiB = 1 << 20;
  fputs(t->text, stdout);
  printf("# %zu parameters, %llu steps of %zu images from %zu, on %d ranks in micro-batches of %zu\n",
         table_parameters(&t->net.table), (unsigned long long)t->steps, t->step.batch, t->data.count[SPLIT_TRAIN],
         t->w->ranks, t->step.micro);
  printf("# MiB a rank: weights, moments and EMAs %.1f, gradients and activations %.1f, optimizer %.1f\n",
         (double)(t->state.arena.size * sizeof(real)) / MiB, (double)(t->step.arena.size * sizeof(real)) / MiB,
         (double)(t->scratch.size * sizeof(real)) / MiB);
}

static void write_status(const struct training *t, const char *what) {
  char line[256];
  snprintf(line, sizeof line, "%s step %llu of %llu\n", what, (unsigned long long)t->state.step,
           (unsigned long long)t->steps);
  if (t->w->rank == 0) folder_write(t->run, "status", line);
}

static int start(struct training *t) {
  const int first = t->w->rank == 0;
  int status = resume(t);   /* what is refused leaves no folder */
  if (!status) status = agree(t->w->comm, first ? folder_make(t->run) : STATUS_OK);
  if (status) return status;
  if (first) {
    stop_clear(t->run);
    status = metrics_open(&t->metrics, t->run, t->state.step);
    if (!status) status = folder_write(t->run, "used_parameters.yml", t->text);
    if (!status)
      status = metrics_write(t->metrics, t->state.step ? "resume" : "start", t->state.step,
                             (struct metric[]){ { "ranks", t->w->ranks }, { "micro_batch", (double)t->step.micro } }, 2, NULL);
  }
  status = agree(t->w->comm, status);
  if (!status)
    status = agree(t->w->comm, loader_start(&t->loader, &t->data, t->step.seed, t->s.dataset.use_flip, t->step.batch,
                                            t->step.first, t->step.count, t->state.step));
  if (status) return status;
  progress_start(&t->progress, t->steps, t->step.batch, t->state.step);
  t->saved_at = progress_clock();
  if (t->s.training.max_time > 0) t->deadline = t->saved_at + 60 * t->s.training.max_time;
  if (first) {
    progress_say(&t->progress, "%s: %zu parameters, %zu training images, %d ranks, batch %zu in micro-batches of %zu", t->run,
                 table_parameters(&t->net.table), t->data.count[SPLIT_TRAIN], t->w->ranks, t->step.batch, t->step.micro);
    if (t->state.step)
      progress_say(&t->progress, "going on after step %llu of %llu", (unsigned long long)t->state.step,
                   (unsigned long long)t->steps);
  }
  write_status(t, "running");
  return STATUS_OK;
}

/* COLLECTIVE. A save that fails leaves the older generations; training goes on where `needed` is 0. */
static int save(struct training *t, int needed) {
  const double began = progress_clock();
  const int status = state_save(t->w, &t->state, &t->net, t->run, t->text);
  t->saved_at = progress_clock();
  t->save_seconds = t->saved_at - began;
  progress_exclude(&t->progress, t->save_seconds);
  if (t->w->rank == 0) {
    if (status) progress_say(&t->progress, "WARNING: not saved at step %llu: %s", (unsigned long long)t->state.step, status_reason());
    metrics_write(t->metrics, status ? "save failed" : "save", t->state.step,
                  (struct metric[]){ { "seconds", t->save_seconds } }, 1, status ? status_reason() : NULL);
  }
  return needed || status == STATUS_DIVERGED ? status : STATUS_OK;
}

static double seconds_to_save(const struct training *t) {
  const double minutes = t->s.checkpoint.every_minutes;
  return minutes > 0 ? t->saved_at + 60 * minutes - progress_clock() : -1;
}

/* COLLECTIVE. Agreed at the step boundary: is there a reason to stop on any rank, and does rank 0's clock ask for a save? */
static void ask(struct training *t, int *stop, int *save_due) {
  const long every = t->s.checkpoint.every_steps;
  const int first = t->w->rank == 0;
  const char *reason = stop_reason(first ? t->run : NULL, t->deadline);
  if (reason && t->step.count && first) progress_say(&t->progress, "stopping: %s", reason);
  int flags[2] = { reason != NULL, first && t->s.checkpoint.every_minutes > 0 && seconds_to_save(t) <= 0 };
  MPI_Allreduce(MPI_IN_PLACE, flags, 2, MPI_INT, MPI_MAX, t->w->comm);
  *stop = flags[0];
  *save_due = flags[1] || (every > 0 && t->state.step % (uint64_t)every == 0);
}

static void add_interval(struct training *t, const struct objective_sums *s) {
  struct objective_sums *i = &t->interval;
  i->loss += s->loss, i->mse_u += s->mse_u, i->mse_v += s->mse_v, i->mse_u_fm += s->mse_u_fm;
  i->du_dt_square += s->du_dt_square, i->du_dt_max = fmax(i->du_dt_max, s->du_dt_max);
  i->images += s->images, i->fm += s->fm, i->guidance += s->guidance, i->tangents += s->tangents;
  t->interval_steps++;
}

static int report(struct training *t, double rate) {
  const struct objective_sums *s = &t->interval;
  const uint64_t done = t->state.step;
  const double n = (double)s->images, others = fmax(1, (double)(s->images - s->fm));
  const int due = done % (uint64_t)t->s.training.log_per_step == 0 || done == t->steps;
  progress_show(&t->progress, done, s->loss / n, s->mse_u / n, s->mse_v / n, seconds_to_save(t), due);
  if (!due) return STATUS_OK;
  const struct metric m[] = {
    { "images", (double)t->state.images_seen }, { "loss", s->loss / n }, { "mse_u", s->mse_u / n }, { "mse_v", s->mse_v / n },
    { "mse_u_fm", s->mse_u_fm / fmax(1, (double)s->fm) }, { "mse_u_others", (s->mse_u - s->mse_u_fm) / others },
    { "du_dt_rms", sqrt(s->du_dt_square / fmax(1, (double)s->tangents)) }, { "du_dt_max", s->du_dt_max },
    { "guidance_per_image", (double)s->guidance / n }, { "learning_rate", rate },
    { "images_per_s", progress_rate(&t->progress, done) }, { "seconds", progress_clock() - t->progress.began },
  };
  return metrics_write(t->metrics, "step", done, m, sizeof m / sizeof *m, NULL);
}

static int take_step(struct training *t) {
  struct objective_sums sums;
  const struct schedule schedule = setup_schedule(&t->s, t->data.count[SPLIT_TRAIN]);
  const double rate = schedule_rate(&schedule, t->state.step);
  int status = step_gradient(&t->step, t->w, t->loader, t->state.step, t->state.weights, &sums);
  if (status) return status;
  if (!isfinite(sums.loss))
    return because(STATUS_DIVERGED, "the loss is not a finite number at step %llu; the last checkpoint in %s is from before",
                   (unsigned long long)t->state.step + 1, t->run);
  state_step(&t->state, &t->net, &t->s, rate, t->step.grads, t->work);
  add_interval(t, &sums);
  if (t->w->rank == 0) status = report(t, rate);   /* a lost line of metrics stops nothing */
  if (status) progress_say(&t->progress, "WARNING: %s", status_reason());
  if (t->state.step % (uint64_t)t->s.training.log_per_step == 0) t->interval = (struct objective_sums){ 0 };
  return STATUS_OK;
}

static int loop(struct training *t) {
  int stop = 0, due = 0;
  while (t->state.step < t->steps) {
    int status = take_step(t);
    if (status) return status;
    ask(t, &stop, &due);
    if (t->state.step == t->steps) break;
    if (stop) {
      status = save(t, 1);
      if (!status) write_status(t, "saved");
      if (!status && t->w->rank == 0) metrics_write(t->metrics, "stop", t->state.step, NULL, 0, NULL);
      return status ? status
                    : because(STATUS_SAVED, "saved at step %llu of %llu; the same command goes on from there",
                              (unsigned long long)t->state.step, (unsigned long long)t->steps);
    }
    if (due && (status = save(t, 0))) return status;
  }
  const int status = save(t, 1);
  if (!status) write_status(t, "done");
  if (!status && t->w->rank == 0) {
    metrics_write(t->metrics, "end", t->state.step, NULL, 0, NULL);
    progress_say(&t->progress, "done: %llu steps, %llu images seen", (unsigned long long)t->state.step,
                 (unsigned long long)t->state.images_seen);
  }
  return status;
}

static void close_all(struct training *t) {
  loader_stop(t->loader);
  metrics_close(t->metrics);
  arena_free(&t->scratch);
  step_free(&t->step);
  state_free(&t->state);
  net_free(&t->net);
  dataset_close(&t->data);
  free(t->text);
}

int train_run(const struct world *w, int argc, char **argv) {
  struct training t = { .w = w, .data.fd = -1 };
  stop_install();
  int status = agree(w->comm, read_words(&t, argc, argv));
  if (status) return status;
  status = agree(w->comm, open_all(&t));
  if (!status && words[DRY_RUN].given) {
    if (w->rank == 0) tell_plan(&t);
    close_all(&t);
    return STATUS_OK;
  }
  if (!status) status = start(&t);
  if (!status && t.state.step >= t.steps) {
    if (w->rank == 0) progress_say(&t.progress, "done already: step %llu of %llu", (unsigned long long)t.state.step,
                                   (unsigned long long)t.steps);
    write_status(&t, "done");
  } else if (!status) {
    status = loop(&t);
  }
  close_all(&t);
  return status;
}
