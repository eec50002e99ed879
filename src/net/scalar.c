#include "src/net/scalar.h"

#include <math.h>
#include <stdio.h>

#include "src/base/vecmath.h"
#include "src/net/linear.h"

static size_t add(struct table *t, const char *prefix, const char *name, int rank, size_t out, size_t in) {
  char full[96];
  snprintf(full, sizeof full, "%s%s", prefix, name);
  const size_t shape[2] = { out, in };
  return rank == 2 ? table_add(t, full, 2, shape, RULE_MUON, INIT_NORMAL, 1 / sqrt((double)in), 0)
                   : table_add(t, full, 1, shape, RULE_ADAM, INIT_ZERO, 0, 0);
}

void scalar_tensors(struct table *t, const char *prefix, size_t D, struct scalar *l) {
  l->D = D;
  l->W1 = add(t, prefix, "mlp.0._flax_linear.weight", 2, D, SCALAR_WAVES);
  l->b1 = add(t, prefix, "mlp.0._flax_linear.bias", 1, D, 0);
  l->W2 = add(t, prefix, "mlp.2._flax_linear.weight", 2, D, D);
  l->b2 = add(t, prefix, "mlp.2._flax_linear.bias", 1, D, 0);
}

void scalar_layout(struct arena *a, size_t D, size_t B, size_t B_dot, struct scalar_kept *k) {
  k->f = arena_take(a, (B + B_dot) * SCALAR_WAVES);
  k->a = arena_take(a, (B + B_dot) * D);
  k->s = arena_take(a, (B + B_dot) * D);
}

/* y = silu(x) of n numbers and, where x_dot is given, y_dot of its first n_dot. */
static void silu(size_t n, const real *x, real *y, size_t n_dot, const real *x_dot, real *y_dot) {
  vecmath_sigmoid(n, x, y);
  for (size_t i = 0; i < n_dot; i++) y_dot[i] = y[i] * (1 + x[i] * (1 - y[i])) * x_dot[i];
  for (size_t i = 0; i < n; i++) y[i] *= x[i];
}

void scalar_forward(const struct scalar *l, const real *weights, const struct scalar_kept *k, size_t B, size_t B_dot,
                    const real *c, real *e) {
  const size_t half = SCALAR_WAVES / 2;
  for (size_t i = 0; i < half; i++) {
    const double w = pow(10000, -(double)i / (double)half);
    for (size_t b = 0; b < B; b++) {
      k->f[b * SCALAR_WAVES + i] = (real)cos((double)c[b] * w);
      k->f[b * SCALAR_WAVES + half + i] = (real)sin((double)c[b] * w);
    }
    for (size_t b = 0; b < B_dot; b++) {
      k->f[(B + b) * SCALAR_WAVES + i] = (real)(-w * sin((double)c[b] * w));
      k->f[(B + b) * SCALAR_WAVES + half + i] = (real)(w * cos((double)c[b] * w));
    }
  }
  const struct linear one = { SCALAR_WAVES, l->D, weights + l->W1, weights + l->b1 };
  const struct linear two = { l->D, l->D, weights + l->W2, weights + l->b2 };
  linear_forward(&one, B, B_dot, k->f, k->a);
  silu(B * l->D, k->a, k->s, B_dot * l->D, k->a + B * l->D, k->s + B * l->D);
  linear_forward(&two, B, B_dot, k->s, e);
}

void scalar_backward(const struct scalar *l, const real *weights, const struct scalar_kept *k, size_t B,
                     const real *e_bar, real *work, real *grads) {
  const struct linear one = { SCALAR_WAVES, l->D, weights + l->W1, weights + l->b1 };
  const struct linear two = { l->D, l->D, weights + l->W2, weights + l->b2 };
  linear_backward(&two, B, k->s, e_bar, work, grads + l->W2, grads + l->b2);
  for (size_t i = 0; i < B * l->D; i++) {
    const real x = k->a[i], s = 1 / (1 + (real)exp((double)-x));
    work[i] *= s * (1 + x * (1 - s));
  }
  linear_backward(&one, B, k->f, work, NULL, grads + l->W1, grads + l->b1);
}
