/* npz_read.h - arrays out of numpy's .npz, stored or deflated, read as a stream: C order, little endian, |u1, <f4, <f8, <i4 or
 * <i8. Nothing in the file is believed before it is checked against what is asked for.
 * Source: numpy.lib.format. Errors: STATUS_BAD with one line: not such a file, no such array, another type, damaged; STATUS_NOMEM.
 * Ranks: local. */
#ifndef IO_NPZ_READ_H
#define IO_NPZ_READ_H
#include <stdbool.h>
#include <stddef.h>

struct npz_reader {
  struct zip *zip;
  struct zip_file *entry;
  char path[1024], name[64];
  char type[4];                /* as u1, f8 */
  size_t rank, shape[8], item; /* item: bytes of an element */
  size_t done, size;           /* bytes of the array that were read; all */
};
/* Begins with array `name` (without .npy). Close in any case. */
int npz_reader_open(struct npz_reader *r, const char *path, const char *name);
/* The next n bytes. */
int npz_reader_next(struct npz_reader *r, size_t n, void *to);
void npz_reader_close(struct npz_reader *r);
/* Is there such an array? False also where the file cannot be opened. */
bool npz_has(const char *path, const char *name);
/* An array of exactly this many numbers, as doubles. */
int npz_doubles(const char *path, const char *name, size_t n, double *to);
/* Text that is stored as an array of |u1; cut to room - 1. */
int npz_text(const char *path, const char *name, char *text, size_t room);
#endif
