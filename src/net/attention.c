#include "src/net/attention.h"

#include <omp.h>
#include <tgmath.h>

#include "src/base/tile.h"
#include "src/base/vecmath.h"
#include "src/base/vector.h"

/* Queries at a time: their rows of P stay in the cache from the scores to what they weigh. */
enum { ROWS = 60 };

size_t attention_width(size_t T) { return tile_width(T); }

/* One thread's scratch: two matrices [d,T], three [T,d], a tile of queries beside their tangents, and one of scores. */
static size_t work_of_thread(size_t T, size_t d) {
  return 2 * d * tile_width(T) + 3 * T * tile_width(d) + ROWS * 2 * d + ROWS * tile_width(T);
}

size_t attention_work(size_t T, size_t d) { return (size_t)omp_get_max_threads() * work_of_thread(T, d); }

struct scratch {
  real *across[2];   /* [d, tile_width(T)] */
  real *along[3];    /* [T, tile_width(d)] */
  real *q, *S;       /* [ROWS, 2d], [ROWS, tile_width(T)] */
};
static struct scratch my_scratch(const struct attention *l) {
  const size_t T = l->T, d = l->d, across = d * tile_width(T), along = T * tile_width(d);
  real *w = l->work + (size_t)omp_get_thread_num() * work_of_thread(T, d), *end = w + 2 * across + 3 * along;
  return (struct scratch){ { w, w + across }, { w + 2 * across, w + 2 * across + along, w + 2 * across + 2 * along },
                           end, end + ROWS * 2 * d };
}

static size_t rows_from(size_t i, size_t T) { return T - i < ROWS ? T - i : ROWS; }

static void softmax(size_t T, real *row) {
  const real max = vector_max(T, row);
  real sum = 0;
  for (size_t i = 0; i < T; i++) row[i] -= max;
  vecmath_exp(T, row, row);
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < T; i++) sum += row[i];
  const real scale = 1 / sum;
  for (size_t i = 0; i < T; i++) row[i] *= scale;
}

/* row <- P (row - sum P row): the softmax's derivative, which is symmetric and so serves both ways. */
static void softmax_derivative(size_t T, const real *P, real *row) {
  const real mean = vector_dot(T, P, row);
  for (size_t i = 0; i < T; i++) row[i] = P[i] * (row[i] - mean);
}

/* Where sequence b's head h lies. */
struct head {
  size_t q, k, v, o, P;
};
static struct head head_at(const struct attention *l, size_t b, size_t h) {
  const size_t t = b * l->T, c = h * l->d;
  return (struct head){ t * l->ldq + c, t * l->ldk + c, t * l->ldv + c, t * l->ldo + c,
                        (b * l->A + h) * l->T * attention_width(l->T) };
}

static void head_forward(const struct attention *l, const struct scratch *s, struct head at) {
  const size_t T = l->T, d = l->d, width = tile_width(T), deep = tile_width(d);
  real *kT = s->across[0], *v = s->along[0];
  tile_transpose(T, d, 1 / sqrt((real)d), l->k + at.k, l->ldk, kT, width);
  tile_copy(T, d, 1, l->v + at.v, l->ldv, v, deep);
  for (size_t i = 0; i < T; i += ROWS) {
    const size_t rows = rows_from(i, T);
    real *P = l->P + at.P + i * width;
    tile_product(rows, width, d, l->q + at.q + i * l->ldq, l->ldq, 1, kT, width, TILE_SET, P, width);
    for (size_t r = 0; r < rows; r++) softmax(T, P + r * width);
    tile_product(rows, d, T, P, width, 1, v, deep, TILE_SET, l->o + at.o + i * l->ldo, l->ldo);
  }
}

/* What head_forward left in the scratch serves here. */
static void head_tangent(const struct attention *l, const struct attention_dot *dot, const struct scratch *s, struct head at) {
  const size_t T = l->T, d = l->d, width = tile_width(T), deep = tile_width(d);
  real *kT = s->across[0], *kT_dot = s->across[1], *v = s->along[0], *v_dot = s->along[1], *q = s->q, *P_dot = s->S;
  tile_transpose(T, d, 1 / sqrt((real)d), dot->k + at.k, l->ldk, kT_dot, width);   /* lies under kT */
  tile_copy(T, d, 1, dot->v + at.v, l->ldv, v_dot, deep);
  for (size_t i = 0; i < T; i += ROWS) {
    const size_t rows = rows_from(i, T);
    const real *P = l->P + at.P + i * width;
    real *o_dot = dot->o + at.o + i * l->ldo;
    for (size_t r = 0; r < rows; r++)
      for (size_t c = 0; c < d; c++) {
        q[r * 2 * d + c] = dot->q[at.q + (i + r) * l->ldq + c];
        q[r * 2 * d + d + c] = l->q[at.q + (i + r) * l->ldq + c];
      }
    tile_product(rows, width, 2 * d, q, 2 * d, 1, kT, width, TILE_SET, P_dot, width);   /* q_dot k^T + q k_dot^T */
    for (size_t r = 0; r < rows; r++) softmax_derivative(T, P + r * width, P_dot + r * width);
    tile_product(rows, d, T, P_dot, width, 1, v, deep, TILE_SET, o_dot, l->ldo);
    tile_product(rows, d, T, P, width, 1, v_dot, deep, TILE_ADD, o_dot, l->ldo);
  }
}

void attention_forward(const struct attention *l, size_t B_dot, const struct attention_dot *dot) {
#pragma omp parallel for collapse(2)
  for (size_t b = 0; b < l->B; b++)
    for (size_t h = 0; h < l->A; h++) {
      const struct scratch s = my_scratch(l);
      const struct head at = head_at(l, b, h);
      head_forward(l, &s, at);
      if (b < B_dot) head_tangent(l, dot, &s, at);
    }
}

static void head_backward(const struct attention *l, const struct scratch *s, struct head at, const real *o_bar, real *q_bar,
                          real *k_bar, real *v_bar) {
  const size_t T = l->T, d = l->d, width = tile_width(T), deep = tile_width(d);
  const real scale = 1 / sqrt((real)d);
  real *vT = s->across[0], *k = s->along[0], *q = s->along[1], *o = s->along[2], *S_bar = s->S;
  tile_transpose(T, d, 1, l->v + at.v, l->ldv, vT, width);
  tile_copy(T, d, scale, l->k + at.k, l->ldk, k, deep);
  tile_copy(T, d, scale, l->q + at.q, l->ldq, q, deep);
  tile_copy(T, d, 1, o_bar + at.o, l->ldo, o, deep);
  for (size_t i = 0; i < T; i += ROWS) {
    const size_t rows = rows_from(i, T);
    const enum tile_sum sum = i ? TILE_ADD : TILE_SET;
    const real *P = l->P + at.P + i * width;
    tile_product(T, d, rows, P, 1, width, o + i * deep, deep, sum, v_bar + at.v, l->ldv);
    tile_product(rows, width, d, o + i * deep, deep, 1, vT, width, TILE_SET, S_bar, width);
    for (size_t r = 0; r < rows; r++) softmax_derivative(T, P + r * width, S_bar + r * width);
    tile_product(rows, d, T, S_bar, width, 1, k, deep, TILE_SET, q_bar + at.q + i * l->ldq, l->ldq);
    tile_product(T, d, rows, S_bar, 1, width, q + i * deep, deep, sum, k_bar + at.k, l->ldk);
  }
}

void attention_backward(const struct attention *l, const real *o_bar, real *q_bar, real *k_bar, real *v_bar) {
#pragma omp parallel for collapse(2)
  for (size_t b = 0; b < l->B; b++)
    for (size_t h = 0; h < l->A; h++) {
      const struct scratch s = my_scratch(l);
      head_backward(l, &s, head_at(l, b, h), o_bar, q_bar, k_bar, v_bar);
    }
}
