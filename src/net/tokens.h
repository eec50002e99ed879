/* tokens.h - everything that enters the transformer, as T = prefix + N tokens of width D (SPEC 5). In this order:
 *   class tokens + table[y], guidance tokens + embedding of 1 - 1/w, t_min and t_max tokens + theirs, time tokens + embedding
 *   of h, then N patches of z through two linear maps; a learned position is added to all.
 * Tangents: z_dot for the patches and h_dot = 1 for the time tokens; w, t_min, t_max, y are constants.
 * Memory: views into the caller's arena. Errors: none. Ranks: local. */
#ifndef NET_TOKENS_H
#define NET_TOKENS_H
#include <stdint.h>

#include "src/net/patch.h"
#include "src/net/scalar.h"

enum condition { CONDITION_OMEGA, CONDITION_T_MIN, CONDITION_T_MAX, CONDITION_H, CONDITIONS };

struct tokens {
  size_t D, N, T, classes, bottleneck, prefix;
  struct patch patch;
  size_t class_count, count[CONDITIONS];                  /* tokens of each kind */
  /* places in the flat arrays */
  size_t proj1, proj1_bias, proj2, proj2_bias, table, class_tokens, token[CONDITIONS], pos_embed;
  struct scalar scalar[CONDITIONS];
};
struct tokens_kept {
  real *p, *e1, *e2;                 /* [B*N,ppC], [B*N,bottleneck], [B*N,D], tangent rows stacked under */
  real *e1_bar;                      /* [B*N,bottleneck] */
  struct scalar_kept scalar[CONDITIONS];
  real *c, *e, *e_bar, *work;        /* [B] a condition, [B+B_dot,D] its embedding, gradients */
};
/* One evaluation of the net for each of B samples; the first B_dot have tangents. y = classes: no label. */
struct condition_input {
  size_t B, B_dot;
  const real *z, *z_dot;             /* [B,H,H,C], [B_dot,H,H,C] */
  const real *h, *w, *t_min, *t_max; /* [B] */
  const int32_t *y;                  /* [B] */
};

void tokens_tensors(struct table *t, struct tokens *l);
void tokens_layout(struct arena *a, const struct tokens *l, size_t B, size_t B_dot, struct tokens_kept *k);
/* x[B*T,D], x_dot[B_dot*T,D]. */
void tokens_forward(const struct tokens *l, const real *weights, const struct tokens_kept *k,
                    const struct condition_input *in, real *x, real *x_dot);
/* Adds weight gradients of x_bar[B*T,D]; the inputs' own gradients are not wanted. */
void tokens_backward(const struct tokens *l, const real *weights, const struct tokens_kept *k,
                     const struct condition_input *in, const real *x_bar, real *grads);
#endif
