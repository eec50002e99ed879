/* block.h - one transformer block on a residual stream x of B sequences (SPEC 5):
 *   y = x + g_a attention(RMSNorm(x)),   x' = y + g_m mlp(RMSNorm(y)).
 * Forward carries tangents of the first B_dot sequences along: every product of a linear layer has the primal rows and,
 * stacked under them, the tangent rows. Backward goes through primal rows only (the tangent of SPEC 4 is stop-gradient), so
 * tangent rows need not outlive their block: they lie where the next block's primal rows will be written.
 * Memory: activations are views into the caller's arena; nothing is allocated. Errors: none. Ranks: local. */
#ifndef NET_BLOCK_H
#define NET_BLOCK_H
#include "src/base/arena.h"
#include "src/base/table.h"
#include "src/net/hooks.h"
#include "src/net/rotary.h"

struct block_shape {
  size_t T, D, A, I;      /* tokens, width, heads, inner width of the MLP */
  struct rotary rotary;   /* d = D / A */
};
/* Places of a block's tensors in the flat arrays. */
struct block {
  size_t norm1, qkv, q_norm, k_norm, out, attn_scale, norm2, w13, w2, mlp_scale;
};
/* What backward needs: R = B T rows each. Kinds marked + have tangent rows stacked under them during forward. */
struct block_kept {
  real *n1, *s1;      /* + [R,D], [R]       RMSNorm of x */
  real *qkv;          /* + [R,3D] */
  real *qk, *sq, *sk; /* + [R,2D], [R,A]    normed and turned q and k */
  real *P;            /*   [B,A,T,T], rows attention_width(T) apart */
  real *o, *a;        /* + [R,D]            heads' output, out projection */
  real *y;            /*   [R,D] */
  real *n2, *s2;      /* + [R,D], [R] */
  real *h, *m, *f;    /* + [R,2I], [R,I], [R,D] */
};
/* Activations of `blocks` blocks, each kind together, and the scratch that all blocks share. */
struct block_work {
  struct block_kept base;
  real *attention;                                  /* scratch */
  real *d_bar, *qkv_bar, *qk_bar, *h_bar, *m_bar;   /* gradients inside: [R,D], [R,3D], [R,2D], [R,2I], [R,max(I,D)] */
};

/* Appends the block's tensors, named prefix + "norm1.weight" and so on. */
void block_tensors(struct table *t, const char *prefix, const struct block_shape *s, struct block *b);
/* Lays out activations of `blocks` blocks for B sequences, B_dot of them with tangents; backward = 0: forward only. */
void block_layout(struct arena *a, const struct block_shape *s, size_t blocks, size_t B, size_t B_dot, int backward,
                  struct block_work *w);
/* The activations of block number i when each holds B sequences. */
struct block_kept block_at(const struct block_work *w, const struct block_shape *s, size_t i, size_t B);
/* x[B*T,D] -> x_out[B*T,D] (may be x where backward is not wanted); x_dot[B_dot*T,D] is carried on in place. hooks (may be NULL)
 * hear which weights come next. */
void block_forward(const struct block_shape *s, const struct block *b, const real *weights, const struct block_kept *k,
                   real *work, size_t B, size_t B_dot, const real *x, real *x_dot, real *x_out,
                   const struct net_hooks *hooks);
/* x_bar[B*T,D]: enters as the gradient of x_out, leaves as that of x. Weight gradients are added to grads; hooks (may be NULL)
 * hear which of them are final, all that come later in the table being so already. */
void block_backward(const struct block_shape *s, const struct block *b, const real *weights, const struct block_kept *k,
                    const struct block_work *w, size_t B, const real *x, real *x_bar, real *grads,
                    const struct net_hooks *hooks);
#endif
