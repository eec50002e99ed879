#include "src/net/block.h"

#include <math.h>
#include <stdio.h>

#include "src/net/attention.h"
#include "src/net/gate.h"
#include "src/net/linear.h"
#include "src/net/rmsnorm.h"
#include "src/net/swiglu.h"

static size_t add(struct table *t, const char *prefix, const char *name, size_t out, size_t in, int packed) {
  char full[96];
  snprintf(full, sizeof full, "%s%s", prefix, name);
  const size_t shape[2] = { out, in };
  return table_add(t, full, 2, shape, RULE_MUON, INIT_NORMAL, 0.32 / sqrt((double)in), packed);
}

static size_t add_vector(struct table *t, const char *prefix, const char *name, size_t size, enum init init) {
  char full[96];
  snprintf(full, sizeof full, "%s%s", prefix, name);
  return table_add(t, full, 1, &size, RULE_ADAM, init, 0, 0);
}

void block_tensors(struct table *t, const char *prefix, const struct block_shape *s, struct block *b) {
  const size_t D = s->D, I = s->I;
  b->norm1 = add_vector(t, prefix, "norm1.weight", D, INIT_ONE);
  b->qkv = add(t, prefix, "attn.q_proj._flax_linear.weight", D, D, 0);
  add(t, prefix, "attn.k_proj._flax_linear.weight", D, D, 1);   /* packed: one product for q, k, v */
  add(t, prefix, "attn.v_proj._flax_linear.weight", D, D, 1);
  b->q_norm = add_vector(t, prefix, "attn.q_norm.weight", D / s->A, INIT_ONE);
  b->k_norm = add_vector(t, prefix, "attn.k_norm.weight", D / s->A, INIT_ONE);
  b->out = add(t, prefix, "attn.out_proj._flax_linear.weight", D, D, 0);
  b->attn_scale = add_vector(t, prefix, "attn_scale", D, INIT_ZERO);
  b->norm2 = add_vector(t, prefix, "norm2.weight", D, INIT_ONE);
  b->w13 = add(t, prefix, "mlp.w1._flax_linear.weight", I, D, 0);
  add(t, prefix, "mlp.w3._flax_linear.weight", I, D, 1);
  b->w2 = add(t, prefix, "mlp.w2._flax_linear.weight", D, I, 0);
  b->mlp_scale = add_vector(t, prefix, "mlp_scale", D, INIT_ZERO);
}

void block_layout(struct arena *a, const struct block_shape *s, size_t blocks, size_t B, size_t B_dot, int backward,
                  struct block_work *w) {
  const size_t D = s->D, I = s->I, A = s->A, R = B * s->T;
  const size_t rows = blocks * R, stacked = rows + B_dot * s->T;
  w->base = (struct block_kept){
    .n1 = arena_take(a, stacked * D), .s1 = arena_take(a, rows),
    .qkv = arena_take(a, stacked * 3 * D),
    .qk = arena_take(a, stacked * 2 * D), .sq = arena_take(a, rows * A), .sk = arena_take(a, rows * A),
    .P = arena_take(a, rows * A * attention_width(s->T)),
    .o = arena_take(a, stacked * D), .a = arena_take(a, stacked * D), .y = arena_take(a, rows * D),
    .n2 = arena_take(a, stacked * D), .s2 = arena_take(a, rows),
    .h = arena_take(a, stacked * 2 * I), .m = arena_take(a, stacked * I), .f = arena_take(a, stacked * D),
  };
  w->attention = arena_take(a, attention_work(s->T, D / A));
  if (!backward) return;
  w->d_bar = arena_take(a, R * D);
  w->qkv_bar = arena_take(a, R * 3 * D);
  w->qk_bar = arena_take(a, R * 2 * D);
  w->h_bar = arena_take(a, R * 2 * I);
  w->m_bar = arena_take(a, R * (I > D ? I : D));   /* holds o_bar too */
}

struct block_kept block_at(const struct block_work *w, const struct block_shape *s, size_t i, size_t B) {
  const size_t D = s->D, A = s->A, I = s->I, row = i * B * s->T;
  const struct block_kept *k = &w->base;
  return (struct block_kept){
    .n1 = k->n1 + row * D, .s1 = k->s1 + row, .qkv = k->qkv + row * 3 * D, .qk = k->qk + row * 2 * D,
    .sq = k->sq + row * A, .sk = k->sk + row * A, .P = k->P + row * A * attention_width(s->T), .o = k->o + row * D,
    .a = k->a + row * D, .y = k->y + row * D, .n2 = k->n2 + row * D, .s2 = k->s2 + row,
    .h = k->h + row * 2 * I, .m = k->m + row * I, .f = k->f + row * D,
  };
}

/* The layers of a block on its weights and activations. */
struct layers {
  struct rmsnorm norm1, q_norm, k_norm, norm2;
  struct linear qkv, out, w13, w2;
  struct attention attention;
};
static struct layers layers_of(const struct block_shape *s, const struct block *b, const real *weights,
                               const struct block_kept *k, real *work, size_t B, const real *x) {
  const size_t T = s->T, D = s->D, A = s->A, I = s->I, d = D / A, R = B * T;
  return (struct layers){
    .norm1 = { R, 1, D, D, D, weights + b->norm1, x, k->n1, k->s1 },
    .qkv = { D, 3 * D, weights + b->qkv, NULL },
    .q_norm = { R, A, d, 3 * D, 2 * D, weights + b->q_norm, k->qkv, k->qk, k->sq },
    .k_norm = { R, A, d, 3 * D, 2 * D, weights + b->k_norm, k->qkv + D, k->qk + D, k->sk },
    .attention = { B, T, A, d, 2 * D, 2 * D, 3 * D, D, k->qk, k->qk + D, k->qkv + 2 * D, k->P, k->o, work },
    .out = { D, D, weights + b->out, NULL },
    .norm2 = { R, 1, D, D, D, weights + b->norm2, k->y, k->n2, k->s2 },
    .w13 = { D, 2 * I, weights + b->w13, NULL },
    .w2 = { I, D, weights + b->w2, NULL },
  };
}

void block_forward(const struct block_shape *s, const struct block *b, const real *weights, const struct block_kept *k,
                   real *work, size_t B, size_t B_dot, const real *x, real *x_dot, real *x_out,
                   const struct net_hooks *hooks) {
  const size_t D = s->D, I = s->I, R = B * s->T, R_dot = B_dot * s->T;
  const struct layers l = layers_of(s, b, weights, k, work, B, x);
  const real *g_a = weights + b->attn_scale, *g_m = weights + b->mlp_scale;
  real *qkv_dot = k->qkv + R * 3 * D, *qk_dot = k->qk + R * 2 * D;

  hooks_use(hooks, b->norm1, b->out);
  rmsnorm_forward(&l.norm1);
  rmsnorm_tangent(&l.norm1, R_dot, x_dot, k->n1 + R * D);
  linear_forward(&l.qkv, R, R_dot, k->n1, k->qkv);
  hooks_breathe(hooks);
  rmsnorm_forward(&l.q_norm);
  rmsnorm_forward(&l.k_norm);
  rmsnorm_tangent(&l.q_norm, R_dot, qkv_dot, qk_dot);
  rmsnorm_tangent(&l.k_norm, R_dot, qkv_dot + D, qk_dot + D);
  rotary_forward(&s->rotary, B + B_dot, 2 * s->A, 2 * D, k->qk);
  attention_forward(&l.attention, B_dot, &(struct attention_dot){ qk_dot, qk_dot + D, qkv_dot + 2 * D, k->o + R * D });
  hooks_breathe(hooks);
  hooks_use(hooks, b->out, b->w13);
  linear_forward(&l.out, R, R_dot, k->o, k->a);
  hooks_breathe(hooks);
  gate_forward(R, D, g_a, x, k->a, k->y);
  gate_forward(R_dot, D, g_a, x_dot, k->a + R * D, x_dot);

  rmsnorm_forward(&l.norm2);
  rmsnorm_tangent(&l.norm2, R_dot, x_dot, k->n2 + R * D);
  hooks_use(hooks, b->w13, b->w2);
  linear_forward(&l.w13, R, R_dot, k->n2, k->h);
  hooks_breathe(hooks);
  swiglu_forward(R, I, k->h, k->m);
  swiglu_tangent(R_dot, I, k->h, k->h + R * 2 * I, k->m + R * I);
  hooks_use(hooks, b->w2, b->mlp_scale + D);
  linear_forward(&l.w2, R, R_dot, k->m, k->f);
  hooks_breathe(hooks);
  gate_forward(R, D, g_m, k->y, k->f, x_out);
  gate_forward(R_dot, D, g_m, x_dot, k->f + R * D, x_dot);
}

/* A linear layer without bias, and the caller's turn after each of its products. */
static void layer_backward(const struct linear *l, size_t R, const real *x, const real *y_bar, real *x_bar, size_t W,
                           real *grads, const struct net_hooks *hooks) {
  linear_backward_input(l, R, y_bar, x_bar);
  hooks_breathe(hooks);
  linear_backward_weights(l, R, x, y_bar, grads + W, NULL);
  hooks_final(hooks, W);
}

void block_backward(const struct block_shape *s, const struct block *b, const real *weights, const struct block_kept *k,
                    const struct block_work *w, size_t B, const real *x, real *x_bar, real *grads,
                    const struct net_hooks *hooks) {
  const size_t D = s->D, I = s->I, R = B * s->T;
  const struct layers l = layers_of(s, b, weights, k, w->attention, B, x);
  real *d_bar = w->d_bar, *qkv_bar = w->qkv_bar, *qk_bar = w->qk_bar;

  gate_backward(R, D, weights + b->mlp_scale, k->f, x_bar, d_bar, grads + b->mlp_scale);
  layer_backward(&l.w2, R, k->m, d_bar, w->m_bar, b->w2, grads, hooks);
  swiglu_backward(R, I, k->h, w->m_bar, w->h_bar);
  layer_backward(&l.w13, R, k->n2, w->h_bar, d_bar, b->w13, grads, hooks);
  rmsnorm_backward(&l.norm2, d_bar, x_bar, grads + b->norm2);

  gate_backward(R, D, weights + b->attn_scale, k->a, x_bar, d_bar, grads + b->attn_scale);
  real *o_bar = w->m_bar;   /* free again */
  layer_backward(&l.out, R, k->o, d_bar, o_bar, b->out, grads, hooks);
  for (size_t n = 0; n < R; n++)   /* q and k take their gradients by addition, v by assignment */
    for (size_t c = 0; c < 2 * D; c++) qkv_bar[n * 3 * D + c] = 0;
  attention_backward(&l.attention, o_bar, qk_bar, qk_bar + D, qkv_bar + 2 * D);
  hooks_breathe(hooks);
  rotary_backward(&s->rotary, B, 2 * s->A, 2 * D, qk_bar);
  rmsnorm_backward(&l.q_norm, qk_bar, qkv_bar, grads + b->q_norm);
  rmsnorm_backward(&l.k_norm, qk_bar + D, qkv_bar + D, grads + b->k_norm);
  layer_backward(&l.qkv, R, k->n1, qkv_bar, d_bar, b->qkv, grads, hooks);
  rmsnorm_backward(&l.norm1, d_bar, x_bar, grads + b->norm1);
  hooks_final(hooks, b->norm1);
}
