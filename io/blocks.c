#include "io/blocks.h"

#include <xxhash.h>

size_t blocks_count(size_t bytes) { return bytes / BLOCK_BYTES + (bytes % BLOCK_BYTES != 0); }

size_t blocks_length(size_t bytes, size_t b) {
  const size_t left = bytes - b * BLOCK_BYTES;
  return left < BLOCK_BYTES ? left : BLOCK_BYTES;
}

struct slab blocks_share(size_t n, int k, int R) {
  return (struct slab) { n * (size_t)k / (size_t)R, n * ((size_t)k + 1) / (size_t)R };
}

uint64_t blocks_sum(const void *block, size_t bytes) { return XXH64(block, bytes, 0); }
