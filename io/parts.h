/* parts.h - what each rank keeps on disk for all to read: pieces of equal length, in PATH.part-RANK. First every rank adds
 * its own, then all settle, then any rank reads any piece.
 * Memory: none but the struct. Errors: STATUS_IO with the reason. Ranks: local, all; between parts_settle and the first
 * parts_read, and between the last one and parts_free, the ranks must have met. */
#ifndef IO_PARTS_H
#define IO_PARTS_H
#include <stddef.h>
#include <stdint.h>

struct parts {
  char path[4096];
  size_t bytes, count;   /* of a piece; pieces of this rank */
  int rank, fd, open;    /* open: the rank whose file fd is, -1 for none */
};
int parts_init(struct parts *p, const char *path, int rank, size_t bytes);
int parts_add(struct parts *p, const uint8_t *piece);
/* Puts this rank's pieces where others see them. */
int parts_settle(struct parts *p);
/* Bytes [skip, skip + n) of piece `slot` of a rank. */
int parts_read(struct parts *p, int rank, size_t slot, size_t skip, size_t n, uint8_t *to);
/* Removes this rank's file; also after an error. */
void parts_free(struct parts *p);
#endif
