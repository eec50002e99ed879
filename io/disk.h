/* disk.h - bytes to and from a file, all of them, and the certainty that they are on the disk.
 * Errors: -1 with the cause in errno, which is 0 where a file ends too early. Ranks: local; from any thread. */
#ifndef IO_DISK_H
#define IO_DISK_H
#include <stddef.h>
#include <stdint.h>

/* n bytes at the offset. */
int disk_read(int fd, void *to, uint64_t n, uint64_t offset);
int disk_write(int fd, const void *from, uint64_t n, uint64_t offset);
/* A name beside `path` for a file in the making that no other process has, on any host: path.HASH-PID.tmp, with a hash of the
 * host. What dies while it writes leaves it. Errors: -1 where it is longer than room - 1. */
int disk_temporary(const char *path, char *name, size_t room);
/* Whether a file could be put there; nothing stays. Before work of hours whose result goes there. */
int disk_may_write(const char *path);
/* What was written to that file, or into that folder, is there after a power cut. */
int disk_sync(const char *path);
/* The same of the folder that the file lies in: its name lasts. */
int disk_sync_folder(const char *path);
#endif
