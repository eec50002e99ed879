#include "src/net/tokens.h"

#include <math.h>
#include <string.h>

#include "src/net/linear.h"

void tokens_tensors(struct table *t, struct tokens *l) {
  const size_t D = l->D, M = l->bottleneck, p = l->patch.p, ppC = p * p * l->patch.C;
  const double sigma = 1 / sqrt((double)D);
  l->proj1 = table_add(t, "x_embedder.proj1.weight", 4, (size_t[]){ M, l->patch.C, p, p }, RULE_ADAM, INIT_UNIFORM,
                       sqrt(6.0 / (double)(ppC + M)), 0);
  l->proj1_bias = table_add(t, "x_embedder.proj1.bias", 1, &M, RULE_ADAM, INIT_ZERO, 0, 0);
  l->proj2 = table_add(t, "x_embedder.proj2.weight", 4, (size_t[]){ D, M, 1, 1 }, RULE_ADAM, INIT_UNIFORM,
                       sqrt(6.0 / (double)(M + D)), 0);
  l->proj2_bias = table_add(t, "x_embedder.proj2.bias", 1, &D, RULE_ADAM, INIT_ZERO, 0, 0);
  static const char *const embedder[CONDITIONS] = { "omega_embedder.", "cfg_t_start_embedder.", "cfg_t_end_embedder.",
                                                    "h_embedder." };
  static const char *const token[CONDITIONS] = { "omega_tokens", "t_min_tokens", "t_max_tokens", "time_tokens" };
  for (int i = 0; i < CONDITIONS; i++) scalar_tensors(t, embedder[i], D, &l->scalar[i]);
  l->table = table_add(t, "y_embedder.embedding_table._flax_embedding.weight", 2, (size_t[]){ l->classes + 1, D },
                       RULE_ADAM, INIT_NORMAL, sigma, 0);
  l->class_tokens = table_add(t, "class_tokens", 3, (size_t[]){ 1, l->class_count, D }, RULE_ADAM, INIT_NORMAL, sigma, 0);
  for (int i = 0; i < CONDITIONS; i++)
    l->token[i] = table_add(t, token[i], 3, (size_t[]){ 1, l->count[i], D }, RULE_ADAM, INIT_NORMAL, sigma, 0);
  l->pos_embed = table_add(t, "pos_embed", 3, (size_t[]){ 1, l->T, D }, RULE_ADAM, INIT_NORMAL, 0.02, 0);
}

void tokens_layout(struct arena *a, const struct tokens *l, size_t B, size_t B_dot, struct tokens_kept *k) {
  const size_t rows = (B + B_dot) * l->N, p = l->patch.p;
  k->p = arena_take(a, rows * p * p * l->patch.C);
  k->e1 = arena_take(a, rows * l->bottleneck);
  k->e2 = arena_take(a, rows * l->D);
  k->e1_bar = arena_take(a, B * l->N * l->bottleneck);
  for (int i = 0; i < CONDITIONS; i++) scalar_layout(a, l->D, B, B_dot, &k->scalar[i]);
  k->c = arena_take(a, B);
  k->e = arena_take(a, (B + B_dot) * l->D);
  k->e_bar = arena_take(a, B * l->D);
  k->work = arena_take(a, B * l->D);
}

static struct linear proj1(const struct tokens *l, const real *weights) {
  const size_t p = l->patch.p;
  return (struct linear){ p * p * l->patch.C, l->bottleneck, weights + l->proj1, weights + l->proj1_bias };
}
static struct linear proj2(const struct tokens *l, const real *weights) {
  return (struct linear){ l->bottleneck, l->D, weights + l->proj2, weights + l->proj2_bias };
}

/* The token where the kind's tokens begin. */
static size_t first_token(const struct tokens *l, int condition) {
  size_t first = l->class_count;
  for (int i = 0; i < condition; i++) first += l->count[i];
  return first;
}

static real value_of(const struct condition_input *in, int condition, size_t b) {
  switch (condition) {
    case CONDITION_OMEGA: return 1 - 1 / in->w[b];
    case CONDITION_T_MIN: return in->t_min[b];
    case CONDITION_T_MAX: return in->t_max[b];
    default:              return in->h[b];
  }
}

/* row = token + embedding + position */
static void put(size_t D, const real *token, const real *e, const real *pos, real *row) {
  for (size_t c = 0; c < D; c++) row[c] = token[c] + e[c] + pos[c];
}

void tokens_forward(const struct tokens *l, const real *weights, const struct tokens_kept *k,
                    const struct condition_input *in, real *x, real *x_dot) {
  const size_t D = l->D, T = l->T, N = l->N, B = in->B, B_dot = in->B_dot, p = l->patch.p, ppC = p * p * l->patch.C;
  const real *pos = weights + l->pos_embed;

  for (size_t b = 0; b < B; b++)
    for (size_t j = 0; j < l->class_count; j++)
      put(D, weights + l->class_tokens + j * D, weights + l->table + (size_t)in->y[b] * D, pos + j * D,
          x + (b * T + j) * D);
  for (size_t b = 0; b < B_dot; b++) memset(x_dot + b * T * D, 0, l->prefix * D * sizeof *x_dot);

  for (int i = 0; i < CONDITIONS; i++) {
    const size_t first = first_token(l, i), with_tangent = i == CONDITION_H ? B_dot : 0;
    for (size_t b = 0; b < B; b++) k->c[b] = value_of(in, i, b);
    scalar_forward(&l->scalar[i], weights, &k->scalar[i], B, with_tangent, k->c, k->e);
    for (size_t j = 0; j < l->count[i]; j++) {
      for (size_t b = 0; b < B; b++)
        put(D, weights + l->token[i] + j * D, k->e + b * D, pos + (first + j) * D, x + (b * T + first + j) * D);
      for (size_t b = 0; b < with_tangent; b++)
        memcpy(x_dot + (b * T + first + j) * D, k->e + (B + b) * D, D * sizeof *x_dot);
    }
  }

  const struct linear one = proj1(l, weights), two = proj2(l, weights);
  patch_split(&l->patch, B, in->z, k->p);
  patch_split(&l->patch, B_dot, in->z_dot, k->p + B * N * ppC);
  linear_forward(&one, B * N, B_dot * N, k->p, k->e1);
  linear_forward(&two, B * N, B_dot * N, k->e1, k->e2);
  for (size_t b = 0; b < B; b++) {
    const real *e = k->e2 + b * N * D, *q = pos + l->prefix * D;
    real *row = x + (b * T + l->prefix) * D;
    for (size_t i = 0; i < N * D; i++) row[i] = e[i] + q[i];
  }
  for (size_t b = 0; b < B_dot; b++)
    memcpy(x_dot + (b * T + l->prefix) * D, k->e2 + (B + b) * N * D, N * D * sizeof *x_dot);
}

static void add_to(size_t n, const real *x, real *sum) {
  for (size_t i = 0; i < n; i++) sum[i] += x[i];
}

void tokens_backward(const struct tokens *l, const real *weights, const struct tokens_kept *k,
                     const struct condition_input *in, const real *x_bar, real *grads) {
  const size_t D = l->D, T = l->T, N = l->N, B = in->B;
  for (size_t b = 0; b < B; b++) {
    add_to(T * D, x_bar + b * T * D, grads + l->pos_embed);
    add_to(l->class_count * D, x_bar + b * T * D, grads + l->class_tokens);
    for (size_t j = 0; j < l->class_count; j++)
      add_to(D, x_bar + (b * T + j) * D, grads + l->table + (size_t)in->y[b] * D);
  }
  for (int i = 0; i < CONDITIONS; i++) {
    const size_t first = first_token(l, i);
    memset(k->e_bar, 0, B * D * sizeof *k->e_bar);
    for (size_t b = 0; b < B; b++) {
      add_to(l->count[i] * D, x_bar + (b * T + first) * D, grads + l->token[i]);
      for (size_t j = 0; j < l->count[i]; j++) add_to(D, x_bar + (b * T + first + j) * D, k->e_bar + b * D);
    }
    scalar_backward(&l->scalar[i], weights, &k->scalar[i], B, k->e_bar, k->work, grads);
  }
  const struct linear one = proj1(l, weights), two = proj2(l, weights);
  real *e2_bar = k->e2;   /* e2 itself is not needed any more */
  for (size_t b = 0; b < B; b++)
    memcpy(e2_bar + b * N * D, x_bar + (b * T + l->prefix) * D, N * D * sizeof *e2_bar);
  linear_backward(&two, B * N, k->e1, e2_bar, k->e1_bar, grads + l->proj2, grads + l->proj2_bias);
  linear_backward(&one, B * N, k->p, k->e1_bar, NULL, grads + l->proj1, grads + l->proj1_bias);
}
