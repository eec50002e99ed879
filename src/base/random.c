#include "src/base/random.h"

#include <Random123/philox.h>
#include <assert.h>
#include <math.h>

static philox4x32_ctr_t block(struct purpose p, uint32_t i) {
  const philox4x32_key_t key = { { (uint32_t)p.seed, (uint32_t)(p.seed >> 32) } };
  const philox4x32_ctr_t counter = { { i, p.sample, (uint32_t)p.step,
                                       (uint32_t)p.stream << 24 | (uint32_t)(p.step >> 32) } };
  return philox4x32(counter, key);
}

/* 23 bits, so that the middle of each interval is a float below 1. */
static float unit(uint32_t bits) { return (float)(bits >> 9) * 0x1p-23f + 0x1p-24f; }

void random_bits(struct purpose p, size_t n, uint32_t *bits) {
  assert(p.step < (uint64_t)1 << 56);
  for (size_t i = 0; i < n; i += 4) {
    const philox4x32_ctr_t r = block(p, (uint32_t)(i / 4));
    for (size_t j = 0; j < 4 && i + j < n; j++) bits[i + j] = r.v[j];
  }
}

void random_uniform(struct purpose p, size_t n, real *u) {
  for (size_t i = 0; i < n; i += 4) {
    const philox4x32_ctr_t r = block(p, (uint32_t)(i / 4));
    for (size_t j = 0; j < 4 && i + j < n; j++) u[i + j] = unit(r.v[j]);
  }
}

void random_normal(struct purpose p, size_t n, real *g) {
  for (size_t i = 0; i < n; i += 4) {
    const philox4x32_ctr_t r = block(p, (uint32_t)(i / 4));
    real four[4];
    for (int j = 0; j < 4; j += 2) {
      const float radius = sqrtf(-2 * logf(unit(r.v[j]))), angle = 0x1.921fb6p+2f * unit(r.v[j + 1]);
      four[j] = radius * cosf(angle);
      four[j + 1] = radius * sinf(angle);
    }
    for (size_t j = 0; j < 4 && i + j < n; j++) g[i + j] = four[j];
  }
}

/* One pass of four rounds over 2 halves of `half` bits each. */
static uint64_t feistel(uint64_t seed, uint64_t which, int half, uint64_t x) {
  const uint64_t mask = ((uint64_t)1 << half) - 1;
  uint64_t left = x >> half, right = x & mask;
  for (uint32_t round = 0; round < 4; round++) {
    const struct purpose p = { seed, STREAM_ORDER, which, (uint32_t)right };
    const uint64_t next = left ^ (block(p, round).v[0] & mask);
    left = right;
    right = next;
  }
  return left << half | right;
}

uint64_t random_permute(uint64_t seed, uint64_t which, uint64_t n, uint64_t i) {
  assert(i < n);
  int half = 1;
  while (((uint64_t)1 << 2 * half) < n) half++;
  do i = feistel(seed, which, half, i);
  while (i >= n);
  return i;
}
