#include "src/net/flops.h"

/* Products with the weights of one block, for one token. */
static double block_linear(const struct block_shape *s) {
  const double D = (double)s->D, I = (double)s->I;
  return 8 * D * D + 6 * D * I;
}

/* q k^T and P v of one sequence. */
static double block_attention(const struct block_shape *s) {
  return 4 * (double)s->T * (double)s->T * (double)s->D;
}

static double embed(const struct net *n) {
  const struct tokens *l = &n->tokens;
  const double ppC = (double)(l->patch.p * l->patch.p * l->patch.C), M = (double)l->bottleneck, D = (double)l->D;
  return 2 * (double)l->N * (ppC * M + M * D);
}

static double scalars(const struct net *n) { return 2 * (double)n->tokens.D * (double)(SCALAR_WAVES + n->tokens.D); }

static double final_linear(const struct net *n) {
  const struct patch *p = &n->tokens.patch;
  return 2 * (double)n->tokens.N * (double)n->tokens.D * (double)(p->p * p->p * p->C);
}

struct flops flops_net(const struct net *n) {
  const double T = (double)n->shape.T, linear = T * block_linear(&n->shape), attention = block_attention(&n->shape);
  const double S = (double)n->shared, H = (double)n->config.head_depth, last = final_linear(n);
  const double start = embed(n) + CONDITIONS * scalars(n), block = linear + attention;
  return (struct flops){
    .forward = start + (S + 2 * H) * block + 2 * last,
    .guidance = start + (S + H) * block + last,
    .sample = start + (S + H) * block + last,
    .tangent = embed(n) + scalars(n) + (S + H) * (linear + 2 * attention) + last,
    .backward = (n->config.recompute ? (S + 2 * H) * block : 0) + 2 * (start + (S + 2 * H) * block + 2 * last)
                - 2 * (double)n->tokens.N * (double)(n->tokens.patch.p * n->tokens.patch.p * n->tokens.patch.C)
                    * (double)n->tokens.bottleneck,   /* the image's own gradient is not wanted */
  };
}
