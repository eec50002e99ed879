#include "jobs/generate.h"

#include <assert.h>

#include "mpi/shard.h"
#include "src/base/random.h"

enum { CHUNK = GENERATE_CHUNK };

static void lay_out(struct generate *g) {
  g->z = arena_take(&g->arena, CHUNK * g->net->pixels);
  sampler_layout(&g->arena, g->net, CHUNK, &g->work);
}

int generate_init(struct generate *g) {
  g->arena = (struct arena){ 0 };
  lay_out(g);
  const int status = arena_init(&g->arena);
  if (!status) lay_out(g);
  return status;
}

size_t generate_count(const struct net *n) {
  struct generate counted = { .net = n };
  lay_out(&counted);
  return counted.arena.used;
}

void generate_free(struct generate *g) { arena_free(&g->arena); }

int32_t generate_label(const struct generate *g, size_t i) {
  if (!g->n_labels) return -1;
  return g->labels ? g->labels[i % g->n_labels] : (int32_t)(i % g->n_labels);
}

static uint8_t byte_of(real x) {
  const real v = (real)127.5 * x + 128;
  return v >= 255 ? 255 : v > 0 ? (uint8_t)v : 0;
}

void generate_images(const struct generate *g, const real *weights, size_t first, size_t count, uint8_t *u8) {
  const size_t P = g->net->pixels;
  assert(first % CHUNK == 0);
  struct sampler_work work = g->work;
  for (size_t at = 0; at < count; at += CHUNK, u8 += CHUNK * P) {
    int32_t y[CHUNK];
    for (size_t i = 0; i < CHUNK; i++) {
      const size_t index = first + at + i;
      y[i] = g->n_labels ? generate_label(g, index) : (int32_t)g->net->config.classes;
      random_normal((struct purpose){ g->seed, STREAM_SAMPLE, 0, (uint32_t)index }, P, g->z + i * P);
    }
    sampler_images(&g->sampler, g->net, weights, &work, CHUNK, y, g->z);
    const size_t m = count - at < CHUNK ? count - at : CHUNK;   /* the last chunk of all is padded */
    for (size_t i = 0; i < m * P; i++) u8[i] = byte_of(g->z[i]);
  }
}

void generate_share(size_t n, int k, int R, size_t *first, size_t *count) {
  const size_t chunks = (n + CHUNK - 1) / CHUNK, end = shard_first(chunks, k + 1, R) * CHUNK;
  *first = shard_first(chunks, k, R) * CHUNK;
  *count = (end < n ? end : n) - *first;
}
