#include "src/vision/inception.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

static const double eps = 1e-3;
enum { SIDE = INCEPTION_SIDE };

/* ---- the net ---- */

/* Tensors of conv and bn under this name, for x of I channels. */
static size_t tensors(struct inception *n, const char *name, size_t I, const struct graph_kernel *k, size_t *bias) {
  static const char *const parts[] = { "weight", "bias", "running_mean", "running_var" };
  char full[96];
  size_t at[4];
  snprintf(full, sizeof full, "%s.conv.weight", name);
  const size_t weight = table_add(&n->table, full, 4, (size_t[]){ k->O, I, k->kh, k->kw }, RULE_ADAM, INIT_ZERO, 0, 0);
  for (int i = 0; i < 4; i++) {
    snprintf(full, sizeof full, "%s.bn.%s", name, parts[i]);
    at[i] = table_add(&n->table, full, 1, &k->O, RULE_ADAM, INIT_ZERO, 0, 0);
  }
  *bias = at[1];   /* where the folded one will be */
  return weight;
}

static size_t convolve(struct inception *n, size_t x, const char *block, const char *name, struct graph_kernel k, size_t into,
                       size_t at) {
  char full[64];
  size_t bias;
  snprintf(full, sizeof full, "%s%s%s", block, *name ? "." : "", name);
  const size_t weight = tensors(n, full, n->graph.maps[x].C, &k, &bias);
  return graph_convolution(&n->graph, x, k, 1, weight, bias, into, at);
}

/* O kernels of kh x kw that keep the size. */
static struct graph_kernel same(size_t O, size_t kh, size_t kw) {
  return (struct graph_kernel){ O, kh, kw, 1, kh / 2, kw / 2 };
}
/* Of 3 x 3, to every other pixel, nothing outside. */
static struct graph_kernel halving(size_t O) { return (struct graph_kernel){ O, 3, 3, 2, 0, 0 }; }

/* A chain of convolutions that ends in channels `at` of `into`; the names are block.branch_1, _2, ... */
struct chain { const char *branch; size_t at, length; struct graph_kernel k[5]; };
static void chain(struct inception *n, const char *block, size_t x, size_t into, struct chain c) {
  for (size_t i = 0; i < c.length; i++) {
    char name[32];
    snprintf(name, sizeof name, c.length > 1 ? "%s_%zu" : "%s", c.branch, i + 1);
    const int last = i + 1 == c.length;
    x = convolve(n, x, block, name, c.k[i], last ? into : GRAPH_NONE, last ? c.at : 0);
  }
}

static size_t room(struct inception *n, size_t x, size_t C) {
  return graph_room(&n->graph, n->graph.maps[x].H, n->graph.maps[x].W, C);
}
static size_t half_room(struct inception *n, size_t x, size_t C) {
  return graph_room(&n->graph, (n->graph.maps[x].H - 3) / 2 + 1, (n->graph.maps[x].W - 3) / 2 + 1, C);
}
static size_t mean(struct inception *n, size_t x) { return graph_mean(&n->graph, x, same(0, 3, 3)); }

static size_t block_5(struct inception *n, size_t x, const char *name, size_t pooled) {
  const size_t y = room(n, x, 224 + pooled);
  chain(n, name, x, y, (struct chain){ "branch1x1", 0, 1, { same(64, 1, 1) } });
  chain(n, name, x, y, (struct chain){ "branch5x5", 64, 2, { same(48, 1, 1), same(64, 5, 5) } });
  chain(n, name, x, y, (struct chain){ "branch3x3dbl", 128, 3, { same(64, 1, 1), same(96, 3, 3), same(96, 3, 3) } });
  chain(n, name, mean(n, x), y, (struct chain){ "branch_pool", 224, 1, { same(pooled, 1, 1) } });
  return y;
}

static size_t block_6a(struct inception *n, size_t x, const char *name) {
  const size_t y = half_room(n, x, 768);
  chain(n, name, x, y, (struct chain){ "branch3x3", 0, 1, { halving(384) } });
  chain(n, name, x, y, (struct chain){ "branch3x3dbl", 384, 3, { same(64, 1, 1), same(96, 3, 3), halving(96) } });
  graph_maximum(&n->graph, x, halving(0), y, 480);
  return y;
}

static size_t block_6(struct inception *n, size_t x, const char *name, size_t C) {
  const size_t y = room(n, x, 768);
  chain(n, name, x, y, (struct chain){ "branch1x1", 0, 1, { same(192, 1, 1) } });
  chain(n, name, x, y, (struct chain){ "branch7x7", 192, 3, { same(C, 1, 1), same(C, 1, 7), same(192, 7, 1) } });
  chain(n, name, x, y, (struct chain){ "branch7x7dbl", 384, 5, { same(C, 1, 1), same(C, 7, 1), same(C, 1, 7), same(C, 7, 1),
                                                                 same(192, 1, 7) } });
  chain(n, name, mean(n, x), y, (struct chain){ "branch_pool", 576, 1, { same(192, 1, 1) } });
  return y;
}

static size_t block_7a(struct inception *n, size_t x, const char *name) {
  const size_t y = half_room(n, x, 1280);
  chain(n, name, x, y, (struct chain){ "branch3x3", 0, 2, { same(192, 1, 1), halving(320) } });
  chain(n, name, x, y, (struct chain){ "branch7x7x3", 320, 4, { same(192, 1, 1), same(192, 1, 7), same(192, 7, 1),
                                                                halving(192) } });
  graph_maximum(&n->graph, x, halving(0), y, 512);
  return y;
}

/* The last chains part into a 1x3 and a 3x1 convolution, side by side. */
static size_t block_7(struct inception *n, size_t x, const char *name, int last) {
  const size_t y = room(n, x, 2048);
  chain(n, name, x, y, (struct chain){ "branch1x1", 0, 1, { same(320, 1, 1) } });
  size_t inner = convolve(n, x, name, "branch3x3_1", same(384, 1, 1), GRAPH_NONE, 0);
  convolve(n, inner, name, "branch3x3_2a", same(384, 1, 3), y, 320);
  convolve(n, inner, name, "branch3x3_2b", same(384, 3, 1), y, 704);
  inner = convolve(n, x, name, "branch3x3dbl_1", same(448, 1, 1), GRAPH_NONE, 0);
  inner = convolve(n, inner, name, "branch3x3dbl_2", same(384, 3, 3), GRAPH_NONE, 0);
  convolve(n, inner, name, "branch3x3dbl_3a", same(384, 1, 3), y, 1088);
  convolve(n, inner, name, "branch3x3dbl_3b", same(384, 3, 1), y, 1472);
  const size_t pooled = last ? graph_maximum(&n->graph, x, same(0, 3, 3), GRAPH_NONE, 0) : mean(n, x);
  chain(n, name, pooled, y, (struct chain){ "branch_pool", 1856, 1, { same(192, 1, 1) } });
  return y;
}

void inception_init(struct inception *n) {
  *n = (struct inception){ 0 };
  struct graph *g = &n->graph;
  graph_input(g, SIDE, SIDE, 3);
  size_t x = convolve(n, 0, "Conv2d_1a_3x3", "", halving(32), GRAPH_NONE, 0);
  x = convolve(n, x, "Conv2d_2a_3x3", "", (struct graph_kernel){ 32, 3, 3, 1, 0, 0 }, GRAPH_NONE, 0);
  x = convolve(n, x, "Conv2d_2b_3x3", "", same(64, 3, 3), GRAPH_NONE, 0);
  x = graph_maximum(g, x, halving(0), GRAPH_NONE, 0);
  x = convolve(n, x, "Conv2d_3b_1x1", "", same(80, 1, 1), GRAPH_NONE, 0);
  x = convolve(n, x, "Conv2d_4a_3x3", "", (struct graph_kernel){ 192, 3, 3, 1, 0, 0 }, GRAPH_NONE, 0);
  x = graph_maximum(g, x, halving(0), GRAPH_NONE, 0);
  x = block_5(n, x, "Mixed_5b", 32);
  x = block_5(n, x, "Mixed_5c", 64);
  x = block_5(n, x, "Mixed_5d", 64);
  x = block_6a(n, x, "Mixed_6a");
  x = block_6(n, x, "Mixed_6b", 128);
  x = block_6(n, x, "Mixed_6c", 160);
  x = block_6(n, x, "Mixed_6d", 160);
  x = block_6(n, x, "Mixed_6e", 192);
  x = block_7a(n, x, "Mixed_7a");
  x = block_7(n, x, "Mixed_7b", 0);
  x = block_7(n, x, "Mixed_7c", 1);
  n->pool3 = graph_mean(g, x, (struct graph_kernel){ .kh = g->maps[x].H, .kw = g->maps[x].W, .s = 1 });
  const size_t shape[2] = { INCEPTION_LOGITS, INCEPTION_FEATURES };
  const size_t weight = table_add(&n->table, "fc.weight", 2, shape, RULE_ADAM, INIT_ZERO, 0, 0);
  n->bias = table_add(&n->table, "fc.bias", 1, shape, RULE_ADAM, INIT_ZERO, 0, 0);
  n->logits = graph_convolution(g, n->pool3, same(INCEPTION_LOGITS, 1, 1), 0, weight, GRAPH_NONE, GRAPH_NONE, 0);
  graph_tap(g, n->pool3);
  graph_tap(g, n->logits);
  graph_finish(g);
}

void inception_free(struct inception *n) {
  table_free(&n->table);
  graph_free(&n->graph);
}

/* weight (x - mean)/sqrt(var + eps) + bias, as a factor of the kernels and a bias. */
static void fold(const struct tensor *t, real *weights) {
  const size_t O = t->shape[0], each = t->size / O;
  real *kernel = weights + t->offset, *scale = weights + t[1].offset, *bias = weights + t[2].offset;
  const real *means = weights + t[3].offset, *variance = weights + t[4].offset;
  for (size_t o = 0; o < O; o++, kernel += each) {
    const double s = (double)scale[o] / sqrt((double)variance[o] + eps);
    for (size_t i = 0; i < each; i++) kernel[i] = (real)(s * (double)kernel[i]);
    bias[o] = (real)((double)bias[o] - s * (double)means[o]);
    scale[o] = 1;
  }
}

int inception_prepare(const struct inception *n, real *weights) {
  for (size_t i = 0; i < n->table.count; i++)
    if (n->table.tensors[i].rank == 4) fold(&n->table.tensors[i], weights);
  return graph_prepare(&n->graph, weights);
}

/* ---- images ---- */

static size_t aligned(size_t n) { return (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN; }

void inception_layout(struct arena *a, const struct inception *n, size_t H, size_t W, size_t C, int threads,
                      struct inception_work *w) {
  assert(C == 1 || C == 3);
  *w = (struct inception_work){ .H = H, .W = W, .C = C, .threads = threads, .size = aligned(n->graph.size[GRAPH_FORWARD]),
                                .image_size = aligned(H * W * C) + aligned(SIDE * SIDE * C) + aligned(SIDE * W * C) };
  w->base = arena_take(a, (size_t)threads * w->size);
  w->images = arena_take(a, (size_t)threads * w->image_size);
  resample_layout(a, H, W, C, SIDE, &w->resample);
}

void inception_begin(struct inception_work *w) { resample_linear(&w->resample); }

/* x[SIDE,SIDE,3] of the bytes of an image. */
static void enter(const struct inception_work *w, const uint8_t *u8, real *images, real *x) {
  const size_t C = w->C, bytes = w->H * w->W * C;
  struct resample resample = w->resample;
  real *small = images, *large = small + aligned(bytes);
  resample.between = large + aligned(SIDE * SIDE * C);   /* this thread's */
  for (size_t i = 0; i < bytes; i++) small[i] = u8[i];
  resample_forward(&resample, small, large);
  for (size_t p = 0; p < SIDE * SIDE; p++)
    for (size_t c = 0; c < 3; c++) x[p * 3 + c] = (large[p * C + (C == 3 ? c : 0)] - 128) / 128;
}

static void one(const struct inception *n, const real *weights, const struct inception_work *w, const uint8_t *u8, real *pool3,
                real *logits) {
  const struct graph *g = &n->graph;
  const size_t thread = (size_t)omp_get_thread_num();
  real *work = w->base + thread * w->size;
  enter(w, u8, w->images + thread * w->image_size, graph_at(g, GRAPH_FORWARD, work, 0));
  graph_forward(g, GRAPH_FORWARD, weights, work);
  if (pool3) memcpy(pool3, graph_at(g, GRAPH_FORWARD, work, n->pool3), INCEPTION_FEATURES * sizeof *pool3);
  if (logits) memcpy(logits, graph_at(g, GRAPH_FORWARD, work, n->logits), INCEPTION_LOGITS * sizeof *logits);
}

void inception_features(const struct inception *n, const real *weights, const struct inception_work *w, size_t B,
                        const uint8_t *u8, real *pool3, real *logits) {
#pragma omp parallel for num_threads(w->threads) schedule(dynamic)
  for (size_t b = 0; b < B; b++)
    one(n, weights, w, u8 + b * w->H * w->W * w->C, pool3 ? pool3 + b * INCEPTION_FEATURES : NULL,
        logits ? logits + b * INCEPTION_LOGITS : NULL);
}
