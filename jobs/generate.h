/* generate.h - images from noise with a trained net: shared by sample, score and the evaluation during training.
 * Image i depends on (seed, i) and its label alone, and the net runs on padded chunks of a fixed size, so that any number of
 * ranks makes the same bytes (threads equal).
 * Memory: one arena, freed by generate_free; harmless on a zeroed one. */
#ifndef JOBS_GENERATE_H
#define JOBS_GENERATE_H
#include <stdint.h>

#include "src/flow/sampler.h"

enum { GENERATE_CHUNK = 16 };

struct generate {
  const struct net *net;
  struct sampler sampler;    /* may change between calls */
  uint64_t seed;
  const int32_t *labels;     /* [n_labels] classes to go round: image i has labels[i mod n_labels]; NULL: 0 .. n_labels-1 */
  size_t n_labels;           /* 0: no classes */
  struct arena arena;
  real *z;
  struct sampler_work work;
};
/* The fields above `arena` are set by the caller. Local. Errors: STATUS_NOMEM. */
int generate_init(struct generate *g);
/* What its arena takes, in numbers of `real`. Local. */
size_t generate_count(const struct net *n);
void generate_free(struct generate *g);
/* Images first .. first + count - 1 as bytes u8[count,H,W,C]; first is a multiple of GENERATE_CHUNK. Local. */
void generate_images(const struct generate *g, const real *weights, size_t first, size_t count, uint8_t *u8);
/* -1: none. */
int32_t generate_label(const struct generate *g, size_t i);
/* Which of n images rank k of R makes: whole chunks. Local. */
void generate_share(size_t n, int k, int R, size_t *first, size_t *count);
#endif
