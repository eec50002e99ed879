/* Real training steps on generated data, against the rate of this machine's matrix products at the net's own shapes, measured
 * between the steps on the same ranks and threads at the same time. */
#include <errno.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/disk.h"
#include "io/json.h"
#include "io/memory.h"
#include "jobs/bench.h"
#include "jobs/layers.h"
#include "jobs/precision.h"
#include "jobs/rate.h"
#include "jobs/trainer.h"
#include "jobs/travel.h"
#include "mpi/agree.h"
#include "src/base/matmul.h"
#include "src/base/median.h"
#include "src/base/status.h"
#include "src/flow/times.h"
#include "src/net/flops.h"
#include "src/optim/share.h"

/* What is measured of each step, and its medians. */
enum figure { SECONDS, GRADIENT, IMAGES_PER_S, GRADIENT_GFLOPS, SGEMM, GRADIENT_SHARE, NS_SHARE, STEP_SHARE, GUIDANCE, TANGENTS,
              SEEN, REDUCE, EXPOSED, EXPOSED_MEDIAN, EXPOSED_MOST, MOVING, CALLS, BYTES, FIGURES };
struct result {
  double figure[FIGURES], phase[PHASES];
  size_t peak, plan;
};

/* COLLECTIVE. What the libraries take for themselves at the first call is there before the plan begins. */
static void libraries_take(MPI_Comm comm) {
  enum { N = 512 };
  float *x = calloc(3 * N * N, sizeof *x);
  if (x) matmul_nt(N, N, N, 1, x, N, x + N * N, N, 0, x + 2 * N * N, N);
  MPI_Request all[3] = { MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL };
  for (int i = 0; i < 3 && !agree_any(comm, !x); i++)   /* fragments between the ranks of a node */
    MPI_Iallreduce(MPI_IN_PLACE, x + i * N * N, N * N, MPI_FLOAT, MPI_SUM, comm, &all[i]);
  MPI_Waitall(3, all, MPI_STATUSES_IGNORE);
  free(x);
  double sum = 0;
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, comm);
}

static double seconds_of(const struct phases *p) {
  double sum = 0;
  for (int i = 0; i < PHASES; i++) sum += p->seconds[i];
  return sum;
}

/* The figures of the step just made. */
static void measure(const struct trainer *t, const struct objective_sums *s, double sgemm, double perceptual, double *f) {
  const struct flops flops = flops_net(&t->net);
  const double *seconds = t->phases.seconds, ranks = t->w->ranks, total = seconds_of(&t->phases);
  const double work = ((double)s->images * (flops.forward + flops.backward) + (double)s->guidance * flops.guidance
                       + (double)s->tangents * flops.tangent + (double)s->seen * perceptual) / ranks;
  const double ns = t->s.training.optimizer == OPTIMIZER_MUON ? share_flops(&t->net.table) / ranks : 0;
  const double gradient = seconds[PHASE_DRAW] + seconds[PHASE_GUIDANCE] + seconds[PHASE_FORWARD] + seconds[PHASE_BACKWARD]
                          + seconds[PHASE_PERCEPTUAL];
  f[SECONDS] = total;
  f[GRADIENT] = gradient;
  f[IMAGES_PER_S] = (double)s->images / total;
  f[GRADIENT_GFLOPS] = work / gradient / 1e9;
  f[SGEMM] = sgemm / 1e9;
  f[GRADIENT_SHARE] = work / gradient / sgemm;
  f[NS_SHARE] = ns / seconds[PHASE_OPTIMIZER] / sgemm;
  f[STEP_SHARE] = (work + ns) / total / sgemm;
  f[GUIDANCE] = (double)s->guidance / (double)s->images;
  f[TANGENTS] = (double)s->tangents / (double)s->images;
  f[SEEN] = (double)s->seen / (double)s->images;
}

/* COLLECTIVE. Of the same step: the gradient's way over the ranks. */
static void measure_travel(struct trainer *t, struct travel *travel, double *f) {
  travel_take(t->w, &t->step.reduction.figures, 1, travel);
  f[REDUCE] = travel->here.total;
  f[EXPOSED] = travel->exposed_mean;
  f[EXPOSED_MEDIAN] = travel->exposed_median;
  f[EXPOSED_MOST] = travel->exposed_most;
  f[MOVING] = travel->here.progress;
  f[CALLS] = travel->here.calls;
  f[BYTES] = travel->here.bytes;
}

static int run_steps(struct trainer *t, long steps, struct result *r) {
  double *all = calloc((size_t)(FIGURES + PHASES) * (size_t)steps, sizeof *all);
  struct travel travel = { .exposed = NULL };
  int status = agree(t->w->comm, all ? STATUS_OK : because(STATUS_NOMEM, "no memory for the figures"));
  if (!status) status = travel_init(t->w, &travel);
  const double perceptual = perception_flops(&t->s);
  for (long i = -1; i < steps && !status; i++) {   /* the first step warms up */
    struct objective_sums sums;
    double learning_rate, sgemm, figure[FIGURES];
    phases_reset(&t->phases);
    status = trainer_step(t, &sums, &learning_rate);
    phases_begin(&t->phases, PHASE_OTHER);
    if (i < 0) {
      r->peak = memory_peak();                     /* before the products alone take memory of their own */
      if (t->step.way_there) way_there_reset(t->step.way_there);
      if (t->step.way_back) way_back_reset(t->step.way_back);
    }
    const size_t micro = t->step.micro, T = t->net.shape.T;
    if (!status)
      status = agree(t->w->comm, rate_measure(&t->net, micro * T, times_tangents_max(&t->step.times, t->step.batch, micro) * T,
                                              0.6, &sgemm));
    if (!status) measure_travel(t, &travel, figure);
    if (status || i < 0) continue;
    measure(t, &sums, sgemm, perceptual, figure);
    for (int k = 0; k < FIGURES; k++) all[k * steps + i] = figure[k];
    for (int k = 0; k < PHASES; k++) all[(FIGURES + k) * steps + i] = t->phases.seconds[k];
  }
  for (int k = 0; k < FIGURES && !status; k++) r->figure[k] = median(all + k * steps, (size_t)steps);
  for (int k = 0; k < PHASES && !status; k++) r->phase[k] = median(all + (FIGURES + k) * steps, (size_t)steps);
  travel_free(&travel);
  free(all);
  return status;
}

static void print_json(const struct bench *b, const struct trainer *t, const struct result *r) {
  cJSON *o = cJSON_CreateObject(), *phases = cJSON_CreateObject();
  const struct { const char *name; double value; } all[] = {
    { "ranks", b->w->ranks }, { "threads", omp_get_max_threads() }, { "batch_size", (double)t->step.batch },
    { "micro_batch", (double)t->step.micro }, { "parameters", (double)table_parameters(&t->net.table) },
    { "images_per_s", r->figure[IMAGES_PER_S] }, { "step_seconds", r->figure[SECONDS] },
    { "gradient_seconds", r->figure[GRADIENT] }, { "gradient_gflops", r->figure[GRADIENT_GFLOPS] },
    { "gradient_share", r->figure[GRADIENT_SHARE] }, { "newton_schulz_share", r->figure[NS_SHARE] },
    { "step_share", r->figure[STEP_SHARE] }, { "sgemm_gflops", r->figure[SGEMM] },
    { "guidance_per_image", r->figure[GUIDANCE] }, { "tangents_per_image", r->figure[TANGENTS] },
    { "perceptual_per_image", r->figure[SEEN] }, { "reduce_seconds", r->figure[REDUCE] },
    { "reduce_exposed", r->figure[EXPOSED] }, { "reduce_exposed_median", r->figure[EXPOSED_MEDIAN] },
    { "reduce_exposed_most", r->figure[EXPOSED_MOST] }, { "reduce_progress", r->figure[MOVING] },
    { "reduce_calls", r->figure[CALLS] }, { "reduce_bytes", r->figure[BYTES] },
    { "peak_bytes", (double)r->peak }, { "plan_bytes", (double)r->plan },
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cJSON_AddNumberToObject(o, all[i].name, all[i].value);
  cJSON_AddStringToObject(o, "precision", precision_name());
  cJSON_AddStringToObject(o, "blas_core", matmul_core());
  for (int i = 0; i < PHASES; i++) cJSON_AddNumberToObject(phases, phase_name[i], r->phase[i]);
  cJSON_AddItemToObject(o, "seconds", phases);
  json_print(o);
}

static void print_table(const struct bench *b, const struct trainer *t, const struct result *r) {
  const double *f = r->figure, GiB = 1 << 30;
  printf("%zu parameters, %d rank%s of %d thread%s, batch %zu in micro-batches of %zu, precision %s, OpenBLAS core %s\n",
         table_parameters(&t->net.table), b->w->ranks, b->w->ranks > 1 ? "s" : "", omp_get_max_threads(),
         omp_get_max_threads() > 1 ? "s" : "", t->step.batch, t->step.micro, precision_name(), matmul_core());
  printf("medians of %ld steps; a share is of the sgemm rate at the net's shapes, %.1f GF/s a rank\n\n", b->steps, f[SGEMM]);
  printf("  images/s        %10.2f      (%.3f s a step; %.2f guidance evaluations and %.2f tangents an image)\n",
         f[IMAGES_PER_S], f[SECONDS], f[GUIDANCE], f[TANGENTS]);
  if (f[SEEN] > 0) {
    char text[600];
    perception_describe(&t->perception, text);
    printf("                                 %.2f samples an image through %s\n", f[SEEN], text);
  }
  printf("  gradient        %10.1f %%    (%.1f GF/s a rank, %.3f s)\n", 100 * f[GRADIENT_SHARE], f[GRADIENT_GFLOPS],
         f[GRADIENT]);
  printf("  Newton-Schulz   %10.1f %%    (symmetric products counted as half)\n", 100 * f[NS_SHARE]);
  printf("  whole step      %10.1f %%\n", 100 * f[STEP_SHARE]);
  if (b->w->ranks > 1)
    printf("  gradients' way  %10.4f s    exposed, mean of the ranks (median %.4f, most %.4f; %.4f more in %.0f calls between\n"
           "                  products), of %.4f s from first to last, for %.1f MiB\n",
           f[EXPOSED], f[EXPOSED_MEDIAN], f[EXPOSED_MOST], f[MOVING], f[CALLS], f[REDUCE], f[BYTES] / (1 << 20));
  printf("  memory a rank   %10.3f GiB  at its peak; planned %.3f\n\n  seconds by phase\n", (double)r->peak / GiB,
         (double)r->plan / GiB);
  for (int i = 1; i <= PHASES; i++)   /* "other" last */
    printf("    %-12s %9.4f\n", phase_name[i % PHASES], r->phase[i % PHASES]);
}

/* What the steps cost layer for layer. */
static int write_layers(const struct bench *b, struct trainer *t, const struct result *r) {
  const char *named = b->s.model.model_str;
  struct layers l = { .threads = omp_get_max_threads(), .images = (double)t->step.batch, .gradient = r->figure[GRADIENT],
                      .parameters = (double)table_parameters(&t->net.table), .optimizer = r->phase[PHASE_OPTIMIZER],
                      .ema = r->phase[PHASE_EMA], .table = t->net.table };
  snprintf(l.net, sizeof l.net, "%.63s", *named ? named : "net");
  way_there_mean(t->step.way_there);
  way_back_mean(t->step.way_back);
  l.there = *t->step.way_there;
  l.way = *t->step.way_back;
  return layers_write(&l, b->layers);
}

int bench_step(struct bench *b) {
  char path[TEXT_MAX];
  struct result r = { 0 };
  struct trainer t = { .w = b->w, .s = b->s, .drawn = 1, .data.fd = -1 };
  struct way_there there = { 0 };
  struct way_back way = { 0 };
  if (*b->layers) t.s.training.micro_batch = t.s.training.batch_size;   /* both ways are taken of one, and stand for all images */
  if (*b->layers && b->w->ranks > 1)
    return because(STATUS_BAD, "layers=%s: one rank measures what each of many will do", b->layers);
  if (*b->layers && disk_may_write(b->layers))
    return because(STATUS_IO, "%s: it cannot be written there: %s", b->layers, strerror(errno));
  int status = bench_noise(b->w, &b->s, (size_t)b->s.training.batch_size, path);
  if (status) return status;
  snprintf(t.s.dataset.root, sizeof t.s.dataset.root, "%s", path);
  t.s.training.steps = b->steps + 1;
  t.s.fid.every_steps = t.s.sampling.grid_every_steps = 0;   /* steps alone */
  status = trainer_open(&t);
  MPI_Barrier(b->w->comm);
  unlink(path);   /* all have it open, or none needs it */
  libraries_take(b->w->comm);
  r.plan = memory_now() + t.needs.total;
  if (!status) status = trainer_allocate(&t);
  if (!status) status = trainer_start(&t);
  if (!status && *b->layers) status = way_there_init(&there, 2 * t.net.table.count);
  if (!status && *b->layers) status = way_back_init(&way, 2 * t.net.table.count);
  if (!status && *b->layers) t.step.way_there = &there, t.step.way_back = &way;
  if (!status) status = run_steps(&t, b->steps, &r);
  if (!status && *b->layers) status = write_layers(b, &t, &r);
  if (!status && b->w->rank == 0) (b->json ? print_json : print_table)(b, &t, &r);
  way_there_free(&there);
  way_back_free(&way);
  trainer_close(&t);
  return status;
}
