/* convolution.h - the cross-correlation of one image with O kernels:
 *   y[i,j,o] = bias[o] + sum_{u,v,c} kernel[o,u,v,c] x[s i + u - ph, s j + v - pw, c],   x = 0 outside the image.
 * Kernels lie as the image does, channel last, so that a row of a kernel is one piece of a row of the image;
 * torch's (out, in, height, width) becomes that by convolution_pack, once for a net that is not trained.
 * How: the pixels under the kernel, side by side, for as many rows of output as stay in the cache; then a matrix product. Where
 * they lie so already (a 1x1 kernel, or one as large as the image) nothing is copied.
 * Shapes: in brackets, row-major. The output has (H + 2 ph - kh)/s + 1 rows and (W + 2 pw - kw)/s + 1 columns, rounded down.
 * Memory: the caller owns every array; outputs do not overlap inputs; work[convolution_work] is scratch, one for each thread.
 * Errors: none. Ranks: local. Threads: none of its own; callers share out images, and inside their parallel region the sums of
 * an image have one order. */
#ifndef VISION_CONVOLUTION_H
#define VISION_CONVOLUTION_H
#include <stddef.h>

#include "src/base/real.h"

struct convolution {
  size_t H, W, I, O;       /* the input's height, width and channels; channels of the output */
  size_t kh, kw, s;        /* the kernel's height and width; stride, >= 1 */
  size_t ph, pw;           /* zeros above and below, left and right; smaller than the kernel */
  const real *kernel;      /* [O,kh,kw,I] */
  const real *bias;        /* [O], or NULL */
  size_t ldy;              /* numbers from one pixel of y and y_bar to the next, where O channels are part of more; 0: O */
  int relu;                /* forward ends with y = max(0, y); backward functions want y_bar already 0 where y is */
};
size_t convolution_rows(const struct convolution *l);
size_t convolution_columns(const struct convolution *l);
size_t convolution_work(const struct convolution *l);
/* kernel[O,kh,kw,I] from w[O,I,kh,kw]; and back, added: w_bar += kernel_bar. */
void convolution_pack(const struct convolution *l, const real *w, real *kernel);
/* The same in place; scratch[kh kw I]. */
void convolution_pack_here(const struct convolution *l, real *w, real *scratch);
void convolution_unpack(const struct convolution *l, const real *kernel_bar, real *w_bar);
/* y[rows,columns,O] of x[H,W,I]. Pixels of y lie ldy apart. */
void convolution_forward(const struct convolution *l, const real *x, real *y, real *work);
/* x_bar[H,W,I] += (dy/dx)^T y_bar: it adds, as paths may meet. */
void convolution_backward(const struct convolution *l, const real *y_bar, real *x_bar, real *work);
/* kernel_bar[O,kh,kw,I] += (dy/dkernel)^T y_bar and bias_bar[O] += sum_{i,j} y_bar (NULL: not wanted). */
void convolution_backward_kernel(const struct convolution *l, const real *x, const real *y_bar, real *kernel_bar,
                                 real *bias_bar, real *work);
#endif
