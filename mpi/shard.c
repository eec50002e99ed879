#include "mpi/shard.h"

size_t shard_first(size_t n, int k, int R) {
  const size_t rank = (size_t)k, ranks = (size_t)R;
  return n / ranks * rank + n % ranks * rank / ranks;   /* floor(k n/R) without the product's overflow */
}

size_t shard_count(size_t n, int k, int R) { return shard_first(n, k + 1, R) - shard_first(n, k, R); }

size_t shard_most(size_t n, int R) { return (n + (size_t)R - 1) / (size_t)R; }
