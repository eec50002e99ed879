/* lpips.h - LPIPS v0.1 on VGG-16: thirteen 3x3 convolutions with ReLU, four 2x2 pools between; taps relu1_2, 2_2, 3_3, 4_3, 5_3
 * with weights that are not negative. Source: arXiv:1801.03924, arXiv:1409.1556.
 * Shapes: images [H,W,3] in [-1,1], H and W at least 16. Tensors: features.N.weight and .bias as torchvision names them,
 * linN.model.1.weight as the lpips package does. */
#ifndef VISION_LPIPS_H
#define VISION_LPIPS_H
#include "src/vision/contrast.h"

enum { LPIPS_SMALLEST = 16 };
/* Free with contrast_free. */
void lpips_init(struct contrast *c, size_t H, size_t W);
#endif
