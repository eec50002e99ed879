/* resample.h - a real-valued image at another size, as two passes of weighted sums, and the transpose of it.
 *   cubic:  a crop (top, left, h, w) to n x n: output row i is centred at top + (i + 0.5) h/n - 0.5 of the WHOLE image, by the
 *           cubic kernel of Keys (a = -0.5) widened by max(1, h/n); pixels outside the crop count, those outside the image do
 *           not, and the weights are brought to sum 1. Columns likewise. Nothing is clipped.
 *   linear: the whole image by the two pixels next to (i + 0.5) H/n - 0.5, without antialias, pixels beyond the edge being those
 *           of the edge: what FID's Inception gets.
 * Source: SPEC 8 and 10; Keys 1981. (crop.h does the same on bytes, as Pillow does it.)
 * Shapes: images [H,W,C], row-major. Memory: a view of the caller's arena for each thread. Errors: none. Ranks: local. */
#ifndef VISION_RESAMPLE_H
#define VISION_RESAMPLE_H
#include <stddef.h>
#include <stdint.h>

#include "src/base/arena.h"

struct resample_crop { size_t top, left, h, w; };
struct resample_axis {
  size_t room, *first, *count;   /* output i sums `count` inputs from `first` on */
  real *weight;                  /* [n,room] */
};
struct resample {
  size_t H, W, C, n;
  struct resample_axis rows, columns;
  real *between;                 /* [n,W,C] */
};
void resample_layout(struct arena *a, size_t H, size_t W, size_t C, size_t n, struct resample *r);
/* Sets the weights. The crop lies inside the image and is not empty. */
void resample_cubic(struct resample *r, struct resample_crop crop);
void resample_linear(struct resample *r);
/* y[n,n,C] of x[H,W,C]. */
void resample_forward(const struct resample *r, const real *x, real *y);
/* x_bar[H,W,C] += (dy/dx)^T y_bar. */
void resample_backward(const struct resample *r, const real *y_bar, real *x_bar);
/* A crop of an image H x W, drawn from u[4] in (0,1) (SPEC 8): an area of 8 to 100 %, sides at 3/4 to 4/3. */
struct resample_crop resample_draw(size_t H, size_t W, const real u[4]);
#endif
