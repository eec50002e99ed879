/* npz.h - arrays as numpy's .npz: a zip of one NAME.npy (format 1.0) for each, stored as they are, written as a stream.
 * Equal arrays give equal bytes (no time is stored); zip64 where a size asks for it.
 * Written beside path and renamed, so that path is never half a file; a write that fails leaves nothing, and what a killed
 * job left is removed by the next one.
 * Source: numpy.lib.format (the .npy header), PKWARE's APPNOTE 6.3 (the zip, by libzip).
 * Errors: STATUS_IO with the reason; those of `next`. Ranks: local, but for what `next` does. */
#ifndef IO_NPZ_H
#define IO_NPZ_H
#include <stddef.h>

struct npz_array {
  const char *name, *type;     /* arr_0; as numpy writes it: |u1, <i8, <f4, <f8 */
  size_t rank, shape[4];
  /* The next bytes of the array, *bytes > 0 of them, row by row; they stay until the next call. Called until all have come. */
  int (*next)(void *context, const void **data, size_t *bytes);
  void *context;
};
/* The arrays' bytes are asked for one after the other, in the order of the arrays. */
int npz_write(const char *path, size_t n, const struct npz_array *arrays);
#endif
