#include "src/vision/graph.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/status.h"
#include "src/vision/convolution.h"
#include "src/vision/depthwise.h"
#include "src/vision/gelu.h"
#include "src/vision/grn.h"
#include "src/vision/layernorm.h"
#include "src/vision/window.h"

/* ---- building ---- */

/* Room for one more in a list of n. */
static void *grow(void *list, size_t n, size_t size) {
  if (n & (n + 1)) return list;   /* full where n + 1 is a power of two */
  list = realloc(list, 2 * (n + 1) * size);
  if (!list) abort();
  return list;
}

size_t graph_room(struct graph *g, size_t H, size_t W, size_t C) {
  g->maps = grow(g->maps, g->n_maps, sizeof *g->maps);
  g->maps[g->n_maps] = (struct graph_map){ .H = H, .W = W, .C = C, .first = GRAPH_NONE, .bar = GRAPH_NONE };
  return g->n_maps++;
}

void graph_input(struct graph *g, size_t H, size_t W, size_t C) {
  assert(!g->n_maps);
  graph_room(g, H, W, C);
}

static size_t add(struct graph *g, struct graph_node n) {
  const size_t i = g->n_nodes;
  struct graph_map *y = &g->maps[n.y];
  assert(n.y != n.x);
  if (y->first == GRAPH_NONE) y->first = i;
  g->maps[n.x].last = i;
  if (n.op == GRAPH_ADD) g->maps[n.other].last = i;
  g->nodes = grow(g->nodes, i, sizeof *g->nodes);
  g->nodes[g->n_nodes++] = n;
  return n.y;
}

static size_t alike(struct graph *g, size_t x) { return graph_room(g, g->maps[x].H, g->maps[x].W, g->maps[x].C); }

/* The map of C channels that a kernel makes of x: a new one, or that which is given. */
static size_t result(struct graph *g, size_t x, struct graph_kernel k, size_t C, size_t into, size_t at) {
  const struct graph_map *m = &g->maps[x];
  const size_t H = (m->H + 2 * k.ph - k.kh) / k.s + 1, W = (m->W + 2 * k.pw - k.kw) / k.s + 1;
  assert(m->H + 2 * k.ph >= k.kh && m->W + 2 * k.pw >= k.kw && k.ph < k.kh && k.pw < k.kw);
  if (into == GRAPH_NONE) return graph_room(g, H, W, C);
  assert(g->maps[into].H == H && g->maps[into].W == W && at + C <= g->maps[into].C);
  return into;
}

size_t graph_convolution(struct graph *g, size_t x, struct graph_kernel k, int relu, size_t weight, size_t bias, size_t into,
                         size_t at) {
  const size_t y = result(g, x, k, k.O, into, at);
  g->flops += 2 * (double)(g->maps[y].H * g->maps[y].W) * (double)(k.O * k.kh * k.kw * g->maps[x].C);
  return add(g, (struct graph_node){ .op = GRAPH_CONVOLUTION, .x = x, .y = y, .at = at, .k = k, .relu = relu, .weight = weight,
                                     .bias = bias });
}

size_t graph_maximum(struct graph *g, size_t x, struct graph_kernel k, size_t into, size_t at) {
  const size_t y = result(g, x, k, g->maps[x].C, into, at);
  return add(g, (struct graph_node){ .op = GRAPH_MAXIMUM, .x = x, .y = y, .at = at, .k = k });
}

size_t graph_mean(struct graph *g, size_t x, struct graph_kernel k) {
  const size_t y = result(g, x, k, g->maps[x].C, GRAPH_NONE, 0);
  return add(g, (struct graph_node){ .op = GRAPH_MEAN, .x = x, .y = y, .k = k });
}

size_t graph_depthwise(struct graph *g, size_t x, size_t k, size_t weight, size_t bias) {
  return add(g, (struct graph_node){ .op = GRAPH_DEPTHWISE, .x = x, .y = alike(g, x), .k = { .kh = k, .kw = k },
                                     .weight = weight, .bias = bias });
}

size_t graph_layernorm(struct graph *g, size_t x, size_t weight, size_t bias, double eps) {
  return add(g, (struct graph_node){ .op = GRAPH_LAYERNORM, .x = x, .y = alike(g, x), .weight = weight, .bias = bias,
                                     .eps = eps });
}

size_t graph_gelu(struct graph *g, size_t x) {
  return add(g, (struct graph_node){ .op = GRAPH_GELU, .x = x, .y = alike(g, x) });
}

size_t graph_grn(struct graph *g, size_t x, size_t weight, size_t bias) {
  return add(g, (struct graph_node){ .op = GRAPH_GRN, .x = x, .y = alike(g, x), .weight = weight, .bias = bias });
}

size_t graph_add(struct graph *g, size_t x, size_t other) {
  return add(g, (struct graph_node){ .op = GRAPH_ADD, .x = x, .other = other, .y = alike(g, x) });
}

void graph_tap(struct graph *g, size_t map) { g->maps[map].tap = 1; }

void graph_free(struct graph *g) {
  free(g->maps);
  free(g->nodes);
  *g = (struct graph){ 0 };
}

/* ---- the layers of a node ---- */

static struct convolution convolution_of(const struct graph *g, const struct graph_node *n, const real *weights) {
  const struct graph_map *x = &g->maps[n->x];
  return (struct convolution){ .H = x->H, .W = x->W, .I = x->C, .O = n->k.O, .kh = n->k.kh, .kw = n->k.kw, .s = n->k.s,
                               .ph = n->k.ph, .pw = n->k.pw, .kernel = weights ? weights + n->weight : NULL,
                               .bias = weights && n->bias != GRAPH_NONE ? weights + n->bias : NULL,
                               .ldy = g->maps[n->y].C, .relu = n->relu };
}
static struct window window_of(const struct graph *g, const struct graph_node *n) {
  const struct graph_map *x = &g->maps[n->x];
  return (struct window){ x->H, x->W, x->C, n->k.kh, n->k.kw, n->k.s, n->k.ph, n->k.pw, g->maps[n->y].C };
}
static struct depthwise depthwise_of(const struct graph *g, const struct graph_node *n, const real *weights) {
  const struct graph_map *x = &g->maps[n->x];
  return (struct depthwise){ x->H, x->W, x->C, n->k.kh, weights + n->weight, weights + n->bias };
}
static struct layernorm layernorm_of(const struct graph *g, const struct graph_node *n, const real *weights) {
  const struct graph_map *x = &g->maps[n->x];
  return (struct layernorm){ x->H * x->W, x->C, weights + n->weight, weights + n->bias, n->eps };
}
static struct grn grn_of(const struct graph *g, const struct graph_node *n, const real *weights) {
  const struct graph_map *x = &g->maps[n->x];
  return (struct grn){ x->H * x->W, x->C, weights ? weights + n->weight : NULL, weights ? weights + n->bias : NULL };
}

size_t graph_numbers(const struct graph *g, size_t map) {
  const struct graph_map *m = &g->maps[map];
  return m->H * m->W * m->C;
}

int graph_prepare(const struct graph *g, real *weights) {
  size_t most = 1;
  for (size_t i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    const size_t size = n->k.kh * n->k.kw * g->maps[n->x].C;   /* one kernel of a convolution, all of a depthwise one */
    if (size > most) most = size;
  }
  real *scratch = malloc(most * sizeof *scratch);
  if (!scratch) return because(STATUS_NOMEM, "no memory to turn the weights of a network");
  for (size_t i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    const struct convolution c = convolution_of(g, n, weights);
    if (n->op == GRAPH_CONVOLUTION && !n->packed && c.kh * c.kw > 1) convolution_pack_here(&c, weights + n->weight, scratch);
    if (n->op == GRAPH_DEPTHWISE) depthwise_pack(c.I, n->k.kh, weights + n->weight, scratch);
  }
  free(scratch);
  return STATUS_OK;
}

/* ---- places ---- */

enum { SLOTS = 64, ALIGN = 16 };   /* at once; numbers: 64 bytes of float */
struct slots { size_t n, size[SLOTS], begin[SLOTS]; int busy[SLOTS]; };

static size_t aligned(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

/* A free slot: the smallest that is large enough, else the largest, which grows. */
static size_t take(struct slots *s, size_t size) {
  size_t best = SLOTS;
  for (size_t i = 0; i < s->n; i++) {
    if (s->busy[i]) continue;
    const int fits = s->size[i] >= size;
    if (best == SLOTS || (fits ? s->size[best] < size || s->size[i] < s->size[best]
                               : s->size[best] < size && s->size[i] > s->size[best]))
      best = i;
  }
  if (best == SLOTS) {
    best = s->n++;
    assert(best < SLOTS);
  }
  if (s->size[best] < size) s->size[best] = size;
  s->busy[best] = 1;
  return best;
}

/* Where the slots begin, from `at` on; returns where they end. */
static size_t line_up(struct slots *s, size_t at) {
  for (size_t i = 0; i < s->n; i++) {
    s->begin[i] = at;
    at += aligned(s->size[i]);
  }
  return at;
}

/* Does the way back look at this map? A ReLU and a maximum at what they wrote, others at what they read. */
static int is_kept(const struct graph *g, size_t map) {
  for (size_t i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    const int reads = n->op == GRAPH_LAYERNORM || n->op == GRAPH_GELU || n->op == GRAPH_GRN || n->op == GRAPH_MAXIMUM;
    const int result = n->op == GRAPH_MAXIMUM || (n->op == GRAPH_CONVOLUTION && n->relu);
    if ((n->x == map && reads) || (n->y == map && result)) return 1;
  }
  return 0;
}

/* Slots for the maps of a way. What is kept has a place of its own. Returns the end. */
static size_t place_maps(struct graph *g, enum graph_way way) {
  struct slots s = { 0 };
  size_t own = 0;
  for (size_t m = 0; m < g->n_maps; m++) {
    g->maps[m].place[way] = GRAPH_NONE;
    if (m && !g->maps[m].tap && !(way == GRAPH_BACKWARD && is_kept(g, m))) continue;
    g->maps[m].place[way] = own;
    own += aligned(graph_numbers(g, m));
  }
  size_t *slot = calloc(g->n_maps, sizeof *slot);
  if (!slot) abort();
  for (size_t m = 0; m < g->n_maps; m++) slot[m] = SLOTS;
  for (size_t i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    if (g->maps[n->y].first == i && g->maps[n->y].place[way] == GRAPH_NONE) slot[n->y] = take(&s, graph_numbers(g, n->y));
    const size_t read[2] = { n->x, n->op == GRAPH_ADD ? n->other : n->x };
    for (int k = 0; k < 2; k++)
      if (g->maps[read[k]].last == i && slot[read[k]] < SLOTS) s.busy[slot[read[k]]] = 0;
  }
  const size_t end = line_up(&s, own);
  for (size_t m = 0; m < g->n_maps; m++)
    if (slot[m] < SLOTS) g->maps[m].place[way] = s.begin[slot[m]];
  free(slot);
  return end;
}

/* Slots for the gradients, from `at` on: of taps from the beginning, of others from their last reader, until their first
 * writer is done; the input's stays. */
static size_t place_bars(struct graph *g, size_t at) {
  struct slots s = { 0 };
  size_t *slot = calloc(g->n_maps, sizeof *slot);
  if (!slot) abort();
  for (size_t m = 0; m < g->n_maps; m++) slot[m] = g->maps[m].tap ? take(&s, graph_numbers(g, m)) : SLOTS;
  for (size_t i = g->n_nodes; i-- > 0;) {
    const struct graph_node *n = &g->nodes[i];
    const size_t read[2] = { n->x, n->op == GRAPH_ADD ? n->other : n->x };
    for (int k = 0; k < 2; k++)
      if (slot[read[k]] == SLOTS) slot[read[k]] = take(&s, graph_numbers(g, read[k]));
    assert(slot[n->y] < SLOTS);   /* somebody reads it, or it is a tap */
    if (g->maps[n->y].first == i) s.busy[slot[n->y]] = 0;
  }
  const size_t end = line_up(&s, at);
  for (size_t m = 0; m < g->n_maps; m++) g->maps[m].bar = s.begin[slot[m]];
  free(slot);
  return end;
}

static size_t scratch_of(const struct graph *g) {
  size_t most = 0;
  for (size_t i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    size_t size = 0;
    if (n->op == GRAPH_CONVOLUTION) {
      const struct convolution c = convolution_of(g, n, NULL);
      size = convolution_work(&c);
    } else if (n->op == GRAPH_GRN) {
      const struct grn l = grn_of(g, n, NULL);
      size = grn_work(&l);
    }
    if (size > most) most = size;
  }
  return aligned(most);
}

void graph_finish(struct graph *g) {
  const size_t scratch = scratch_of(g);
  g->scratch[GRAPH_FORWARD] = place_maps(g, GRAPH_FORWARD);
  g->scratch[GRAPH_BACKWARD] = place_bars(g, place_maps(g, GRAPH_BACKWARD));
  for (int way = 0; way < 2; way++) g->size[way] = g->scratch[way] + scratch;
}

/* ---- running ---- */

real *graph_at(const struct graph *g, enum graph_way way, real *work, size_t map) { return work + g->maps[map].place[way]; }
real *graph_bar(const struct graph *g, real *work, size_t map) { return work + g->maps[map].bar; }

void graph_forward(const struct graph *g, enum graph_way way, const real *weights, real *work) {
  real *scratch = work + g->scratch[way];
  for (size_t i = 0; i < g->n_nodes; i++) {
    const struct graph_node *n = &g->nodes[i];
    const real *x = graph_at(g, way, work, n->x);
    real *y = graph_at(g, way, work, n->y) + n->at;
    const struct convolution convolution = convolution_of(g, n, weights);
    const struct window window = window_of(g, n);
    const struct depthwise depthwise = depthwise_of(g, n, weights);
    const struct layernorm layernorm = layernorm_of(g, n, weights);
    const struct grn grn = grn_of(g, n, weights);
    const size_t size = graph_numbers(g, n->x);
    switch (n->op) {
      case GRAPH_CONVOLUTION: convolution_forward(&convolution, x, y, scratch); break;
      case GRAPH_DEPTHWISE: depthwise_forward(&depthwise, x, y); break;
      case GRAPH_LAYERNORM: layernorm_forward(&layernorm, x, y); break;
      case GRAPH_GELU: gelu_forward(size, x, y); break;
      case GRAPH_GRN: grn_forward(&grn, x, y, scratch); break;
      case GRAPH_MAXIMUM: window_maximum(&window, x, y); break;
      case GRAPH_MEAN: window_mean(&window, x, y); break;
      case GRAPH_ADD: {
        const real *other = graph_at(g, way, work, n->other);
        for (size_t k = 0; k < size; k++) y[k] = x[k] + other[k];
        break;
      }
    }
  }
}

/* The gradient of a map that no later node has brought any to. */
static real *bar_of(const struct graph *g, real *work, size_t map, size_t node) {
  real *bar = graph_bar(g, work, map);
  if (g->maps[map].last == node && !g->maps[map].tap) memset(bar, 0, graph_numbers(g, map) * sizeof *bar);
  return bar;
}

/* O channels of M pixels that lie ld apart: no gradient where the ReLU was shut. */
static void shut(size_t M, size_t O, size_t ld, const real *y, real *y_bar) {
  for (size_t m = 0; m < M; m++, y += ld, y_bar += ld)
    for (size_t o = 0; o < O; o++) y_bar[o] = y[o] > 0 ? y_bar[o] : 0;
}

static void backward_node(const struct graph *g, size_t i, const real *weights, real *work) {
  const struct graph_node *n = &g->nodes[i];
  const struct graph_map *to = &g->maps[n->y];
  const real *x = graph_at(g, GRAPH_BACKWARD, work, n->x), *y = graph_at(g, GRAPH_BACKWARD, work, n->y) + n->at;
  real *x_bar = bar_of(g, work, n->x, i), *y_bar = graph_bar(g, work, n->y) + n->at;
  real *scratch = work + g->scratch[GRAPH_BACKWARD];
  const struct convolution convolution = convolution_of(g, n, weights);
  const struct window window = window_of(g, n);
  const struct depthwise depthwise = depthwise_of(g, n, weights);
  const struct layernorm layernorm = layernorm_of(g, n, weights);
  const struct grn grn = grn_of(g, n, weights);
  const size_t size = graph_numbers(g, n->x);
  switch (n->op) {
    case GRAPH_CONVOLUTION:
      if (n->relu) shut(to->H * to->W, n->k.O, to->C, y, y_bar);
      convolution_backward(&convolution, y_bar, x_bar, scratch);
      break;
    case GRAPH_DEPTHWISE: depthwise_backward(&depthwise, y_bar, x_bar); break;
    case GRAPH_LAYERNORM: layernorm_backward(&layernorm, x, y_bar, x_bar); break;
    case GRAPH_GELU: gelu_backward(size, x, y_bar, x_bar); break;
    case GRAPH_GRN: grn_backward(&grn, x, y_bar, x_bar, scratch); break;
    case GRAPH_MAXIMUM: window_maximum_backward(&window, x, y, y_bar, x_bar); break;
    case GRAPH_MEAN: window_mean_backward(&window, y_bar, x_bar); break;
    case GRAPH_ADD: {
      real *other_bar = bar_of(g, work, n->other, i);
      for (size_t k = 0; k < size; k++) x_bar[k] += y_bar[k];
      for (size_t k = 0; k < size; k++) other_bar[k] += y_bar[k];
      break;
    }
  }
}

void graph_backward(const struct graph *g, const real *weights, real *work) {
  for (size_t i = g->n_nodes; i-- > 0;) backward_node(g, i, weights, work);
}
