/* whole.h - an HDF5 file that is written at once: put together in memory, written under a name of this process alone, fsync,
 * rename: path is never half a file, and of processes that write it at once the last one wins. HDF5 does not survive a disk that
 * fails under it, so it sees none. Ranks: local. */
#ifndef IO_WHOLE_H
#define IO_WHOLE_H
#include <hdf5.h>

/* put writes all that is to be in the file; nonzero: failed. Errors: STATUS_IO, and then a file at path is as it was;
 * STATUS_NOMEM; STATUS_BAD: the name is too long. */
int whole_write(const char *path, int (*put)(hid_t file, const void *context), const void *context);
#endif
