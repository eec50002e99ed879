/* perceptual.h - the terms of the loss that look at the image a velocity leads to (SPEC 4 and 8): for samples with t < max_t
 *   x_p = z - t u,   sum over terms of lambda a(d(crop of x_p, crop of x)),   a(d) = d / stopgrad((d + eps)^p),
 * d being the distance that a network sees (contrast.h). One crop serves both images and all terms, drawn by (seed, stream, step,
 * sample index) and resampled to the size that the network takes; neither image is clipped, x carries no gradient. Where a
 * network wants three channels and images are grey, they are three times the same, and their gradients are added.
 * Memory: views of the caller's arena: rows for a micro-batch, and images of one tile at a time, one a thread. Errors: none.
 * Ranks: local. */
#ifndef FLOW_PERCEPTUAL_H
#define FLOW_PERCEPTUAL_H
#include <stdint.h>

#include "src/vision/contrast.h"
#include "src/vision/resample.h"

enum { PERCEPTUAL_LPIPS, PERCEPTUAL_CONVNEXT, PERCEPTUAL_TERMS };
struct perceptual_term {
  const struct contrast *contrast;   /* of square images; NULL: without this term */
  const real *weights;
  double lambda;
};
struct perceptual {
  size_t H, W, C;                    /* of the images */
  double max_t;
  struct perceptual_term term[PERCEPTUAL_TERMS];
  size_t B;                          /* rows, by perceptual_layout: */
  int threads;
  real *x_p, *x, *x_p_bar;           /* [B,H,W,C] */
  size_t *row;                       /* [B] of the objective's places: their row, or GRAPH_NONE */
  struct resample_crop *crop;        /* [B] by row */
  struct {
    struct resample *resample;       /* [threads] */
    real *small, *pair[2], *bar;     /* [threads,n,n,C]; [threads,n,n,channels of the network] each */
    real *distance;                  /* [threads] */
    struct contrast_work work;
  } of[PERCEPTUAL_TERMS];
};
/* The fields above B are the caller's. B: the largest micro-batch. */
void perceptual_layout(struct arena *a, size_t B, int threads, struct perceptual *p);
/* The crop of a sample. */
struct resample_crop perceptual_crop(const struct perceptual *p, uint64_t seed, uint64_t step, uint32_t index);
/* For `rows` rows of x_p, x and crop: x_p_bar becomes the gradient of the sum of the terms by x_p; *loss += that sum,
 * distance[term] += the sums of d. Not from inside a parallel region. */
void perceptual_gradient(const struct perceptual *p, double norm_p, double norm_eps, size_t rows, double *loss,
                         double distance[PERCEPTUAL_TERMS]);
#endif
