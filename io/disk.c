#include "io/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { PIECE = 1 << 30, PATH_SIZE = 4096 };

int disk_read(int fd, void *to, uint64_t n, uint64_t offset) {
  for (char *at = to; n > 0;) {
    errno = 0;
    const ssize_t got = pread(fd, at, n < PIECE ? (size_t)n : PIECE, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    at += got, n -= (uint64_t)got, offset += (uint64_t)got;
  }
  return 0;
}

int disk_write(int fd, const void *from, uint64_t n, uint64_t offset) {
  for (const char *at = from; n > 0;) {
    errno = 0;
    const ssize_t done = pwrite(fd, at, n < PIECE ? (size_t)n : PIECE, (off_t)offset);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return -1;
    at += done, n -= (uint64_t)done, offset += (uint64_t)done;
  }
  return 0;
}

int disk_temporary(const char *path, char *name, size_t room) {
  char host[65] = "";
  gethostname(host, sizeof host - 1);
  return (size_t)snprintf(name, room, "%s.%08x-%ld.tmp", path, XXH32(host, strlen(host), 0), (long)getpid()) < room ? 0 : -1;
}

int disk_may_write(const char *path) {
  char name[PATH_SIZE];
  if (disk_temporary(path, name, sizeof name)) return errno = ENAMETOOLONG, -1;
  const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  return fd < 0 || close(fd) | unlink(name) ? -1 : 0;
}

int disk_sync(const char *path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  const int bad = fsync(fd) && errno != EINVAL, cause = errno;   /* some file systems do not know it for folders */
  close(fd);
  errno = cause;
  return bad ? -1 : 0;
}

int disk_sync_folder(const char *path) {
  char copy[PATH_SIZE];
  snprintf(copy, sizeof copy, "%s", path);
  return disk_sync(dirname(copy));
}
