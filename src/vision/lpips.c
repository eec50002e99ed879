#include "src/vision/lpips.h"

/* torchvision's number of each convolution, its channels; what comes before and after it. */
static const struct { size_t number, O; int pool, tap; } layers[] = {
  { 0, 64, 0, 0 }, { 2, 64, 0, 1 },
  { 5, 128, 1, 0 }, { 7, 128, 0, 1 },
  { 10, 256, 1, 0 }, { 12, 256, 0, 0 }, { 14, 256, 0, 1 },
  { 17, 512, 1, 0 }, { 19, 512, 0, 0 }, { 21, 512, 0, 1 },
  { 24, 512, 1, 0 }, { 26, 512, 0, 0 }, { 28, 512, 0, 1 },
};
enum { LAYERS = sizeof layers / sizeof *layers };

void lpips_init(struct contrast *c, size_t H, size_t W) {
  static const struct graph_kernel pool = { .kh = 2, .kw = 2, .s = 2 };
  *c = (struct contrast){ .kind = CONTRAST_UNIT, .shift = { -0.030, -0.088, -0.188 }, .scale = { 0.458, 0.448, 0.450 } };
  graph_input(&c->graph, H, W, 3);
  size_t x = 0, I = 3, tapped[CONTRAST_TAPS], n = 0;
  for (size_t i = 0; i < LAYERS; i++) {
    const size_t O = layers[i].O, number = layers[i].number;
    const size_t weight = contrast_tensor(c, 4, (size_t[]){ O, I, 3, 3 }, "features.%zu.weight", number);
    const size_t bias = contrast_tensor(c, 1, &O, "features.%zu.bias", number);
    if (layers[i].pool) x = graph_maximum(&c->graph, x, pool, GRAPH_NONE, 0);
    x = graph_convolution(&c->graph, x, (struct graph_kernel){ O, 3, 3, 1, 1, 1 }, 1, weight, bias, GRAPH_NONE, 0);
    if (layers[i].tap) tapped[n++] = x;
    I = O;
  }
  for (size_t k = 0; k < n; k++) {
    const size_t C = c->graph.maps[tapped[k]].C;
    contrast_tap(c, tapped[k], contrast_tensor(c, 4, (size_t[]){ 1, C, 1, 1 }, "lin%zu.model.1.weight", k));
  }
  graph_finish(&c->graph);
}
