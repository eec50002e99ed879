/* The networks that judge and teach, with drawn weights: images/s, and the share of the sgemm rate at the shapes of their own
 * convolutions. One image a thread, as scores and losses have it. */
#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"
#include "io/progress.h"
#include "jobs/bench.h"
#include "jobs/perception.h"
#include "jobs/rate.h"
#include "mpi/agree.h"
#include "src/base/median.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "src/vision/convnext.h"
#include "src/vision/inception.h"
#include "src/vision/lpips.h"

enum { SHAPES = 128 };

/* What a network is, and what was measured of it. */
struct seen {
  const char *name;
  const struct table *table;
  const struct graph *graph;
  int back;                    /* has a way back here */
  double images[2], rate;      /* a second, forward and with the gradient by the image; of sgemm, flops a second */
};

/* Weights that keep activations near one: a normal number by the root of what each output adds up; vectors a tenth of that. */
static void draw_weights(const struct table *t, real *weights) {
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    const double scale = n->rank > 1 ? sqrt(2 * (double)n->shape[0] / (double)n->size) : 0.1;
    random_normal((struct purpose){ 1, STREAM_SAMPLE, 1, (uint32_t)i }, n->size, weights + n->offset);
    for (size_t j = 0; j < n->size; j++) weights[n->offset + j] *= (real)scale;
  }
}

static void one_image(const struct graph *g, int back, const real *weights, real *work) {
  const enum graph_way way = back ? GRAPH_BACKWARD : GRAPH_FORWARD;
  real *x = graph_at(g, way, work, 0);
  for (size_t i = 0; i < graph_numbers(g, 0); i++) x[i] = (real)(i % 17) / 8 - 1;
  graph_forward(g, way, weights, work);
  for (size_t m = 0; m < g->n_maps && back; m++)
    if (g->maps[m].tap)
      for (size_t i = 0; i < graph_numbers(g, m); i++) graph_bar(g, work, m)[i] = (real)1e-3;
  if (back) graph_backward(g, weights, work);
}

/* The median of passes of an image a thread; one before them finds cold caches. */
static void images_per_s(const struct bench *b, struct seen *s, int back, const real *weights, real *work) {
  const size_t size = s->graph->size[back ? GRAPH_BACKWARD : GRAPH_FORWARD];
  const int n = omp_get_max_threads();
  double took[1000];
  for (long i = -1; i < b->steps; i++) {
    const double began = progress_clock();
#pragma omp parallel for schedule(static)
    for (int k = 0; k < n; k++) one_image(s->graph, back, weights, work + (size_t)omp_get_thread_num() * size);
    if (i >= 0) took[i] = progress_clock() - began;
  }
  s->images[back] = n / median(took, (size_t)b->steps);
}

/* The rate of sgemm over all convolutions, each as often as it is there. Errors: STATUS_NOMEM. */
static int measure_sgemm(const struct graph *g, double *rate) {
  struct rate_shape shapes[SHAPES];
  double rates[SHAPES], flops = 0, time = 0;
  size_t n = 0;
  int status = STATUS_OK;
  for (size_t i = 0; i < g->n_nodes && !status; i++) {
    const struct graph_node *node = &g->nodes[i];
    if (node->op != GRAPH_CONVOLUTION) continue;
    const struct rate_shape s = { g->maps[node->y].H * g->maps[node->y].W, node->k.O,
                                  node->k.kh * node->k.kw * g->maps[node->x].C, 0 };
    size_t k = 0;
    while (k < n && (shapes[k].m != s.m || shapes[k].n != s.n || shapes[k].k != s.k)) k++;
    assert(k < SHAPES);   /* more kinds than any network here has */
    if (k == n) shapes[n++] = s, status = rate_of(&s, 0.05, &rates[k]);
    const double work = 2 * (double)s.m * (double)s.n * (double)s.k;
    flops += work;
    time += status ? 0 : work / rates[k];
  }
  *rate = flops / time;
  return status;
}

static int measure(const struct bench *b, struct seen *s) {
  const struct graph *g = s->graph;
  const size_t threads = (size_t)omp_get_max_threads();
  const size_t forward = g->size[GRAPH_FORWARD], back = s->back ? g->size[GRAPH_BACKWARD] : 0, size = forward > back ? forward : back;
  struct arena a = { 0 };
  arena_take(&a, s->table->size);
  arena_take(&a, threads * size);
  int status = arena_init(&a);
  if (status) return status;
  real *weights = arena_take(&a, s->table->size), *work = arena_take(&a, threads * size);
  draw_weights(s->table, weights);
  status = graph_prepare(g, weights);
  for (int way = 0; way <= s->back && !status; way++) images_per_s(b, s, way, weights, work);
  arena_free(&a);
  return status ? status : measure_sgemm(g, &s->rate);
}

static double gflops(const struct seen *s, int back) { return s->images[back] * s->graph->flops * (1 + back) / 1e9; }

static void print_json(const struct seen *all, size_t n) {
  cJSON *list = cJSON_CreateArray();
  for (size_t i = 0; i < n; i++) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "network", all[i].name);
    cJSON_AddNumberToObject(o, "images_per_s", all[i].images[0]);
    cJSON_AddNumberToObject(o, "share", 1e9 * gflops(&all[i], 0) / all[i].rate);
    if (all[i].back) cJSON_AddNumberToObject(o, "gradients_per_s", all[i].images[1]);
    if (all[i].back) cJSON_AddNumberToObject(o, "gradient_share", 1e9 * gflops(&all[i], 1) / all[i].rate);
    cJSON_AddNumberToObject(o, "sgemm_gflops", all[i].rate / 1e9);
    cJSON_AddItemToArray(list, o);
  }
  json_print(list);
}

static void print_table(const struct seen *all, size_t n) {
  printf("one rank of %d threads, an image each; a share is of the sgemm rate, all threads at one product, at the shapes of the\n"
         "network's convolutions\n\n", omp_get_max_threads());
  printf("%-34s %10s %8s %8s   %s\n", "", "images/s", "GF/s", "share", "sgemm, GF/s");
  for (size_t i = 0; i < n; i++)
    for (int back = 0; back <= all[i].back; back++)
      printf("%-20s%-14s %10.2f %8.1f %6.1f %%   %.1f\n", back ? "" : all[i].name, back ? "with gradient" : "forward",
             all[i].images[back], gflops(&all[i], back), 1e11 * gflops(&all[i], back) / all[i].rate, all[i].rate / 1e9);
}

int bench_vision(struct bench *b) {
  struct contrast vgg, convnext;
  struct inception inception;
  lpips_init(&vgg, PERCEPTION_SIDE, PERCEPTION_SIDE);
  convnext_init(&convnext, &convnext_base, PERCEPTION_SIDE, PERCEPTION_SIDE);
  inception_init(&inception);
  struct seen all[] = {
    { .name = "Inception-v3, 299", .table = &inception.table, .graph = &inception.graph },
    { .name = "VGG-16, 224", .table = &vgg.table, .graph = &vgg.graph, .back = 1 },
    { .name = "ConvNeXt-V2 B, 224", .table = &convnext.table, .graph = &convnext.graph, .back = 1 },
  };
  enum { NETWORKS = sizeof all / sizeof *all };
  int status = STATUS_OK;
  for (int i = 0; i < NETWORKS && !status; i++) status = agree(b->w->comm, measure(b, &all[i]));
  if (!status && b->w->rank == 0) (b->json ? print_json : print_table)(all, NETWORKS);
  contrast_free(&vgg);
  contrast_free(&convnext);
  inception_free(&inception);
  return status;
}
