/* formula.h - the weights by formula of the reference networks (fixtures' README): number i of tensor NAME is built from
 *   u = 2^-23 (splitmix64(fnv1a64(NAME) + i) >> 40) - 1, in [-1, 1), all in float32. */
#ifndef TESTS_FORMULA_H
#define TESTS_FORMULA_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "src/base/table.h"

static inline uint64_t formula_hash(const char *name) {
  uint64_t h = 0xcbf29ce484222325;
  for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001b3;
  return h;
}
static inline uint64_t formula_mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}
static inline int formula_ends(const char *name, const char *end) {
  const size_t n = strlen(name), m = strlen(end);
  return n >= m && !strcmp(name + n - m, end);
}

/* The tensor as base + scale u, or |u|. */
static inline void formula_tensor(const struct tensor *t, real *w) {
  const uint64_t h = formula_hash(t->name);
  const int bias = formula_ends(t->name, "bias"), heads = !strncmp(t->name, "lin", 3);
  float base = 0, scale = 1.4f * sqrtf(3.f / (float)(t->size / t->shape[0]));
  if (formula_ends(t->name, "running_var")) base = 1, scale = 0.5f;
  else if (formula_ends(t->name, "running_mean")) scale = 0.1f;
  else if (heads) scale = 1;
  else if (strstr(t->name, "norm") || strstr(t->name, ".bn.")) base = !bias, scale = 0.1f;
  else if (strstr(t->name, "grn")) scale = 0.5f;
  else if (bias) scale = 0.05f;
  for (size_t i = 0; i < t->size; i++) {
    const float u = (float)(formula_mix(h + i) >> 40) * 0x1p-23f - 1;
    w[i] = heads ? fabsf(u) : base + scale * u;
  }
}
static inline void formula_weights(const struct table *t, real *weights) {
  memset(weights, 0, t->size * sizeof *weights);
  for (size_t i = 0; i < t->count; i++) formula_tensor(&t->tensors[i], weights + t->tensors[i].offset);
}
#endif
