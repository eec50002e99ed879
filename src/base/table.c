#include "src/base/table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/arena.h"
#include "src/base/random.h"

size_t table_add(struct table *t, const char *name, int rank, const size_t *shape, enum rule rule,
                 enum init init, double scale, int packed) {
  assert(rank >= 1 && rank <= 4);
  if (t->count == t->capacity) {
    t->capacity = t->capacity ? 2 * t->capacity : 64;
    t->tensors = realloc(t->tensors, t->capacity * sizeof *t->tensors);
    if (!t->tensors) abort();
  }
  const size_t offset = packed ? t->size : (t->size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
  struct tensor *n = &t->tensors[t->count++];
  *n = (struct tensor){ .rank = rank, .offset = offset, .size = 1, .second = SIZE_MAX,
                        .rule = rule, .init = init, .scale = scale };
  assert(strlen(name) < sizeof n->name);
  snprintf(n->name, sizeof n->name, "%s", name);
  for (int i = 0; i < rank; i++) n->size *= n->shape[i] = shape[i];
  t->size = offset + n->size;
  return offset;
}

void table_place_second(struct table *t, int all) {
  t->second_size = 0;
  for (size_t i = 0; i < t->count; i++) {
    struct tensor *n = &t->tensors[i];
    if (!all && n->rule == RULE_MUON) continue;
    n->second = t->second_size;
    t->second_size += (n->size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
  }
}

const struct tensor *table_find(const struct table *t, const char *name) {
  for (size_t i = 0; i < t->count; i++)
    if (!strcmp(t->tensors[i].name, name)) return &t->tensors[i];
  return NULL;
}

void table_init_weights(const struct table *t, uint64_t seed, real *weights) {
  memset(weights, 0, t->size * sizeof *weights);
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    const struct purpose p = { seed, STREAM_INIT, 0, (uint32_t)i };
    real *w = weights + n->offset;
    switch (n->init) {
      case INIT_ZERO: break;
      case INIT_ONE: for (size_t j = 0; j < n->size; j++) w[j] = 1; break;
      case INIT_NORMAL:
        random_normal(p, n->size, w);
        for (size_t j = 0; j < n->size; j++) w[j] *= (real)n->scale;
        break;
      case INIT_UNIFORM:
        random_uniform(p, n->size, w);
        for (size_t j = 0; j < n->size; j++) w[j] = (real)n->scale * (2 * w[j] - 1);
        break;
    }
  }
}

size_t table_parameters(const struct table *t) {
  size_t sum = 0;
  for (size_t i = 0; i < t->count; i++) sum += t->tensors[i].size;
  return sum;
}

struct table table_copy(const struct table *t) {
  struct table copy = *t;
  copy.capacity = t->count;
  copy.tensors = malloc((t->count ? t->count : 1) * sizeof *copy.tensors);
  if (!copy.tensors) abort();
  if (t->count) memcpy(copy.tensors, t->tensors, t->count * sizeof *copy.tensors);
  return copy;
}

void table_free(struct table *t) {
  free(t->tensors);
  *t = (struct table){ 0 };
}
