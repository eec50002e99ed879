#include "src/vision/convnext.h"

#include <stdio.h>

const struct convnext_sizes convnext_base = { { 3, 3, 27, 3 }, { 128, 256, 512, 1024 } };

static const double eps = 1e-6, last_eps = 1e-12;   /* of the last LayerNorm: that of the public code's settings */

static size_t norm(struct contrast *c, size_t x, size_t C, double e, const char *name) {
  const size_t weight = contrast_tensor(c, 1, &C, "convnextv2.%s.weight", name);
  const size_t bias = contrast_tensor(c, 1, &C, "convnextv2.%s.bias", name);
  return graph_layernorm(&c->graph, x, weight, bias, e);
}

/* k x k pixels to one of O channels. */
static size_t patches(struct contrast *c, size_t x, size_t O, size_t I, size_t k, const char *name) {
  const size_t weight = contrast_tensor(c, 4, (size_t[]){ O, I, k, k }, "convnextv2.%s.weight", name);
  const size_t bias = contrast_tensor(c, 1, &O, "convnextv2.%s.bias", name);
  return graph_convolution(&c->graph, x, (struct graph_kernel){ O, k, k, k, 0, 0 }, 0, weight, bias, GRAPH_NONE, 0);
}

static size_t linear(struct contrast *c, size_t x, size_t O, size_t I, const char *block, const char *name) {
  const size_t weight = contrast_tensor(c, 2, (size_t[]){ O, I }, "%s.%s.weight", block, name);
  const size_t bias = contrast_tensor(c, 1, &O, "%s.%s.bias", block, name);
  return graph_convolution(&c->graph, x, (struct graph_kernel){ O, 1, 1, 1, 0, 0 }, 0, weight, bias, GRAPH_NONE, 0);
}

static size_t block(struct contrast *c, size_t x, size_t C, size_t stage, size_t layer) {
  char name[64], inner[80];
  snprintf(inner, sizeof inner, "encoder.stages.%zu.layers.%zu", stage, layer);
  snprintf(name, sizeof name, "convnextv2.%.50s", inner);
  struct graph *g = &c->graph;
  size_t weight = contrast_tensor(c, 4, (size_t[]){ C, 1, 7, 7 }, "%s.dwconv.weight", name);
  size_t bias = contrast_tensor(c, 1, &C, "%s.dwconv.bias", name);
  size_t y = graph_depthwise(g, x, 7, weight, bias);
  snprintf(inner, sizeof inner, "encoder.stages.%zu.layers.%zu.layernorm", stage, layer);
  y = norm(c, y, C, eps, inner);
  y = graph_gelu(g, linear(c, y, 4 * C, C, name, "pwconv1"));
  weight = contrast_tensor(c, 4, (size_t[]){ 1, 1, 1, 4 * C }, "%s.grn.weight", name);
  bias = contrast_tensor(c, 4, (size_t[]){ 1, 1, 1, 4 * C }, "%s.grn.bias", name);
  y = graph_grn(g, y, weight, bias);
  return graph_add(g, x, linear(c, y, C, 4 * C, name, "pwconv2"));
}

void convnext_init(struct contrast *c, const struct convnext_sizes *s, size_t H, size_t W) {
  *c = (struct contrast){ .kind = CONTRAST_PLAIN, .scale = { 1, 1, 1 } };
  struct graph *g = &c->graph;
  graph_input(g, H, W, 3);
  size_t x = patches(c, 0, s->dims[0], 3, 4, "embeddings.patch_embeddings");
  x = norm(c, x, s->dims[0], eps, "embeddings.layernorm");
  for (size_t stage = 0; stage < CONVNEXT_STAGES; stage++) {
    const size_t C = s->dims[stage];
    char name[64];
    if (stage) {
      snprintf(name, sizeof name, "encoder.stages.%zu.downsampling_layer.0", stage);
      x = norm(c, x, s->dims[stage - 1], eps, name);
      snprintf(name, sizeof name, "encoder.stages.%zu.downsampling_layer.1", stage);
      x = patches(c, x, C, s->dims[stage - 1], 2, name);
    }
    for (size_t layer = 0; layer < s->depths[stage]; layer++) x = block(c, x, C, stage, layer);
  }
  const struct graph_kernel whole = { .kh = g->maps[x].H, .kw = g->maps[x].W, .s = 1 };
  x = norm(c, graph_mean(g, x, whole), s->dims[CONVNEXT_STAGES - 1], last_eps, "layernorm");
  contrast_tap(c, x, GRAPH_NONE);
  graph_finish(g);
}
