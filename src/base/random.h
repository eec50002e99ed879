/* random.h - random numbers as a function of what they are for: (seed, stream, step, sample, element).
 * Philox4x32-10 (Random123; Salmon et al. 2011): the key is the seed, the counter the rest, so that any number of
 * ranks, in any order, draws the same. Normals by Box-Muller. Ranks: local. Errors: none. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H
#include <stddef.h>
#include <stdint.h>

#include "src/base/real.h"

enum stream {
  STREAM_INIT, STREAM_ORDER, STREAM_FLIP, STREAM_TIMES, STREAM_GUIDANCE, STREAM_DROP, STREAM_NOISE,
  STREAM_SAMPLE, STREAM_SHAPES, STREAM_SCORE, STREAM_TEST, STREAM_CROP, STREAM_TOY
};
struct purpose {
  uint64_t seed;
  enum stream stream;
  uint64_t step;      /* < 2^56 */
  uint32_t sample;
};
/* u[n] in (0,1), odd multiples of 2^-24: exact in float. */
void random_uniform(struct purpose p, size_t n, real *u);
/* g[n] ~ N(0,1). */
void random_normal(struct purpose p, size_t n, real *g);
/* 32 random bits for each of n. */
void random_bits(struct purpose p, size_t n, uint32_t *bits);
/* The place of i in permutation `which` of 0..n-1 (a Feistel network over the next power of four, walked until it
 * falls inside): no memory. n >= 1. */
uint64_t random_permute(uint64_t seed, uint64_t which, uint64_t n, uint64_t i);
#endif
