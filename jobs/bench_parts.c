/* The parts of the work on their own: sampling, products. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/json.h"
#include "io/memory.h"
#include "io/progress.h"
#include "jobs/bench.h"
#include "jobs/rate.h"
#include "jobs/setup.h"
#include "mpi/agree.h"
#include "src/base/median.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "src/net/flops.h"

/* --- sample ---------------------------------------------------------------------------------------------------------- */

struct sampling { double seconds, share, peak, plan; };

/* Median seconds of B images on this rank, the share of the sgemm rate at its shapes, memory at its peak so far and as planned
 * beforehand, bytes. Local. */
static int sample_of(const struct bench *b, const struct net *n, const real *weights, size_t B, struct sampling *s) {
  struct sampler sampler = setup_sampler(&b->s);
  struct sampler_work w;
  struct arena a = { 0 };
  real *z = NULL;
  double took[1000], rate = 0;
  int32_t *y = calloc(B, sizeof *y);
  int status = y ? STATUS_OK : because(STATUS_NOMEM, "no memory for the labels");
  for (int pass = 0; pass < 2 && !status; pass++) {
    z = arena_take(&a, B * n->pixels);
    sampler_layout(&a, n, B, &w);
    if (pass) continue;
    s->plan = (double)memory_now() + (double)(a.used * sizeof(real));
    status = arena_init(&a);
  }
  for (long i = -1; i < b->steps && !status; i++) {
    for (size_t j = 0; j < B; j++)
      random_normal((struct purpose){ 1, STREAM_SAMPLE, 0, (uint32_t)j }, n->pixels, z + j * n->pixels);
    const double began = progress_clock();
    sampler_images(&sampler, n, weights, &w, B, y, z);
    if (i >= 0) took[i] = progress_clock() - began;
  }
  s->peak = (double)memory_peak();
  if (!status) {   /* forward products only */
    struct rate_shape shapes[RATE_SHAPES];
    double flops = 0, time = 0;
    rate_shapes(n, B * n->shape.T, 0, shapes);
    for (int i = 0; i < RATE_SHAPES && !status; i += 3) {
      status = rate_of(&shapes[i], 0.2, &rate);
      const double work = 2 * (double)shapes[i].m * (double)shapes[i].n * (double)shapes[i].k;
      flops += work, time += work / rate;
    }
    s->seconds = median(took, (size_t)b->steps);
    s->share = (double)B * (double)sampler.steps * flops_net(n).sample / s->seconds / (flops / time);
  }
  free(y);
  arena_free(&a);
  return status;
}

int bench_sample(struct bench *b) {
  static const size_t chunk[2] = { 1, 16 };
  const struct net_config config = setup_net(&b->s);
  const double GiB = 1 << 30, ranks = b->w->ranks;
  struct sampling one = { 0 }, many = { 0 };
  struct net n;
  struct arena a = { 0 };
  int status = net_init(&n, &config, 0);
  if (!status) {
    arena_take(&a, n.table.size);
    status = arena_init(&a);
  }
  if (!status) {
    real *weights = arena_take(&a, n.table.size);
    table_init_weights(&n.table, 1, weights);
    status = sample_of(b, &n, weights, chunk[0], &one);
    if (!status) status = sample_of(b, &n, weights, chunk[1], &many);
  }
  status = agree(b->w->comm, status);
  if (!status && b->w->rank == 0 && b->json) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "latency_s", one.seconds);
    cJSON_AddNumberToObject(o, "latency_share", one.share);
    cJSON_AddNumberToObject(o, "images_per_s", (double)chunk[1] / many.seconds * ranks);
    cJSON_AddNumberToObject(o, "chunk_share", many.share);
    cJSON_AddNumberToObject(o, "peak_bytes", many.peak);
    cJSON_AddNumberToObject(o, "plan_bytes", many.plan);
    json_print(o);
  } else if (!status && b->w->rank == 0) {
    printf("one image:     %.4f s, %.1f %% of the sgemm rate at its shapes\n", one.seconds, 100 * one.share);
    printf("chunks of %zu:  %.2f images/s on %d rank%s, %.1f %%\n", chunk[1], (double)chunk[1] / many.seconds * ranks,
           b->w->ranks, b->w->ranks > 1 ? "s" : "", 100 * many.share);
    printf("memory a rank: %.3f GiB at its peak, planned %.3f (one image: %.3f, planned %.3f)\n", many.peak / GiB,
           many.plan / GiB, one.peak / GiB, one.plan / GiB);
  }
  arena_free(&a);
  net_free(&n);
  return status;
}

/* --- gemm ------------------------------------------------------------------------------------------------------------ */

int bench_gemm(struct bench *b) {
  const struct net_config config = setup_net(&b->s);
  static const char *const kind[] = { "x W^T", "y_bar W", "y_bar^T x" };
  struct net n;
  int status = net_init(&n, &config, 0);
  struct rate_shape shapes[RATE_SHAPES];
  const size_t share = (size_t)b->s.training.batch_size / (size_t)b->w->ranks, B = share ? share < 32 ? share : 32 : 1;
  double rate[RATE_SHAPES];
  if (!status) rate_shapes(&n, B * n.shape.T, B / 2 * n.shape.T, shapes);
  for (int i = 0; i < RATE_SHAPES && !status; i++) status = rate_of(&shapes[i], 0.3, &rate[i]);
  status = agree(b->w->comm, status);
  cJSON *list = cJSON_CreateArray();
  for (int i = 0; i < RATE_SHAPES && !status && b->w->rank == 0; i++) {
    const struct rate_shape *s = &shapes[i];
    if (!b->json) {
      printf("%-10s %6zu x %5zu x %5zu  %8.1f GF/s\n", kind[s->kind], s->m, s->n, s->k, rate[i] / 1e9);
      continue;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "m", (double)s->m);
    cJSON_AddNumberToObject(o, "n", (double)s->n);
    cJSON_AddNumberToObject(o, "k", (double)s->k);
    cJSON_AddNumberToObject(o, "gflops", rate[i] / 1e9);
    cJSON_AddItemToArray(list, o);
  }
  if (b->json && !status && b->w->rank == 0) json_print(list);
  else cJSON_Delete(list);
  net_free(&n);
  return status;
}
