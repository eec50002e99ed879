#include "src/vision/classifier.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "src/base/matmul.h"
#include "src/base/status.h"
#include "src/base/vecmath.h"
#include "src/base/vector.h"
#include "src/vision/convolution.h"
#include "src/vision/pool.h"

enum { F = CLASSIFIER_FEATURES, SMALLEST = 8, LARGEST = 2048 };
static const struct { size_t kernel, narrowest, widest; } kinds[] = { [CLASSIFIER_3X3] = { 3, 16, 64 },
                                                                     [CLASSIFIER_5X5] = { 5, 12, 48 } };
enum { ROWS = 16 };   /* images in one product of the linear layers */

/* A weight and a bias; deviation sqrt(gain/fan_in). */
static struct classifier_place add(struct table *t, const char *name, int rank, const size_t *shape, double gain) {
  char full[64];
  size_t fan_in = 1;
  struct classifier_place p;
  for (int i = 1; i < rank; i++) fan_in *= shape[i];
  snprintf(full, sizeof full, "%s.weight", name);
  p.weight = table_add(t, full, rank, shape, RULE_ADAM, INIT_NORMAL, sqrt(gain / (double)fan_in), 0);
  snprintf(full, sizeof full, "%s.bias", name);
  p.bias = table_add(t, full, 1, shape, RULE_ADAM, INIT_ZERO, 0, 0);
  return p;
}

/* Numbers of image l: 0 what goes in, then the map after each convolution and pool. */
static size_t map_size(const struct classifier *c, size_t l) { return c->side[l] * c->side[l] * c->width[l]; }

int classifier_init(struct classifier *c, size_t size, size_t channels, size_t classes) {
  return classifier_init_kind(c, CLASSIFIER_3X3, size, channels, classes);
}

int classifier_init_kind(struct classifier *c, enum classifier_kind kind, size_t size, size_t channels, size_t classes) {
  *c = (struct classifier){ .size = size, .channels = channels, .classes = classes, .kernel = kinds[kind].kernel };
  if (size < SMALLEST || size > LARGEST)
    return because(STATUS_BAD, "the classifier takes images of %d to %d pixels a side, these have %zu", SMALLEST, LARGEST,
                   size);
  c->side[0] = size;
  do c->side[c->layers + 1] = c->side[c->layers] / 2;
  while (c->side[++c->layers] > SMALLEST);
  c->width[0] = channels;
  for (size_t l = 1; l <= c->layers; l++) {
    const size_t width = kinds[kind].widest >> (c->layers - l), least = kinds[kind].narrowest;
    c->width[l] = width > least ? width : least;
  }
  for (size_t l = 0; l < c->layers; l++) {
    char name[32];
    snprintf(name, sizeof name, "conv%zu", l + 1);
    c->convolution[l] = add(&c->table, name, 4, (size_t[]){ c->width[l + 1], c->width[l], c->kernel, c->kernel }, 2);
  }
  c->hidden = add(&c->table, "hidden", 2, (size_t[]){ F, map_size(c, c->layers) }, 2);
  c->logits = add(&c->table, "logits", 2, (size_t[]){ classes, F }, 1);
  return STATUS_OK;
}

void classifier_free(struct classifier *c) { table_free(&c->table); }

static struct convolution convolution_of(const struct classifier *c, const struct classifier_work *w, const real *weights,
                                         size_t l) {
  return (struct convolution){ .H = c->side[l], .W = c->side[l], .I = c->width[l], .O = c->width[l + 1], .kh = c->kernel,
                               .kw = c->kernel, .s = 1, .ph = c->kernel / 2, .pw = c->kernel / 2, .kernel = w->kernel[l],
                               .bias = weights ? weights + c->convolution[l].bias : NULL };
}
static struct pool pool_of(const struct classifier *c, size_t l) {
  return (struct pool){ c->side[l], c->side[l], c->width[l + 1] };
}

/* One thread's scratch: a convolution's output or that of a linear layer, and behind it the convolution's own. */
static size_t wide_size(const struct classifier *c) {
  size_t most = ROWS * (c->classes > F ? c->classes : F);
  for (size_t l = 0; l < c->layers; l++) {
    const size_t n = c->side[l] * c->side[l] * c->width[l + 1];
    if (n > most) most = n;
  }
  return (most + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}
static size_t tile_size(const struct classifier *c, const struct classifier_work *w) {
  size_t most = 0;
  for (size_t l = 0; l < c->layers; l++) {
    const struct convolution v = convolution_of(c, w, NULL, l);
    const size_t n = convolution_work(&v);
    if (n > most) most = n;
  }
  return (most + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

void classifier_layout(struct arena *a, const struct classifier *c, size_t B, int backward, struct classifier_work *w) {
  *w = (struct classifier_work){ .threads = backward ? 1 : omp_get_max_threads() };
  w->scratch_size = wide_size(c) + tile_size(c, w);
  w->scratch = arena_take(a, (size_t)w->threads * w->scratch_size);
  size_t largest = 0;
  for (size_t l = 0; l < c->layers; l++) {
    const size_t kernel = c->table.tensors[2 * l].size, map = map_size(c, l + 1);
    w->kernel[l] = arena_take(a, kernel);
    w->map[l] = arena_take(a, B * map);
    w->from[l] = (uint8_t *)arena_take(a, (B * map + sizeof(real) - 1) / sizeof(real));
    if (backward) w->kernel_bar[l] = arena_take(a, kernel);
    if (map > largest) largest = map;
  }
  if (!backward) return;
  w->images = arena_take(a, B * map_size(c, 0));
  w->features = arena_take(a, B * F);
  w->features_bar = arena_take(a, B * F);
  w->logits_bar = arena_take(a, B * c->classes);
  w->top_bar = arena_take(a, B * map_size(c, c->layers));
  for (int i = 0; i < 2; i++) w->map_bar[i] = arena_take(a, largest);
}

static real *my_scratch(const struct classifier_work *w) {
  return w->scratch + (size_t)omp_get_thread_num() * w->scratch_size;
}

/* One image through the convolutions; it leaves its maps. */
static void image_forward(const struct classifier *c, const real *weights, const struct classifier_work *w, size_t b,
                          const real *image) {
  real *wide = my_scratch(w), *tile = wide + wide_size(c);
  const real *x = image;
  for (size_t l = 0; l < c->layers; l++) {
    const struct convolution v = convolution_of(c, w, weights, l);
    const struct pool p = pool_of(c, l);
    const size_t at = b * map_size(c, l + 1);
    convolution_forward(&v, x, wide, tile);
    pool_forward(&p, wide, w->map[l] + at, w->from[l] + at);
    x = w->map[l] + at;
  }
}

/* y[B,O] = x[B,I] W^T + b, by W x^T: then BLAS has the images in the lanes of its vectors, which all add alike, while the
 * columns of its tiles do not. */
static void linear(size_t B, size_t I, size_t O, const real *weights, struct classifier_place p, const real *x, real *y,
                   real *turned) {
  matmul_nt(O, B, I, 1, weights + p.weight, I, x, I, 0, turned, B);
  for (size_t b = 0; b < B; b++)
    for (size_t o = 0; o < O; o++) y[b * O + o] = turned[o * B + b] + weights[p.bias + o];
}

void classifier_forward(const struct classifier *c, const real *weights, const struct classifier_work *w, size_t B,
                        const real *images, real *features, real *logits) {
  const size_t pixels = map_size(c, 0), D = map_size(c, c->layers);
  const real *top = w->map[c->layers - 1];
  for (size_t l = 0; l < c->layers; l++) {
    const struct convolution v = convolution_of(c, w, weights, l);
    convolution_pack(&v, weights + c->convolution[l].weight, w->kernel[l]);
  }
#pragma omp parallel for num_threads(w->threads)
  for (size_t b = 0; b < B; b++) image_forward(c, weights, w, b, images + b * pixels);
#pragma omp parallel for num_threads(w->threads)
  for (size_t b = 0; b < B; b += ROWS) {
    const size_t n = B - b < ROWS ? B - b : ROWS;
    real *f = features + b * F, *turned = my_scratch(w);
    linear(n, D, F, weights, c->hidden, top + b * D, f, turned);
    for (size_t i = 0; i < n * F; i++) f[i] = f[i] > 0 ? f[i] : 0;
    linear(n, F, c->classes, weights, c->logits, f, logits + b * c->classes, turned);
  }
  if (!w->images) return;
  memcpy(w->images, images, B * pixels * sizeof *images);
  memcpy(w->features, features, B * F * sizeof *features);
}

/* -log softmax(row)[label]; row_bar is its gradient. */
static double surprise(size_t n, const real *row, size_t label, real *row_bar) {
  const real most = vector_max(n, row);
  double sum = 0;
  for (size_t i = 0; i < n; i++) row_bar[i] = row[i] - most;
  vecmath_exp(n, row_bar, row_bar);
  for (size_t i = 0; i < n; i++) sum += (double)row_bar[i];
  for (size_t i = 0; i < n; i++) row_bar[i] *= (real)(1 / sum);
  row_bar[label] -= 1;
  return log(sum) + (double)most - (double)row[label];
}

/* The gradients of `linear`; x_bar[B,I] is overwritten, the weights' are added to. */
static void linear_bar(size_t B, size_t I, size_t O, const real *weights, struct classifier_place p, const real *x,
                       const real *y_bar, real *x_bar, real *grads) {
  matmul_nn(B, I, O, 1, y_bar, O, weights + p.weight, I, 0, x_bar, I);
  matmul_tn(O, I, B, 1, y_bar, O, x, I, 1, grads + p.weight, I);
  for (size_t b = 0; b < B; b++)
    for (size_t o = 0; o < O; o++) grads[p.bias + o] += y_bar[b * O + o];
}

static void image_backward(const struct classifier *c, const real *weights, const struct classifier_work *w, size_t b,
                           real *grads) {
  real *wide = w->scratch, *tile = wide + wide_size(c);
  const real *y_bar = w->top_bar + b * map_size(c, c->layers);
  for (size_t l = c->layers; l-- > 0;) {
    const struct convolution v = convolution_of(c, w, weights, l);
    const struct pool p = pool_of(c, l);
    const size_t below = map_size(c, l);
    const real *x = l ? w->map[l - 1] + b * below : w->images + b * below;
    pool_backward(&p, w->from[l] + b * map_size(c, l + 1), y_bar, wide);
    convolution_backward_kernel(&v, x, wide, w->kernel_bar[l], grads + c->convolution[l].bias, tile);
    if (!l) return;
    real *x_bar = w->map_bar[l % 2];
    memset(x_bar, 0, below * sizeof *x_bar);
    convolution_backward(&v, wide, x_bar, tile);
    y_bar = x_bar;
  }
}

double classifier_backward(const struct classifier *c, const real *weights, const struct classifier_work *w, size_t B,
                           const real *logits, const int32_t *labels, real *grads) {
  const size_t D = map_size(c, c->layers), n = c->classes;
  double loss = 0;
  for (size_t b = 0; b < B; b++) loss += surprise(n, logits + b * n, (size_t)labels[b], w->logits_bar + b * n);
  linear_bar(B, F, n, weights, c->logits, w->features, w->logits_bar, w->features_bar, grads);
  for (size_t i = 0; i < B * F; i++) w->features_bar[i] *= w->features[i] > 0;
  linear_bar(B, D, F, weights, c->hidden, w->map[c->layers - 1], w->features_bar, w->top_bar, grads);
  for (size_t l = 0; l < c->layers; l++) memset(w->kernel_bar[l], 0, c->table.tensors[2 * l].size * sizeof(real));
  for (size_t b = 0; b < B; b++) image_backward(c, weights, w, b, grads);
  for (size_t l = 0; l < c->layers; l++) {
    const struct convolution v = convolution_of(c, w, weights, l);
    convolution_unpack(&v, w->kernel_bar[l], grads + c->convolution[l].weight);
  }
  return loss;
}

void classifier_contrast(struct contrast *to, const struct classifier *c, int features) {
  *to = (struct contrast){ .kind = features ? CONTRAST_PLAIN : CONTRAST_UNIT, .scale = { 1, 1, 1 } };
  struct graph *g = &to->graph;
  const size_t k = c->kernel, side = c->side[c->layers];
  size_t x = 0;
  graph_input(g, c->size, c->size, c->channels);
  for (size_t l = 0; l < c->layers; l++) {
    x = graph_convolution(g, x, (struct graph_kernel){ c->width[l + 1], k, k, 1, k / 2, k / 2 }, 1, c->convolution[l].weight,
                          c->convolution[l].bias, GRAPH_NONE, 0);
    x = graph_maximum(g, x, (struct graph_kernel){ 0, 2, 2, 2, 0, 0 }, GRAPH_NONE, 0);
    if (!features) contrast_tap(to, x, GRAPH_NONE);
  }
  if (features) {   /* its weights have rows, columns, channels already, as a convolution over the whole map wants them */
    x = graph_convolution(g, x, (struct graph_kernel){ F, side, side, 1, 0, 0 }, 1, c->hidden.weight, c->hidden.bias, GRAPH_NONE,
                          0);
    g->nodes[g->n_nodes - 1].packed = 1;
    contrast_tap(to, x, GRAPH_NONE);
  }
  graph_finish(g);
}
