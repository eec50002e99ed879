/* final.h - the end of a head: RMSNorm of the patch tokens, a linear map with bias to p*p*C numbers each (zero at the start),
 * prefix tokens dropped, patches joined to an image (SPEC 5).
 * Memory: views into the caller's arena. Errors: none. Ranks: local. */
#ifndef NET_FINAL_H
#define NET_FINAL_H
#include "src/base/arena.h"
#include "src/base/table.h"
#include "src/net/patch.h"

struct final {
  size_t D, N, prefix;            /* T = prefix + N */
  struct patch patch;
  size_t norm, linear, bias;      /* places in the flat arrays */
};
struct final_kept { real *n, *s; };   /* [B*N,D] normed, tangent rows stacked under; [B*N] */

void final_tensors(struct table *t, const char *prefix, struct final *l);
void final_layout(struct arena *a, const struct final *l, size_t B, size_t B_dot, struct final_kept *k);
/* Numbers of scratch for forward and backward. */
size_t final_work(const struct final *l, size_t B, size_t B_dot);
/* image[B,H,H,C] of x[B*T,D] and image_dot[B_dot,H,H,C] of x_dot. */
void final_forward(const struct final *l, const real *weights, const struct final_kept *k, real *work, size_t B,
                   size_t B_dot, const real *x, const real *x_dot, real *image, real *image_dot);
/* x_bar[B*T,D] is overwritten (prefix tokens: 0); weight gradients are added. */
void final_backward(const struct final *l, const real *weights, const struct final_kept *k, real *work, size_t B,
                    const real *x, const real *image_bar, real *x_bar, real *grads);
#endif
