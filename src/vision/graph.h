/* graph.h - a convolutional network as a list of nodes between maps, run forward and differentiated by its input, one image at a
 * time. A net is built once (graph_input, then nodes in the order of their work, then graph_finish); the weights are a flat
 * array whose table is the net's own, turned from torch's layout to that of the layers by graph_prepare.
 * Several nodes may write channels of one map side by side, which is a concatenation without a copy.
 * Maps that are no longer needed give their place to others. Two ways to lay it out: GRAPH_FORWARD keeps what taps name;
 * GRAPH_BACKWARD also what the way back needs, and has room for the gradients.
 * Shapes: maps [H,W,C], row-major. Memory: the lists belong to the graph (graph_free); building it aborts without memory, for
 * it is small. A run works in size[way] numbers of the caller's, so every thread can have an image of its own, and an image's
 * numbers depend on no other. Errors: none. Ranks: local. */
#ifndef VISION_GRAPH_H
#define VISION_GRAPH_H
#include <stddef.h>

#include "src/base/real.h"

enum graph_way { GRAPH_FORWARD, GRAPH_BACKWARD };
enum graph_op {
  GRAPH_CONVOLUTION, GRAPH_DEPTHWISE, GRAPH_LAYERNORM, GRAPH_GELU, GRAPH_GRN, GRAPH_ADD, GRAPH_MAXIMUM, GRAPH_MEAN
};
#define GRAPH_NONE ((size_t)-1)   /* a map that is made for the node; a bias that is not there */

struct graph_kernel { size_t O, kh, kw, s, ph, pw; };   /* O: of convolutions */
struct graph_map {
  size_t H, W, C;
  int tap;                       /* the caller reads it, and may bring a gradient */
  size_t first, last;            /* nodes: the first that writes it, the last that reads it */
  size_t place[2], bar;          /* in the work of each way; of its gradient */
};
struct graph_node {
  enum graph_op op;
  size_t x, other, y, at;        /* maps: in (ADD has two), out; the first channel of y that it writes */
  struct graph_kernel k;
  int relu, packed;              /* packed: the weight's channels are last already */
  size_t weight, bias;           /* offsets in the flat array */
  double eps;
};
struct graph {
  struct graph_map *maps;        /* map 0 is the input */
  struct graph_node *nodes;
  size_t n_maps, n_nodes, scratch[2], size[2];
  double flops;                  /* of the matrix products of one image, forward (multiply-add = 2); as many on the way back */
};

void graph_input(struct graph *g, size_t H, size_t W, size_t C);
/* A map for several nodes to write to. Returns its number, as all that add a node do with the map that is written. */
size_t graph_room(struct graph *g, size_t H, size_t W, size_t C);
/* into: GRAPH_NONE, or a map of graph_room whose channels from `at` on are written. */
size_t graph_convolution(struct graph *g, size_t x, struct graph_kernel k, int relu, size_t weight, size_t bias, size_t into,
                         size_t at);
size_t graph_maximum(struct graph *g, size_t x, struct graph_kernel k, size_t into, size_t at);
size_t graph_mean(struct graph *g, size_t x, struct graph_kernel k);
size_t graph_depthwise(struct graph *g, size_t x, size_t k, size_t weight, size_t bias);
size_t graph_layernorm(struct graph *g, size_t x, size_t weight, size_t bias, double eps);
size_t graph_gelu(struct graph *g, size_t x);
size_t graph_grn(struct graph *g, size_t x, size_t weight, size_t bias);
size_t graph_add(struct graph *g, size_t x, size_t other);
void graph_tap(struct graph *g, size_t map);
void graph_finish(struct graph *g);
/* Harmless on a zeroed one. */
void graph_free(struct graph *g);

/* weights: torch's layout -> the layers', in place, once. Errors: STATUS_NOMEM. */
int graph_prepare(const struct graph *g, real *weights);
size_t graph_numbers(const struct graph *g, size_t map);
/* Where a map or its gradient lies in work[size[way]]. */
real *graph_at(const struct graph *g, enum graph_way way, real *work, size_t map);
real *graph_bar(const struct graph *g, real *work, size_t map);
/* From the input, which the caller has written, to all taps. */
void graph_forward(const struct graph *g, enum graph_way way, const real *weights, real *work);
/* From the taps' gradients, which the caller has written (all of them), to the input's. After graph_forward by GRAPH_BACKWARD;
 * the gradients are used up. */
void graph_backward(const struct graph *g, const real *weights, real *work);
#endif
