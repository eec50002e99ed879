#include "src/net/mlp.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "src/net/linear.h"

static size_t inputs(const struct mlp *m, size_t l) { return l ? m->width : m->in; }
static size_t outputs(const struct mlp *m, size_t l) { return l + 1 < m->depth ? m->width : m->out; }

void mlp_init(struct mlp *m, size_t in, size_t width, size_t depth, size_t out) {
  assert(depth >= 2 && depth <= MLP_DEPTH);
  *m = (struct mlp){ .in = in, .width = width, .out = out, .depth = depth };
  for (size_t l = 0; l < depth; l++) {
    const size_t I = inputs(m, l), O = outputs(m, l);
    char name[32];
    snprintf(name, sizeof name, "layer%zu.weight", l);
    m->W[l] = table_add(&m->table, name, 2, (size_t[]){ O, I }, RULE_ADAM, INIT_NORMAL, sqrt(2 / (double)I), 0);
    snprintf(name, sizeof name, "layer%zu.bias", l);
    m->b[l] = table_add(&m->table, name, 1, &O, RULE_ADAM, INIT_ZERO, 0, 0);
  }
  table_place_second(&m->table, 0);
}

void mlp_free(struct mlp *m) { table_free(&m->table); }

void mlp_layout(struct arena *arena, const struct mlp *m, size_t B, size_t B_dot, struct mlp_work *k) {
  for (size_t l = 0; l + 1 < m->depth; l++) k->a[l] = arena_take(arena, (B + B_dot) * m->width);
  for (int i = 0; i < 2; i++) k->bar[i] = arena_take(arena, B * m->width);
}

static struct linear layer(const struct mlp *m, const real *weights, size_t l) {
  return (struct linear){ inputs(m, l), outputs(m, l), weights + m->W[l], weights + m->b[l] };
}

/* A tangent passes where its value does. */
static void relu(size_t n, size_t n_dot, real *a) {
  for (size_t i = 0; i < n_dot; i++)
    if (!(a[i] > 0)) a[n + i] = 0;
  for (size_t i = 0; i < n; i++)
    if (!(a[i] > 0)) a[i] = 0;
}

void mlp_forward(const struct mlp *m, const real *weights, struct mlp_work *k, size_t B, size_t B_dot, const real *x, real *y) {
  for (size_t l = 0; l < m->depth; l++) {
    const struct linear f = layer(m, weights, l);
    const int last = l + 1 == m->depth;
    linear_forward(&f, B, B_dot, l ? k->a[l - 1] : x, last ? y : k->a[l]);
    if (!last) relu(B * m->width, B_dot * m->width, k->a[l]);
  }
}

void mlp_backward(const struct mlp *m, const real *weights, struct mlp_work *k, size_t B, const real *x, const real *y_bar,
                  real *grads) {
  for (size_t l = m->depth; l-- > 0;) {
    const struct linear f = layer(m, weights, l);
    real *const a_bar = l ? k->bar[l % 2] : NULL;
    linear_backward(&f, B, l ? k->a[l - 1] : x, y_bar, a_bar, grads + m->W[l], grads + m->b[l]);
    for (size_t i = 0; l && i < B * m->width; i++)
      if (!(k->a[l - 1][i] > 0)) a_bar[i] = 0;
    y_bar = a_bar;
  }
}
