/* rotary.h - 2-D rotary position embedding of the patch tokens (SPEC 5; arXiv:2104.09864).
 * A head's d numbers are d/2 pairs (a,b) at 2i, 2i+1, turned by an angle: (a cos - b sin, a sin + b cos). The first d/4 pairs
 * turn with the patch's row, the others with its column, at frequencies 10000^(-2i/(d/2)), i = 0..d/4-1.
 * Prefix tokens are not turned. The map is linear and orthogonal: tangents turn forward, gradients turn back.
 * Memory: the caller owns every array. Errors: none. Ranks: local. */
#ifndef NET_ROTARY_H
#define NET_ROTARY_H
#include <stddef.h>

#include "src/base/real.h"

struct rotary {
  size_t side, prefix;        /* patches in a row; tokens before the first patch */
  size_t d;                   /* a head's width, a multiple of 4 */
  const real *cosine, *sine;  /* [side*side, d/2] */
};
/* Fills cosine and sine [side*side, d/2]. */
void rotary_angles(size_t side, size_t d, real *cosine, real *sine);
/* Turns B sequences of T = prefix + side^2 tokens in place; a token has A heads of d, rows lie ld apart. */
void rotary_forward(const struct rotary *l, size_t B, size_t A, size_t ld, real *x);
/* Turns back. */
void rotary_backward(const struct rotary *l, size_t B, size_t A, size_t ld, real *x);
#endif
