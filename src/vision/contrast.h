/* contrast.h - how far two images are apart by what a network sees in them, and the gradient by the first:
 *   UNIT:   sum over taps of the mean over pixels of sum_c weight[c] (x_c/(|x| + 1e-10) - y_c/(|y| + 1e-10))^2, where |x| is the
 *           norm of a pixel's channels (no gradient through a pixel whose norm is 0): LPIPS, arXiv:1801.03924;
 *   PLAIN:  sum over taps of the sum of squares of the difference.
 * Source: SPEC 8. Shapes: images [B,H,W,C], each seen as (image - shift[c])/scale[c]; weights: a flat array of table.size,
 * turned by contrast_prepare. Memory: contrast_free; work is a view of the caller's arena: one image a thread.
 * Errors: none. Ranks: local. */
#ifndef VISION_CONTRAST_H
#define VISION_CONTRAST_H
#include "src/base/arena.h"
#include "src/base/table.h"
#include "src/vision/graph.h"

enum { CONTRAST_TAPS = 16 };
enum contrast_kind { CONTRAST_UNIT, CONTRAST_PLAIN };
struct contrast {
  enum contrast_kind kind;
  struct table table;                /* tensors by their public names */
  struct graph graph;
  size_t taps, tap[CONTRAST_TAPS];   /* maps of the graph */
  size_t weight[CONTRAST_TAPS];      /* of UNIT: offsets of [C]; GRAPH_NONE: all 1 */
  double shift[3], scale[3];
};
struct contrast_work {
  int threads;
  size_t size;
  real *base;                        /* [threads][size]: the graph's work, and the taps of the second image */
};

/* Appends a tensor to the table, and returns its offset. */
size_t contrast_tensor(struct contrast *c, int rank, const size_t *shape, const char *format, ...)
  __attribute__((format(printf, 4, 5)));
void contrast_tap(struct contrast *c, size_t map, size_t weight);
/* Harmless on a zeroed one. */
void contrast_free(struct contrast *c);
/* Errors: STATUS_NOMEM. */
int contrast_prepare(const struct contrast *c, real *weights);
void contrast_layout(struct arena *a, const struct contrast *c, int threads, struct contrast_work *w);
/* distance[B] of x and y [B,H,W,C]; x_bar[B,H,W,C] = its gradient by x, or NULL. Not from inside a parallel region. */
void contrast_distance(const struct contrast *c, const real *weights, const struct contrast_work *w, size_t B, const real *x,
                       const real *y, real *distance, real *x_bar);
/* The last tap [B,its numbers] of x. */
void contrast_features(const struct contrast *c, const real *weights, const struct contrast_work *w, size_t B, const real *x,
                       real *features);
/* flops of the products of one distance with its gradient: two passes forward, one back. */
double contrast_flops(const struct contrast *c);
#endif
