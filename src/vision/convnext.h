/* convnext.h - ConvNeXt-V2 up to its pooled features: a 4x4 stem and LayerNorm; stages of blocks
 *   x + linear(GRN(GELU(linear(LayerNorm(depthwise 7x7(x)))))),
 * before each but the first LayerNorm and a 2x2 convolution that halves the sides; the mean over all pixels, LayerNorm.
 * Source: arXiv:2301.00808. Shapes: images [H,W,3] in [-1,1], H and W at least 32; the tensors' names are Hugging Face's. */
#ifndef VISION_CONVNEXT_H
#define VISION_CONVNEXT_H
#include "src/vision/contrast.h"

enum { CONVNEXT_STAGES = 4, CONVNEXT_SMALLEST = 32 };
struct convnext_sizes { size_t depths[CONVNEXT_STAGES], dims[CONVNEXT_STAGES]; };
extern const struct convnext_sizes convnext_base;   /* convnextv2-base-22k-224 */
/* A PLAIN contrast with one tap, the features [dims of the last stage]. Free with contrast_free. */
void convnext_init(struct contrast *c, const struct convnext_sizes *s, size_t H, size_t W);
#endif
