/* depthwise.h - a cross-correlation of each channel with its own k x k kernel, k odd, zeros outside the image, as many pixels
 * out as in:   y[i,j,c] = bias[c] + sum_{u,v} kernel[u,v,c] x[i + u - k/2, j + v - k/2, c].
 * Source: arXiv:2201.03545 (ConvNeXt). Shapes: one image, x and y [H,W,C]; the kernel's channel is last, torch's (C,1,k,k)
 * becomes that by depthwise_pack. Memory: the caller owns every array; outputs do not overlap inputs. Errors: none. Ranks:
 * local. Threads: none of its own. */
#ifndef VISION_DEPTHWISE_H
#define VISION_DEPTHWISE_H
#include <stddef.h>

#include "src/base/real.h"

struct depthwise {
  size_t H, W, C, k;
  const real *kernel;   /* [k,k,C] */
  const real *bias;     /* [C] */
};
/* w[C,k,k] becomes [k,k,C] in place; scratch[C k k]. */
void depthwise_pack(size_t C, size_t k, real *w, real *scratch);
void depthwise_forward(const struct depthwise *l, const real *x, real *y);
/* x_bar[H,W,C] += (dy/dx)^T y_bar. */
void depthwise_backward(const struct depthwise *l, const real *y_bar, real *x_bar);
#endif
