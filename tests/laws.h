/* laws.h - what the tests of the numeric core share: derivatives by differences, a small net with random weights.
 * Memory: new_* returns what the caller frees. */
#ifndef TESTS_LAWS_H
#define TESTS_LAWS_H
#include "src/net/net.h"
#include "tests/harness.h"

/* y(s)[n] where something that the context knows moves by s. */
typedef void curve(void *context, double s, real *y);

/* y_dot[n] = dy/ds at s = 0 by central differences of fourth order over steps h and 2h:
 *   (8 (y(h) - y(-h)) - (y(2h) - y(-2h))) / 12h,   error about h^4 y'''''/30 and, by rounding, 1e-16 y/h. */
static inline void differentiate(curve *f, void *context, double h, size_t n, real *y_dot) {
  static const struct { int at; double weight; } points[] = { { 1, 8 }, { -1, -8 }, { 2, -1 }, { -2, 1 } };
  real *y = new_zeros(n);
  memset(y_dot, 0, n * sizeof *y_dot);
  for (int k = 0; k < 4; k++) {
    f(context, points[k].at * h, y);
    for (size_t i = 0; i < n; i++) y_dot[i] += (real)(points[k].weight / (12 * h)) * y[i];
  }
  free(y);
}

/* to[n] = x + s d */
static inline void move(size_t n, const real *x, double s, const real *d, real *to) {
  for (size_t i = 0; i < n; i++) to[i] = x[i] + (real)s * d[i];
}

/* weights[t->size]: random in every tensor, also where initial values are zero, of a size that keeps numbers tame. */
static inline void fill_weights(uint32_t which, const struct table *t, real *weights) {
  memset(weights, 0, t->size * sizeof *weights);
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    real *w = weights + n->offset;
    const double scale = n->rank == 2 || n->rank == 4 ? sqrt((double)n->shape[0] / (double)n->size) : 0.4;
    fill_normal(which + (uint32_t)i, n->size, w);
    for (size_t j = 0; j < n->size; j++) w[j] = (real)((n->init == INIT_ONE) + scale * (double)w[j]);
  }
}

/* Arena and workspace of one net for B samples, B_dot of them with tangents. */
static inline void new_net_work(const struct net *n, size_t B, size_t B_dot, int backward, struct arena *a,
                                struct net_work *w) {
  *a = (struct arena){ 0 };
  net_layout(a, n, B, B_dot, backward, w);
  if (arena_init(a)) abort();
  net_layout(a, n, B, B_dot, backward, w);
}

/* A number of places of a tensor of `size` that are spread over it: the i-th of `of`. */
static inline size_t place(size_t i, size_t of, size_t size) { return (i * size + size / 2) / of % size; }
#endif
