/* classifier.h - a small convolutional net that names the class of an image: the evaluator where no other is at hand (SPEC 10).
 *   convolution 3x3, ReLU, 2x2 max pool;  convolution 3x3, ReLU, 2x2 max pool, ... until at most 8 pixels a side are left;
 *   linear to F features, ReLU;  linear to the classes.
 * The last convolution has 64 channels, each one before it half as many, but at least 16. Another kind has kernels of 5x5, 48 and
 * at least 12: where one classifier is for the loss and another judges, they should not see alike.
 * Its features (after the ReLU) are what scores compare; its logits say which class an image looks like.
 * Shapes: images [B,H,W,C] in [-1,1]. The table names tensors as torch would: conv1.weight [out,in,3,3], conv1.bias, ...,
 * hidden.weight [F,row*column*channel], hidden.bias, logits.weight [classes,F], logits.bias, all by Adam.
 * Memory: the table is freed by classifier_free; work is a view of the caller's arena. Ranks: local. */
#ifndef VISION_CLASSIFIER_H
#define VISION_CLASSIFIER_H
#include <stdint.h>

#include "src/base/arena.h"
#include "src/base/table.h"
#include "src/vision/contrast.h"

enum { CLASSIFIER_FEATURES = 64, CLASSIFIER_CONVOLUTIONS = 8 };

enum classifier_kind { CLASSIFIER_3X3, CLASSIFIER_5X5 };
struct classifier {
  size_t size, channels, classes, kernel;
  size_t layers;                                   /* convolutions */
  size_t width[CLASSIFIER_CONVOLUTIONS + 1];       /* channels before and after each */
  size_t side[CLASSIFIER_CONVOLUTIONS + 1];        /* pixels a side before and after each with its pool */
  struct table table;
  struct classifier_place { size_t weight, bias; } convolution[CLASSIFIER_CONVOLUTIONS], hidden, logits;   /* offsets */
};
/* Activations of B images, and with `backward` what the gradient needs. */
struct classifier_work {
  int threads;                                     /* that share the images out; 1 with `backward`: sums have one order */
  size_t scratch_size;
  real *scratch;                                   /* [threads][scratch_size] */
  real *kernel[CLASSIFIER_CONVOLUTIONS];           /* the weights as convolution.h wants them */
  real *map[CLASSIFIER_CONVOLUTIONS];              /* [B,side,side,width] after each pool */
  uint8_t *from[CLASSIFIER_CONVOLUTIONS];          /* of the same shape: pool.h */
  real *images, *features;                         /* with backward: copies of forward's */
  real *kernel_bar[CLASSIFIER_CONVOLUTIONS], *logits_bar, *features_bar, *top_bar, *map_bar[2];
};

/* Errors: STATUS_BAD: fewer than 8 or more than 2048 pixels a side. */
int classifier_init(struct classifier *c, size_t size, size_t channels, size_t classes);
int classifier_init_kind(struct classifier *c, enum classifier_kind kind, size_t size, size_t channels, size_t classes);
/* Harmless on a zeroed one. */
void classifier_free(struct classifier *c);
void classifier_layout(struct arena *a, const struct classifier *c, size_t B, int backward, struct classifier_work *w);
/* features[B,F] and logits[B,classes], for B up to the layout's. An image's numbers depend neither on the other images nor,
 * while B is a multiple of 16, on its place among them. */
void classifier_forward(const struct classifier *c, const real *weights, const struct classifier_work *w, size_t B,
                        const real *images, real *features, real *logits);
/* The sum over the batch of -log softmax(logits)[label], and grads[table.size] += its gradient, after classifier_forward with
 * the same weights. In one thread: callers share out parts of a batch, each with its own work, in a parallel region. */
double classifier_backward(const struct classifier *c, const real *weights, const struct classifier_work *w, size_t B,
                           const real *logits, const int32_t *labels, real *grads);
/* Its feature maps after each pool as taps of a UNIT contrast without weights; or, with `features`, its features as the one tap of
 * a PLAIN contrast. The weights are the classifier's, of which the contrast turns a copy. Free with contrast_free. */
void classifier_contrast(struct contrast *to, const struct classifier *c, int features);
#endif
