#include "src/vision/contrast.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/base/vector.h"

static const real tiny = (real)1e-10;

size_t contrast_tensor(struct contrast *c, int rank, const size_t *shape, const char *format, ...) {
  char name[96];
  va_list args;
  va_start(args, format);
  vsnprintf(name, sizeof name, format, args);
  va_end(args);
  return table_add(&c->table, name, rank, shape, RULE_ADAM, INIT_ZERO, 0, 0);
}

void contrast_tap(struct contrast *c, size_t map, size_t weight) {
  assert(c->taps < CONTRAST_TAPS);
  graph_tap(&c->graph, map);
  c->tap[c->taps] = map;
  c->weight[c->taps++] = weight;
}

void contrast_free(struct contrast *c) {
  table_free(&c->table);
  graph_free(&c->graph);
}

int contrast_prepare(const struct contrast *c, real *weights) { return graph_prepare(&c->graph, weights); }

void contrast_layout(struct arena *a, const struct contrast *c, int threads, struct contrast_work *w) {
  *w = (struct contrast_work){ .threads = threads, .size = c->graph.size[GRAPH_BACKWARD] };
  for (size_t k = 0; k < c->taps; k++) w->size += graph_numbers(&c->graph, c->tap[k]);
  w->size = (w->size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
  w->base = arena_take(a, (size_t)threads * w->size);
}

static size_t input_size(const struct contrast *c) { return graph_numbers(&c->graph, 0); }

/* From an image to the taps. */
static void look(const struct contrast *c, const real *weights, const real *image, real *work) {
  const size_t C = c->graph.maps[0].C, pixels = input_size(c) / C;
  real *to = graph_at(&c->graph, GRAPH_BACKWARD, work, 0);
  for (size_t p = 0; p < pixels; p++)
    for (size_t k = 0; k < C; k++) to[p * C + k] = (image[p * C + k] - (real)c->shift[k]) / (real)c->scale[k];
  graph_forward(&c->graph, GRAPH_BACKWARD, weights, work);
}

/* One pixel of C channels. x_bar = the gradient of sum_c w_c (x_c/(|x|+tiny) - y_c/(|y|+tiny))^2 times `share`. */
static double unit_pixel(size_t C, const real *w, real share, const real *x, const real *y, real *x_bar) {
  const real n = (real)sqrt((double)vector_dot(C, x, x)), m = (real)sqrt((double)vector_dot(C, y, y));
  const real a = 1 / (n + tiny), b = 1 / (m + tiny);
  real sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
  for (size_t c = 0; c < C; c++) {
    const real weight = w ? w[c] : 1, d = a * x[c] - b * y[c];
    sum += weight * d * d;
    x_bar[c] = 2 * share * weight * d;
    along += x_bar[c] * x[c];
  }
  const real inward = n > 0 ? along * a * a / n : 0, outward = n > 0 ? a : 0;
  for (size_t c = 0; c < C; c++) x_bar[c] = x_bar[c] * outward - x[c] * inward;
  return (double)sum;
}

/* The distance of a tap's maps, and its gradient by x. */
static double differ(const struct contrast *c, const real *weights, size_t k, const real *x, const real *y, real *x_bar) {
  const struct graph_map *m = &c->graph.maps[c->tap[k]];
  const size_t pixels = m->H * m->W, C = m->C;
  double sum = 0;
  if (c->kind == CONTRAST_PLAIN) {
    for (size_t i = 0; i < pixels * C; i++) {
      const real d = x[i] - y[i];
      sum += (double)d * (double)d;
      x_bar[i] = 2 * d;
    }
    return sum;
  }
  const real *w = c->weight[k] == GRAPH_NONE ? NULL : weights + c->weight[k];
  for (size_t p = 0; p < pixels; p++)
    sum += unit_pixel(C, w, 1 / (real)pixels, x + p * C, y + p * C, x_bar + p * C);
  return sum / (double)pixels;
}

/* One pair of images. */
static double pair(const struct contrast *c, const real *weights, const real *x, const real *y, real *x_bar, real *work) {
  const struct graph *g = &c->graph;
  real *kept = work + g->size[GRAPH_BACKWARD];
  double sum = 0;
  look(c, weights, y, work);
  for (size_t k = 0, at = 0; k < c->taps; k++) {
    const size_t n = graph_numbers(g, c->tap[k]);
    memcpy(kept + at, graph_at(g, GRAPH_BACKWARD, work, c->tap[k]), n * sizeof *kept);
    at += n;
  }
  look(c, weights, x, work);
  for (size_t k = 0, at = 0; k < c->taps; k++) {
    sum += differ(c, weights, k, graph_at(g, GRAPH_BACKWARD, work, c->tap[k]), kept + at, graph_bar(g, work, c->tap[k]));
    at += graph_numbers(g, c->tap[k]);
  }
  if (!x_bar) return sum;
  graph_backward(g, weights, work);
  const size_t C = g->maps[0].C, pixels = input_size(c) / C;
  const real *bar = graph_bar(g, work, 0);
  for (size_t p = 0; p < pixels; p++)
    for (size_t k = 0; k < C; k++) x_bar[p * C + k] = bar[p * C + k] / (real)c->scale[k];
  return sum;
}

void contrast_distance(const struct contrast *c, const real *weights, const struct contrast_work *w, size_t B, const real *x,
                       const real *y, real *distance, real *x_bar) {
  const size_t n = input_size(c);
#pragma omp parallel for num_threads(w->threads) schedule(dynamic)
  for (size_t b = 0; b < B; b++)
    distance[b] = (real)pair(c, weights, x + b * n, y + b * n, x_bar ? x_bar + b * n : NULL,
                             w->base + (size_t)omp_get_thread_num() * w->size);
}

void contrast_features(const struct contrast *c, const real *weights, const struct contrast_work *w, size_t B, const real *x,
                       real *features) {
  const size_t n = input_size(c), last = c->tap[c->taps - 1], D = graph_numbers(&c->graph, last);
#pragma omp parallel for num_threads(w->threads) schedule(dynamic)
  for (size_t b = 0; b < B; b++) {
    real *work = w->base + (size_t)omp_get_thread_num() * w->size;
    look(c, weights, x + b * n, work);
    memcpy(features + b * D, graph_at(&c->graph, GRAPH_BACKWARD, work, last), D * sizeof *features);
  }
}

double contrast_flops(const struct contrast *c) { return 3 * c->graph.flops; }
