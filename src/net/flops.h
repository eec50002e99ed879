/* flops.h - how much arithmetic the matrix products of the net are (multiply-add = 2), counted from the sizes.
 * Element-wise work is not counted: what a product rate is compared with is products.
 * Units: floating-point operations. Errors: none. Ranks: local. */
#ifndef NET_FLOPS_H
#define NET_FLOPS_H
#include "src/net/net.h"

struct flops {
  double forward;    /* one sample through trunk and both heads */
  double guidance;   /* through trunk and v head, without gradient */
  double sample;     /* through trunk and u head, without gradient */
  double tangent;    /* of trunk and u head */
  double backward;   /* trunk and both heads, weights and activations; with `recompute` the blocks' forward once more */
};
struct flops flops_net(const struct net *n);
#endif
