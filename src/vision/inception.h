/* inception.h - Inception-v3 of 2015 as FID uses it, forward: 2048 features before the last layer, and 1008 logits WITHOUT the
 * last layer's bias, as the Inception Score takes them. Average pools leave what lies outside out of their count, the last
 * block's pool is a maximum, batch norm (eps 1e-3) is folded into the convolutions.
 * Images become 299 x 299 by half-pixel bilinear without antialias, then (byte - 128)/128.
 * Source: SPEC 10; arXiv:1512.00567; pytorch-fid, whose names the tensors have.
 * Shapes: bytes [B,H,W,C], C 1 (three times the same) or 3. Weights: a flat array of table.size, turned by inception_prepare.
 * Memory: inception_free; work is a view of the caller's arena: one image a thread, whose numbers depend on no other image.
 * Errors: none. Ranks: local. */
#ifndef VISION_INCEPTION_H
#define VISION_INCEPTION_H
#include "src/base/arena.h"
#include "src/base/table.h"
#include "src/vision/graph.h"
#include "src/vision/resample.h"

enum { INCEPTION_SIDE = 299, INCEPTION_FEATURES = 2048, INCEPTION_LOGITS = 1008 };
struct inception {
  struct table table;
  struct graph graph;
  size_t pool3, logits;        /* maps */
  size_t bias;                 /* of the last layer, an offset */
};
struct inception_work {
  size_t H, W, C;
  int threads;
  size_t size, image_size;
  real *base, *images;         /* [threads] each: the graph's work; an image at both sizes */
  struct resample resample;
};
void inception_init(struct inception *n);
/* Harmless on a zeroed one. */
void inception_free(struct inception *n);
/* Errors: STATUS_NOMEM. */
int inception_prepare(const struct inception *n, real *weights);
/* For images of H x W x C. The weights of the resizing are set by inception_begin, once the arena is there. */
void inception_layout(struct arena *a, const struct inception *n, size_t H, size_t W, size_t C, int threads,
                      struct inception_work *w);
void inception_begin(struct inception_work *w);
/* pool3[B,2048] and logits[B,1008]; either may be NULL. Not from inside a parallel region. */
void inception_features(const struct inception *n, const real *weights, const struct inception_work *w, size_t B,
                        const uint8_t *u8, real *pool3, real *logits);
#endif
