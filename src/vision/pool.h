/* pool.h - ReLU and 2x2 maximum in one: y[i,j,c] = max(0, max of x[2i..2i+1, 2j..2j+1, c]). An odd last row or column is left
 * out.
 * Shapes: one image, x[H,W,C] to y[H/2,W/2,C], rounded down; from[H/2,W/2,C] remembers which of the four it was, row by row.
 * Memory: the caller owns every array. Errors: none. Ranks: local. */
#ifndef VISION_POOL_H
#define VISION_POOL_H
#include <stddef.h>
#include <stdint.h>

#include "src/base/real.h"

struct pool { size_t H, W, C; };   /* of the input */
void pool_forward(const struct pool *l, const real *x, real *y, uint8_t *from);
/* x_bar[H,W,C] = (dy/dx)^T y_bar: it overwrites. The first of equals has it; where all are <= 0 none has. */
void pool_backward(const struct pool *l, const uint8_t *from, const real *y_bar, real *x_bar);
#endif
