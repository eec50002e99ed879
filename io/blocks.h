/* blocks.h - an array as blocks of one MiB: the unit of a checksum and of a rank's share.
 * So any number of ranks can check what any other number wrote (EXPECTATIONS C10, H13).
 * Units: bytes and blocks. Ranks: local. Errors: none. */
#ifndef IO_BLOCKS_H
#define IO_BLOCKS_H
#include <stddef.h>
#include <stdint.h>

enum { BLOCK_BYTES = 1 << 20 };

/* Blocks [first, end). */
struct slab { size_t first, end; };

/* The last block may be short. */
size_t blocks_count(size_t bytes);
/* Length of block b of an array of so many bytes. */
size_t blocks_length(size_t bytes, size_t b);
/* What rank k of R carries of n blocks: floor(k n / R) .. floor((k+1) n / R) - 1, possibly none. */
struct slab blocks_share(size_t n, int k, int R);
/* XXH64 of one block, seed 0. */
uint64_t blocks_sum(const void *block, size_t bytes);
#endif
