/* delivery.h - the images of all ranks on rank 0, chunk by chunk in their order, for a file that one rank writes: chunk i is
 * made by rank i mod R, so that all are at work, and no more than a chunk is kept.
 * Rank 0 takes with delivery_next and ends with delivery_end; the others call delivery_end at once and make chunks until rank 0
 * has had enough.
 * Memory: a chunk of bytes, delivery_open to delivery_close; harmless on a zeroed one. */
#ifndef JOBS_DELIVERY_H
#define JOBS_DELIVERY_H
#include "jobs/generate.h"
#include "mpi/world.h"

struct delivery {
  const struct world *w;
  const struct generate *g;
  const real *weights;
  size_t n, next;        /* images; the chunk that comes next */
  uint8_t *u8;           /* [GENERATE_CHUNK,H,W,C] */
};
/* n images from the first on. Local. Errors: STATUS_NOMEM. */
int delivery_open(struct delivery *s, const struct world *w, const struct generate *g, const real *weights, size_t n);
/* Rank 0, at most until all have come, while the others are in delivery_end: the next *count images, until the next call. */
void delivery_next(struct delivery *s, const uint8_t **u8, size_t *count);
/* COLLECTIVE. Rank 0's status comes back on every rank. */
int delivery_end(struct delivery *s, int status);
void delivery_close(struct delivery *s);
/* Chunks of n images. */
size_t delivery_chunks(size_t n);
#endif
