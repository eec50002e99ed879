/* layer.h - what every layer must obey, in double:
 *   tangent and backward are adjoint:  <y_bar, J x_dot> = <J^T y_bar, x_dot>, to 1e-12 of |y_bar| |J x_dot|;
 *   the tangent is the derivative of forward, and the weights' gradients are those of <y_bar, y>, both against central
 *   differences of fourth order with step 1e-3, to 1e-8 (their own error is about 1e-11). */
#ifndef TESTS_LAYER_H
#define TESTS_LAYER_H
#include "tests/laws.h"

static const double step = 1e-3, limit_difference = 1e-8, limit_adjoint = 1e-12;

/* A layer seen as y[ny] of x[nx] and weights w[nw]. Tangent and backward follow a forward at the same x and w.
 * backward overwrites x_bar and w_bar. NULL where a layer has none. */
struct layer {
  size_t nx, nw, ny;
  void (*forward)(const real *x, const real *w, real *y);
  void (*tangent)(const real *x, const real *w, const real *x_dot, real *y_dot);
  void (*backward)(const real *x, const real *w, const real *y_bar, real *x_bar, real *w_bar);
};

struct moved {
  const struct layer *l;
  real *x, *w;
  const real *x0, *w0, *x_dot, *w_dot, *y_bar;
  real *y;
};
static inline void along_x(void *context, double s, real *y) {
  struct moved *m = context;
  move(m->l->nx, m->x0, s, m->x_dot, m->x);
  m->l->forward(m->x, m->w0, y);
}
static inline void along_w(void *context, double s, real *y) {   /* <y_bar, y> */
  struct moved *m = context;
  move(m->l->nw, m->w0, s, m->w_dot, m->w);
  m->l->forward(m->x0, m->w, m->y);
  *y = (real)dot(m->l->ny, m->y_bar, m->y);
}

/* Every weight's gradient against differences, one weight at a time. */
static inline void check_weights(const struct layer *l, struct moved *m, const real *w_bar) {
  real *w_dot = new_zeros(l->nw), *numeric = new_zeros(l->nw);
  m->w_dot = w_dot;
  for (size_t i = 0; i < l->nw; i++) {
    w_dot[i] = 1;
    differentiate(along_w, m, step, 1, numeric + i);
    w_dot[i] = 0;
  }
  ck_assert_double_lt(relative_error(l->nw, w_bar, numeric), limit_difference);
  free(w_dot), free(numeric);
}

/* x and w hold where to look. */
static inline void check_layer_at(const struct layer *l, double h, double limit, const real *x, const real *w) {
  real *x_dot = new_normal(3, l->nx), *y = new_zeros(l->ny), *y_dot = new_zeros(l->ny), *numeric = new_zeros(l->ny);
  real *y_bar = new_normal(4, l->ny), *x_bar = new_normal(5, l->nx), *w_bar = new_normal(6, l->nw);
  real *x_moved = new_zeros(l->nx), *w_moved = new_zeros(l->nw);
  struct moved m = { l, x_moved, w_moved, x, w, x_dot, NULL, y_bar, y };
  differentiate(along_x, &m, h, l->ny, numeric);
  l->forward(x, w, y);
  l->tangent(x, w, x_dot, y_dot);
  ck_assert_double_gt(max_abs(l->ny, y_dot), 0);
  ck_assert_double_lt(relative_error(l->ny, y_dot, numeric), limit);

  l->forward(x, w, y);
  l->backward(x, w, y_bar, x_bar, w_bar);
  const double scale = sqrt(dot(l->ny, y_bar, y_bar) * dot(l->ny, y_dot, y_dot));
  ck_assert_double_lt(fabs(dot(l->ny, y_bar, y_dot) - dot(l->nx, x_bar, x_dot)) / scale, limit_adjoint);
  check_weights(l, &m, w_bar);
  free(x_dot), free(y), free(y_dot), free(numeric), free(y_bar), free(x_bar), free(w_bar), free(x_moved), free(w_moved);
}
static inline void check_layer(const struct layer *l) {
  real *x = new_normal(1, l->nx), *w = new_normal(2, l->nw);
  check_layer_at(l, step, limit_difference, x, w);
  free(x), free(w);
}

/* Where backward adds, what it finds must come through: it starts from a mark and loses it. */
static const real mark = 0.25;
static inline void set_mark(size_t n, real *x) { for (size_t i = 0; i < n; i++) x[i] = mark; }
static inline void lose_mark(size_t n, real *x) { for (size_t i = 0; i < n; i++) x[i] -= mark; }
#endif
