/* train_tell.c - what a training run says of itself: lines, metrics.jsonl, RUN/status. */
#include <math.h>
#include <stdio.h>

#include "io/checkpoint_io.h"
#include "io/folder.h"
#include "jobs/core.h"
#include "jobs/precision.h"
#include "jobs/train.h"
#include "src/base/status.h"

void train_tell_status(const struct run *run, const char *what) {
  char line[256];
  snprintf(line, sizeof line, "%s step %llu of %llu\n", what, (unsigned long long)run->t.state.step,
           (unsigned long long)run->t.steps);
  if (run->w->rank == 0) folder_write(run->folder, "status", line);
}

static void say_line(void *progress, const char *line) { progress_say(progress, "%s", line); }

void train_tell_start(struct run *run, const struct binding *bindings) {
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
  if (saves_hung(run->folder))
    progress_say(&run->progress, "WARNING: a save by MPI-IO has hung in this run, %s/hung says where; %s", run->folder,
                 run->t.s.checkpoint.io == CHECKPOINT_AUTO ? "without that file it would be tried again"
                                                           : "checkpoint.io=auto would leave it to rank 0");
  char terms[600];
  perception_describe(&run->t.perception, terms);
  if (*terms) progress_say(&run->progress, "%s", terms);
  if (!run->t.data.sums[SPLIT_TRAIN])
    progress_say(&run->progress, "warning: %s has no checksums of its images, as it was packed by an earlier program: damaged ones would not be"
                 " seen; pmf pack again adds them", run->t.s.dataset.root);
  binding_tell(bindings, run->w->ranks, say_line, &run->progress);
  if (run->t.state.step)
    progress_say(&run->progress, "going on after step %llu of %llu", (unsigned long long)run->t.state.step,
                 (unsigned long long)run->t.steps);
}

void train_tell_score(struct run *run, const struct score *score, int best, double seconds) {
  const struct evaluation *e = &run->evaluation;
  const unsigned long long step = (unsigned long long)run->t.state.step;
  const size_t evaluations = e->generate.sampler.steps;
  const struct metric m[] = {
    { "images", (double)run->t.state.images_seen }, { "fid_classifier", score->frechet }, { "kid_classifier", score->kernel },
    { "agreement", score->agreement }, { "n", (double)score->n }, { "reference_n", (double)score->reference },
    { "rank_deficient", score_rank_deficient(score) }, { "evaluations", (double)evaluations }, { "seconds", seconds },
  };
  char judge[64];
  snprintf(judge, sizeof judge, "classifier %s", e->judge.hash);
  metrics_write(&run->metrics, "score", run->t.state.step, m, sizeof m / sizeof *m, judge);
  char agreed[64] = "no classes";
  if (!isnan(score->agreement)) snprintf(agreed, sizeof agreed, "%.1f %% of their class", 100 * score->agreement);
  progress_say(&run->progress, "score at step %llu: FID[classifier] %.3f of %zu images%s in %zu evaluation%s, %s; %s; %.1f s",
               step, score->frechet, score->n, score_rank_deficient(score) ? " (N < D)" : "", evaluations,
               evaluations > 1 ? "s" : "", agreed, best ? "the best so far, kept as best.h5" : "not the best", seconds);
}

void train_tell_add(struct run *run, const struct objective_sums *s) {
  struct objective_sums *i = &run->interval;
  run->norms += run->t.guard.norm;
  run->good++;
  i->loss += s->loss, i->mse_u += s->mse_u, i->mse_v += s->mse_v, i->mse_u_fm += s->mse_u_fm;
  i->mse_v_fm += s->mse_v_fm, i->loss_fm += s->loss_fm, i->loss_others += s->loss_others;
  i->du_dt_square += s->du_dt_square, i->du_dt_max = fmax(i->du_dt_max, s->du_dt_max);
  i->images += s->images, i->fm += s->fm, i->guidance += s->guidance, i->tangents += s->tangents, i->seen += s->seen;
  for (int k = 0; k < PERCEPTUAL_TERMS; k++) i->distance[k] += s->distance[k];
}

void train_tell_begin(struct run *run) {
  run->interval = (struct objective_sums){ 0 };
  run->norms = 0;
  run->good = run->taken = 0;
  run->t.step.reduction.figures = (struct reduction_figures){ 0 };
}

int train_tell_due(const struct run *run) {
  return run->t.state.step % (uint64_t)run->t.s.training.log_per_step == 0 || run->t.state.step == run->t.steps;
}

int train_tell_step(struct run *run, double rate) {
  const struct objective_sums *s = &run->interval;
  const uint64_t done = run->t.state.step;
  const double none = run->good ? 0 : NAN;   /* all were skipped */
  const double n = none + (double)s->images;
  const double fm = none + fmax(1, (double)s->fm), others = none + fmax(1, (double)(s->images - s->fm));
  const int due = train_tell_due(run);
  const struct travel *travel = &run->travel;
  run->progress.waiting = run->w->ranks > 1 ? travel->exposed_mean : 0;
  progress_show(&run->progress, done, s->loss / n, s->mse_u / n, s->mse_v / n, saves_until(&run->saves), due);
  if (!due) return STATUS_OK;
  train_tell_status(run, "running");
  const struct metric m[] = {
    { "images", (double)run->t.state.images_seen }, { "loss", s->loss / n }, { "mse_u", s->mse_u / n },
    { "mse_v", s->mse_v / n },
    { "loss_fm", s->loss_fm / fm }, { "loss_others", s->loss_others / others },
    { "mse_u_fm", s->mse_u_fm / fm }, { "mse_u_others", (s->mse_u - s->mse_u_fm) / others },
    { "mse_v_fm", s->mse_v_fm / fm }, { "mse_v_others", (s->mse_v - s->mse_v_fm) / others },
    { "du_dt_rms", none + sqrt(s->du_dt_square / fmax(1, (double)s->tangents)) }, { "du_dt_max", none + s->du_dt_max },
    { "grad_norm", run->norms / (double)run->good },
    { "guidance_per_image", (double)s->guidance / n }, { "learning_rate", rate },
    { "reduce_seconds", travel->here.total }, { "reduce_exposed", travel->exposed_mean },
    { "reduce_exposed_median", travel->exposed_median }, { "reduce_exposed_most", travel->exposed_most },
    { "reduce_progress", travel->here.progress }, { "reduce_calls", travel->here.calls }, { "reduce_bytes", travel->here.bytes },
    { "images_per_s", progress_rate(&run->progress, done) }, { "seconds", progress_clock() - run->progress.began },
    { "lpips", s->distance[PERCEPTUAL_LPIPS] / n }, { "convnext", s->distance[PERCEPTUAL_CONVNEXT] / n },
    { "perceptual_per_image", (double)s->seen / n },
  };
  const size_t all = sizeof m / sizeof *m;
  return metrics_write(&run->metrics, "step", done, m, run->t.perception.on ? all : all - 3, NULL);
}
