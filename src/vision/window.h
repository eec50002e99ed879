/* window.h - the maximum or the mean of kh x kw pixels, every s-th; what lies outside the image does not count.
 * Shapes: one image, x[H,W,C]; y[rows,columns,C] with rows and columns as in convolution.h. ldy: numbers from one pixel of y to
 * the next. Memory: the caller's. Errors: none. Ranks: local. */
#ifndef VISION_WINDOW_H
#define VISION_WINDOW_H
#include <stddef.h>

#include "src/base/real.h"

struct window {
  size_t H, W, C, kh, kw, s, ph, pw, ldy;
};
void window_maximum(const struct window *l, const real *x, real *y);
void window_mean(const struct window *l, const real *x, real *y);
/* x_bar[H,W,C] += (dy/dx)^T y_bar. The first of equal maxima has the gradient; x and y: forward's. */
void window_maximum_backward(const struct window *l, const real *x, const real *y, const real *y_bar, real *x_bar);
void window_mean_backward(const struct window *l, const real *y_bar, real *x_bar);
#endif
