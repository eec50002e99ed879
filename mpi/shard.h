/* shard.h - who owns what: of n things in order, rank k of R owns floor(k n/R) .. floor((k+1) n/R) - 1, possibly none.
 * Errors: none. Ranks: local; every rank computes the same. */
#ifndef MPI_SHARD_H
#define MPI_SHARD_H
#include <stddef.h>

/* The first thing of rank k; that of rank k + 1 ends it. */
size_t shard_first(size_t n, int k, int R);
size_t shard_count(size_t n, int k, int R);
/* The most things that a rank owns. */
size_t shard_most(size_t n, int R);
#endif
