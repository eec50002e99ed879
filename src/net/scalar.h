/* scalar.h - the embedding of one condition c (a time step, a guidance scale, an end of the interval; SPEC 5):
 *   f = (cos c w_0 .. cos c w_127, sin c w_0 .. sin c w_127), w_i = 10000^(-i/128);   e = W2 silu(W1 f + b1) + b2.
 * Memory: views into the caller's arena. Errors: none. Ranks: local. */
#ifndef NET_SCALAR_H
#define NET_SCALAR_H
#include "src/base/arena.h"
#include "src/base/table.h"

enum { SCALAR_WAVES = 256 };

/* Places of the tensors in the flat arrays. */
struct scalar { size_t D, W1, b1, W2, b2; };
struct scalar_kept { real *f, *a, *s; };   /* [B,256], W1 f + b1 [B,D], its silu [B,D]; tangent rows stacked under */

void scalar_tensors(struct table *t, const char *prefix, size_t D, struct scalar *l);
void scalar_layout(struct arena *a, size_t D, size_t B, size_t B_dot, struct scalar_kept *k);
/* e[B+B_dot,D]: the embeddings of c[B], and under them their tangents for c_dot = 1 of the first B_dot. */
void scalar_forward(const struct scalar *l, const real *weights, const struct scalar_kept *k, size_t B, size_t B_dot,
                    const real *c, real *e);
/* Adds weight gradients. work: [B,D]. */
void scalar_backward(const struct scalar *l, const real *weights, const struct scalar_kept *k, size_t B,
                     const real *e_bar, real *work, real *grads);
#endif
