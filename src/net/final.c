#include "src/net/final.h"

#include <stdio.h>
#include <string.h>

#include "src/net/linear.h"
#include "src/net/rmsnorm.h"

static size_t outputs(const struct final *l) { return l->patch.p * l->patch.p * l->patch.C; }

void final_tensors(struct table *t, const char *prefix, struct final *l) {
  const size_t D = l->D, O = outputs(l);
  char name[3][96];
  snprintf(name[0], sizeof name[0], "%snorm.weight", prefix);
  snprintf(name[1], sizeof name[1], "%slinear._flax_linear.weight", prefix);
  snprintf(name[2], sizeof name[2], "%slinear._flax_linear.bias", prefix);
  l->norm = table_add(t, name[0], 1, &D, RULE_ADAM, INIT_ONE, 0, 0);
  l->linear = table_add(t, name[1], 2, (size_t[]){ O, D }, RULE_MUON, INIT_ZERO, 0, 0);
  l->bias = table_add(t, name[2], 1, &O, RULE_ADAM, INIT_ZERO, 0, 0);
}

void final_layout(struct arena *a, const struct final *l, size_t B, size_t B_dot, struct final_kept *k) {
  k->n = arena_take(a, (B + B_dot) * l->N * l->D);
  k->s = arena_take(a, B * l->N);
}

size_t final_work(const struct final *l, size_t B, size_t B_dot) {
  return (B + B_dot) * l->N * outputs(l) + B * l->N * l->D;
}

/* The norm of sample b's patch tokens. */
static struct rmsnorm norm_of(const struct final *l, const real *weights, const struct final_kept *k, size_t b,
                              const real *x) {
  const size_t T = l->prefix + l->N, D = l->D;
  return (struct rmsnorm){ l->N, 1, D, D, D, weights + l->norm, x + (b * T + l->prefix) * D, k->n + b * l->N * D,
                           k->s + b * l->N };
}

void final_forward(const struct final *l, const real *weights, const struct final_kept *k, real *work, size_t B,
                   size_t B_dot, const real *x, const real *x_dot, real *image, real *image_dot) {
  const size_t T = l->prefix + l->N, D = l->D, O = outputs(l);
  const struct linear linear = { D, O, weights + l->linear, weights + l->bias };
  for (size_t b = 0; b < B; b++) {
    const struct rmsnorm norm = norm_of(l, weights, k, b, x);
    rmsnorm_forward(&norm);
    if (b < B_dot) rmsnorm_tangent(&norm, l->N, x_dot + (b * T + l->prefix) * D, k->n + (B + b) * l->N * D);
  }
  linear_forward(&linear, B * l->N, B_dot * l->N, k->n, work);
  patch_join(&l->patch, B, work, image);
  patch_join(&l->patch, B_dot, work + B * l->N * O, image_dot);
}

void final_backward(const struct final *l, const real *weights, const struct final_kept *k, real *work, size_t B,
                    const real *x, const real *image_bar, real *x_bar, real *grads) {
  const size_t T = l->prefix + l->N, D = l->D, O = outputs(l);
  const struct linear linear = { D, O, weights + l->linear, weights + l->bias };
  real *row_bar = work, *n_bar = work + B * l->N * O;
  patch_split_out(&l->patch, B, image_bar, row_bar);
  linear_backward(&linear, B * l->N, k->n, row_bar, n_bar, grads + l->linear, grads + l->bias);
  memset(x_bar, 0, B * T * D * sizeof *x_bar);
  for (size_t b = 0; b < B; b++) {
    const struct rmsnorm norm = norm_of(l, weights, k, b, x);
    rmsnorm_backward(&norm, n_bar + b * l->N * D, x_bar + (b * T + l->prefix) * D, grads + l->norm);
  }
}
