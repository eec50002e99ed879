/* net.h - the pMF transformer (SPEC 5): one trunk, two heads that predict images,
 *   (x_u, x_v) = net(z; h, w, t_min, t_max, y).
 * The net knows its tensors (one table), how to lay out its activations, and three functions: forward with tangents,
 * backward through primal rows. What its outputs mean (image or velocity) is flow/'s business.
 * Memory: weights and gradients are flat arrays of table.size, the caller's; activations live in the caller's arena.
 * Errors: none (a config is checked where it is read). Ranks: local. */
#ifndef NET_NET_H
#define NET_NET_H
#include "src/net/block.h"
#include "src/net/final.h"
#include "src/net/hooks.h"
#include "src/net/tokens.h"

struct net_config {
  size_t image, patch, channels, classes;
  size_t width, depth, head_depth, heads;      /* depth: shared blocks + those of one head */
  size_t inner, bottleneck;                    /* 0: SPEC's rule from the width */
  size_t class_tokens, omega_tokens, interval_tokens, time_tokens;
  int recompute;                               /* keep only what enters each block, and do the rest again on the way back */
};
enum head { HEAD_U, HEAD_V };

struct net {
  struct net_config config;
  struct table table;
  struct tokens tokens;
  struct block_shape shape;
  struct block *blocks;        /* shared, then u head, then v head */
  struct final final[2];
  size_t shared, pixels;       /* blocks in the trunk; numbers of an image */
  struct arena angles;
};
struct net_work {
  size_t B, B_dot;             /* capacity */
  int backward;                /* laid out for net_backward; else forward only, in little memory */
  struct tokens_kept tokens;
  struct block_work blocks;
  struct final_kept final[2];
  real *x;                     /* residual stream before each block and after each head, [slots][B*T,D] */
  real *x_dot, *trunk_dot;     /* [B_dot*T,D] */
  real *final_work, *x_bar, *trunk_bar;
};

/* Fills in 0 sizes of the config by SPEC's rules and builds table and places. second_all: second moments for all
 * tensors (AdamW), else only for Adam's. Errors: STATUS_NOMEM. Free with net_free. */
int net_init(struct net *n, const struct net_config *config, int second_all);
void net_free(struct net *n);
/* Does the tensor belong to the head for v, which only training needs? Those come last in the table. */
int net_in_v_head(const struct tensor *t);
/* The table without them: a view of n->table, with sizes of its own; not to be freed. */
struct table net_without_v_head(const struct net *n);
/* Lays out a workspace for B samples, the first B_dot of them with tangents. */
void net_layout(struct arena *a, const struct net *n, size_t B, size_t B_dot, int backward, struct net_work *w);
/* The most numbers that a product of a linear layer rounds there (linear_rounded). */
size_t net_rounded(const struct net *n, size_t B, size_t B_dot);
/* x_u, x_v [B,H,H,C] and x_u_dot, x_v_dot [B_dot,H,H,C]; a head whose outputs are NULL is left out, a tangent too.
 * keep: activations stay for net_backward. hooks (may be NULL) hear of weights before they are read. */
void net_forward(const struct net *n, const real *weights, struct net_work *w, const struct condition_input *in, int keep,
                 real *x_u, real *x_u_dot, real *x_v, real *x_v_dot, const struct net_hooks *hooks);
/* grads[table.size] += the gradient of <x_u_bar, x_u> + <x_v_bar, x_v> at the last forward with keep and both heads.
 * hooks may be NULL; what they hear grows from the end of the table, tensor by tensor. */
void net_backward(const struct net *n, const real *weights, struct net_work *w, const struct condition_input *in,
                  const real *x_u_bar, const real *x_v_bar, real *grads, const struct net_hooks *hooks);
#endif
