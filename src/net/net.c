#include "src/net/net.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/status.h"
#include "src/net/linear.h"

static void defaults(struct net_config *c) {
  const size_t inner = 8 * c->width / 3;
  if (!c->inner) c->inner = c->width > 1024 ? (inner + 7) / 8 * 8 : inner;
  if (!c->bottleneck) c->bottleneck = c->width > 1024 ? 256 : 128;
}

/* The layers' sizes; places in the flat arrays come from the table. */
static void size_layers(struct net *n) {
  const struct net_config *c = &n->config;
  const struct patch patch = { c->image, c->patch, c->channels };
  const size_t side = c->image / c->patch, N = side * side;
  const size_t prefix = c->class_tokens + c->omega_tokens + 2 * c->interval_tokens + c->time_tokens, T = prefix + N;
  n->shared = c->depth - c->head_depth;
  n->pixels = c->image * c->image * c->channels;
  n->tokens = (struct tokens){ .D = c->width, .N = N, .T = T, .classes = c->classes, .bottleneck = c->bottleneck,
                               .prefix = prefix, .patch = patch, .class_count = c->class_tokens,
                               .count = { c->omega_tokens, c->interval_tokens, c->interval_tokens, c->time_tokens } };
  n->shape = (struct block_shape){ .T = T, .D = c->width, .A = c->heads, .I = c->inner,
                                   .rotary = { .side = side, .prefix = prefix, .d = c->width / c->heads } };
  for (int head = 0; head < 2; head++)
    n->final[head] = (struct final){ .D = c->width, .N = N, .prefix = prefix, .patch = patch };
}

static void lay_out_angles(struct net *n) {
  struct rotary *r = &n->shape.rotary;
  real *cosine = arena_take(&n->angles, r->side * r->side * r->d / 2);
  real *sine = arena_take(&n->angles, r->side * r->side * r->d / 2);
  r->cosine = cosine;
  r->sine = sine;
  if (cosine) rotary_angles(r->side, r->d, cosine, sine);
}

int net_init(struct net *n, const struct net_config *config, int second_all) {
  *n = (struct net){ .config = *config };
  const struct net_config *c = &n->config;
  defaults(&n->config);
  assert(c->image % c->patch == 0 && c->width % (4 * c->heads) == 0 && c->head_depth <= c->depth);
  size_layers(n);
  n->blocks = calloc(c->depth + c->head_depth, sizeof *n->blocks);
  if (!n->blocks) return because(STATUS_NOMEM, "no memory for a net of %zu blocks", c->depth + c->head_depth);
  lay_out_angles(n);
  const int status = arena_init(&n->angles);
  if (status) return status;
  lay_out_angles(n);

  tokens_tensors(&n->table, &n->tokens);
  struct block *b = n->blocks;
  char prefix[64];
  for (size_t i = 0; i < n->shared; i++) {
    snprintf(prefix, sizeof prefix, "shared_blocks.%zu.", i);
    block_tensors(&n->table, prefix, &n->shape, b++);
  }
  for (int head = 0; head < 2; head++) {
    for (size_t i = 0; i < c->head_depth; i++) {
      snprintf(prefix, sizeof prefix, "%c_heads.%zu.", "uv"[head], i);
      block_tensors(&n->table, prefix, &n->shape, b++);
    }
    snprintf(prefix, sizeof prefix, "%c_final_layer.", "uv"[head]);
    final_tensors(&n->table, prefix, &n->final[head]);
  }
  table_place_second(&n->table, second_all);
  return STATUS_OK;
}

int net_in_v_head(const struct tensor *t) {
  return !strncmp(t->name, "v_heads.", 8) || !strncmp(t->name, "v_final_layer.", 14);
}

struct table net_without_v_head(const struct net *n) {
  struct table t = n->table;
  while (t.count && net_in_v_head(&t.tensors[t.count - 1])) t.count--;
  const struct tensor *first = &n->table.tensors[t.count], *last = first - 1;
  t.size = last->offset + last->size;
  t.second_size = 0;
  for (const struct tensor *x = first; x < n->table.tensors + n->table.count && !t.second_size; x++)
    if (x->second != SIZE_MAX) t.second_size = x->second;   /* where the first of those that are left out began */
  return t;
}

void net_free(struct net *n) {
  table_free(&n->table);
  free(n->blocks);
  arena_free(&n->angles);
}

void net_layout(struct arena *a, const struct net *n, size_t B, size_t B_dot, int backward, struct net_work *w) {
  const struct net_config *c = &n->config;
  const size_t stream = B * n->shape.T * c->width, stream_dot = B_dot * n->shape.T * c->width;
  const size_t blocks = backward ? c->depth + c->head_depth : 1, kept = c->recompute ? 1 : blocks;
  w->B = B;
  w->B_dot = B_dot;
  w->backward = backward;
  tokens_layout(a, &n->tokens, B, B_dot, &w->tokens);
  block_layout(a, &n->shape, kept, B, B_dot, backward, &w->blocks);
  for (int head = 0; head < 2; head++) final_layout(a, &n->final[head], B, B_dot, &w->final[head]);
  w->x = arena_take(a, (backward ? blocks + 1 : 2) * stream);
  w->x_dot = arena_take(a, stream_dot);
  w->trunk_dot = arena_take(a, stream_dot);
  w->final_work = arena_take(a, final_work(&n->final[0], B, B_dot));
  if (!backward) return;
  w->x_bar = arena_take(a, stream);
  w->trunk_bar = arena_take(a, stream);
}

size_t net_rounded(const struct net *n, size_t B, size_t B_dot) {
  const struct tokens *l = &n->tokens;
  const size_t D = l->D, I = n->shape.I, M = l->bottleneck, T = l->T, N = l->N, P = l->patch.p * l->patch.p * l->patch.C;
  const struct { size_t in, out, rows; int x_bar; } layers[] = {
    { D, 3 * D, T, 1 }, { D, D, T, 1 }, { D, 2 * I, T, 1 }, { I, D, T, 1 },   /* a block */
    { P, M, N, 0 }, { M, D, N, 1 }, { D, P, N, 1 },                           /* patches, and back */
    { SCALAR_WAVES, D, 1, 0 }, { D, D, 1, 1 },                                /* conditions */
  };
  size_t most = 0;
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
    const size_t rows = layers[i].rows;
    const size_t one = linear_rounded(layers[i].in, layers[i].out, B * rows, B_dot * rows, layers[i].x_bar);
    if (one > most) most = one;
  }
  return most;
}

/* Where a block's activations and input live. Kept: each its own (but for `recompute`, where only the inputs are);
 * else one for all, and two streams: trunk and head. */
static struct block_kept kept(const struct net *n, const struct net_work *w, int keep, size_t i, size_t B) {
  return block_at(&w->blocks, &n->shape, keep && !n->config.recompute ? i : 0, B);
}
static real *stream(const struct net *n, const struct net_work *w, size_t i, size_t B) {
  return w->x + i * B * n->shape.T * n->config.width;
}
/* Slot of the stream that enters block i of a head (i = head_depth: that leaves it). */
static size_t head_slot(const struct net *n, int keep, int head, size_t i) {
  if (i == 0) return keep ? n->shared : 0;
  return keep ? n->shared + (size_t)head * n->config.head_depth + i : 1;
}

static void forward_head(const struct net *n, const real *weights, struct net_work *w, size_t B, size_t B_dot, int keep,
                         int head, real *image, real *image_dot, const struct net_hooks *hooks) {
  const size_t H = n->config.head_depth, first = n->shared + (size_t)head * H;
  for (size_t i = 0; i < H; i++) {
    const struct block_kept k = kept(n, w, keep, first + i, B);
    block_forward(&n->shape, &n->blocks[first + i], weights, &k, w->blocks.attention, B, B_dot,
                  stream(n, w, head_slot(n, keep, head, i), B), w->x_dot, stream(n, w, head_slot(n, keep, head, i + 1), B),
                  hooks);
  }
  const struct patch *p = &n->final[head].patch;
  hooks_use(hooks, n->final[head].norm, n->final[head].bias + p->p * p->p * p->C);
  final_forward(&n->final[head], weights, &w->final[head], w->final_work, B, B_dot,
                stream(n, w, head_slot(n, keep, head, H), B), w->x_dot, image, image_dot);
}

void net_forward(const struct net *n, const real *weights, struct net_work *w, const struct condition_input *in, int keep,
                 real *x_u, real *x_u_dot, real *x_v, real *x_v_dot, const struct net_hooks *hooks) {
  const size_t B = in->B, B_dot = in->B_dot, tangents = B_dot * n->shape.T * n->config.width;
  assert(B <= w->B && B_dot <= w->B_dot && B_dot <= B && (w->backward || !keep));
  hooks_use(hooks, 0, n->shared ? n->blocks->norm1 : n->table.size);
  tokens_forward(&n->tokens, weights, &w->tokens, in, stream(n, w, 0, B), w->x_dot);
  for (size_t i = 0; i < n->shared; i++) {
    const struct block_kept k = kept(n, w, keep, i, B);
    block_forward(&n->shape, &n->blocks[i], weights, &k, w->blocks.attention, B, B_dot,
                  stream(n, w, keep ? i : 0, B), w->x_dot, stream(n, w, keep ? i + 1 : 0, B), hooks);
  }
  if (x_u_dot && x_v_dot) memcpy(w->trunk_dot, w->x_dot, tangents * sizeof(real));
  if (x_u) forward_head(n, weights, w, B, x_u_dot ? B_dot : 0, keep, HEAD_U, x_u, x_u_dot, hooks);
  if (x_u_dot && x_v_dot) memcpy(w->x_dot, w->trunk_dot, tangents * sizeof(real));
  if (x_v) forward_head(n, weights, w, B, x_v_dot ? B_dot : 0, keep, HEAD_V, x_v, x_v_dot, hooks);
}

static void backward_blocks(const struct net *n, const real *weights, struct net_work *w, size_t B, size_t first,
                            size_t count, int head, real *x_bar, real *grads, const struct net_hooks *hooks) {
  for (size_t i = count; i-- > 0;) {
    const struct block_kept k = kept(n, w, 1, first + i, B);
    const real *x = stream(n, w, head < 0 ? i : head_slot(n, 1, head, i), B);
    if (n->config.recompute)
      block_forward(&n->shape, &n->blocks[first + i], weights, &k, w->blocks.attention, B, 0, x, NULL, w->blocks.d_bar, hooks);
    hooks_breathe(hooks);
    block_backward(&n->shape, &n->blocks[first + i], weights, &k, &w->blocks, B, x, x_bar, grads, hooks);
  }
}

void net_backward(const struct net *n, const real *weights, struct net_work *w, const struct condition_input *in,
                  const real *x_u_bar, const real *x_v_bar, real *grads, const struct net_hooks *hooks) {
  const size_t B = in->B, H = n->config.head_depth, size = B * n->shape.T * n->config.width;
  const real *const image_bar[2] = { x_u_bar, x_v_bar };
  assert(w->backward);
  for (int head = HEAD_V; head >= HEAD_U; head--) {   /* the table's order backwards: what is final grows from its end */
    real *x_bar = head == HEAD_V ? w->trunk_bar : w->x_bar;
    final_backward(&n->final[head], weights, &w->final[head], w->final_work, B,
                   stream(n, w, head_slot(n, 1, head, H), B), image_bar[head], x_bar, grads);
    hooks_final(hooks, n->final[head].norm);
    backward_blocks(n, weights, w, B, n->shared + (size_t)head * H, H, head, x_bar, grads, hooks);
  }
  for (size_t i = 0; i < size; i++) w->x_bar[i] += w->trunk_bar[i];
  backward_blocks(n, weights, w, B, 0, n->shared, -1, w->x_bar, grads, hooks);
  tokens_backward(&n->tokens, weights, &w->tokens, in, w->x_bar, grads);
  hooks_final(hooks, 0);
}
