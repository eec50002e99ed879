#include "src/net/attention.h"

#include <omp.h>
#include <tgmath.h>

#include "src/base/matmul.h"
#include "src/base/vecmath.h"
#include "src/base/vector.h"

size_t attention_work(size_t T) { return (size_t)omp_get_max_threads() * T * T; }

static real *my_work(const struct attention *l) { return l->work + (size_t)omp_get_thread_num() * l->T * l->T; }

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

void attention_forward(const struct attention *l) {
  const size_t T = l->T, d = l->d;
  const real scale = 1 / sqrt((real)d);
#pragma omp parallel for collapse(2)
  for (size_t b = 0; b < l->B; b++)
    for (size_t h = 0; h < l->A; h++) {
      const real *q = l->q + b * T * l->ldq + h * d, *k = l->k + b * T * l->ldk + h * d;
      const real *v = l->v + b * T * l->ldv + h * d;
      real *P = l->P + (b * l->A + h) * T * T;
      matmul_nt(T, T, d, scale, q, l->ldq, k, l->ldk, 0, P, T);
      for (size_t i = 0; i < T; i++) softmax(T, P + i * T);
      matmul_nn(T, d, T, 1, P, T, v, l->ldv, 0, l->o + b * T * l->ldo + h * d, l->ldo);
    }
}

void attention_tangent(const struct attention *l, size_t B_dot, const real *q_dot, const real *k_dot, const real *v_dot,
                       real *o_dot) {
  const size_t T = l->T, d = l->d;
  const real scale = 1 / sqrt((real)d);
#pragma omp parallel for collapse(2)
  for (size_t b = 0; b < B_dot; b++)
    for (size_t h = 0; h < l->A; h++) {
      const size_t iq = b * T * l->ldq + h * d, ik = b * T * l->ldk + h * d, iv = b * T * l->ldv + h * d;
      const real *P = l->P + (b * l->A + h) * T * T;
      real *P_dot = my_work(l), *o = o_dot + b * T * l->ldo + h * d;
      matmul_nt(T, T, d, scale, q_dot + iq, l->ldq, l->k + ik, l->ldk, 0, P_dot, T);
      matmul_nt(T, T, d, scale, l->q + iq, l->ldq, k_dot + ik, l->ldk, 1, P_dot, T);
      for (size_t i = 0; i < T; i++) softmax_derivative(T, P + i * T, P_dot + i * T);
      matmul_nn(T, d, T, 1, P_dot, T, l->v + iv, l->ldv, 0, o, l->ldo);
      matmul_nn(T, d, T, 1, P, T, v_dot + iv, l->ldv, 1, o, l->ldo);
    }
}

void attention_backward(const struct attention *l, const real *o_bar, real *q_bar, real *k_bar, real *v_bar) {
  const size_t T = l->T, d = l->d;
  const real scale = 1 / sqrt((real)d);
#pragma omp parallel for collapse(2)
  for (size_t b = 0; b < l->B; b++)
    for (size_t h = 0; h < l->A; h++) {
      const size_t iq = b * T * l->ldq + h * d, ik = b * T * l->ldk + h * d, iv = b * T * l->ldv + h * d;
      const real *P = l->P + (b * l->A + h) * T * T, *o = o_bar + b * T * l->ldo + h * d;
      real *S_bar = my_work(l);
      matmul_tn(T, d, T, 1, P, T, o, l->ldo, 0, v_bar + iv, l->ldv);
      matmul_nt(T, T, d, 1, o, l->ldo, l->v + iv, l->ldv, 0, S_bar, T);
      for (size_t i = 0; i < T; i++) softmax_derivative(T, P + i * T, S_bar + i * T);
      matmul_nn(T, d, T, scale, S_bar, T, l->k + ik, l->ldk, 0, q_bar + iq, l->ldq);
      matmul_tn(T, d, T, scale, S_bar, T, l->q + iq, l->ldq, 0, k_bar + ik, l->ldk);
    }
}
