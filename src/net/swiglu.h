/* swiglu.h - m[n,i] = silu(h1[n,i]) h3[n,i],  silu(x) = x / (1 + e^-x)   (SPEC 5; arXiv:2002.05202).
 * Shapes: h[N,2I] holds h1 (first I of a row) and h3 (last I), m[N,I].
 * Memory: the caller owns every array. Errors: none. Ranks: local. */
#ifndef NET_SWIGLU_H
#define NET_SWIGLU_H
#include <stddef.h>

#include "src/base/real.h"

void swiglu_forward(size_t N, size_t I, const real *h, real *m);
/* m_dot[N,I] along h_dot[N,2I]. */
void swiglu_tangent(size_t N, size_t I, const real *h, const real *h_dot, real *m_dot);
/* h_bar[N,2I] is overwritten. */
void swiglu_backward(size_t N, size_t I, const real *h, const real *m_bar, real *h_bar);
#endif
