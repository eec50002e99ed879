#include "io/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/disk.h"
#include "src/base/status.h"

enum { NAME = 4096 + 32 };

static void part_name(const struct parts *p, int rank, char name[NAME]) {
  snprintf(name, NAME, "%s.part-%d", p->path, rank);
}

static int failed(const struct parts *p, int rank, const char *what) {
  return because(STATUS_IO, "%s.part-%d: cannot be %s: %s", p->path, rank, what, errno ? strerror(errno) : "it ends too early");
}

/* Closes the open file. */
static int leave(struct parts *p) {
  const int code = p->open >= 0 ? close(p->fd) : 0;
  p->open = -1;
  return code;
}

int parts_init(struct parts *p, const char *path, int rank, size_t bytes) {
  char name[NAME];
  *p = (struct parts) { .rank = rank, .bytes = bytes, .open = -1 };
  if ((size_t)snprintf(p->path, sizeof p->path, "%s", path) >= sizeof p->path) {
    p->path[0] = 0;
    return because(STATUS_BAD, "%.200s...: the name is too long", path);
  }
  part_name(p, rank, name);
  p->fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (p->fd < 0) return failed(p, rank, "made");
  p->open = rank;
  return STATUS_OK;
}

int parts_add(struct parts *p, const uint8_t *piece) {
  if (disk_write(p->fd, piece, p->bytes, p->count * p->bytes)) return failed(p, p->rank, "written");
  p->count++;
  return STATUS_OK;
}

int parts_settle(struct parts *p) {
  errno = 0;
  const int unsafe = fsync(p->fd);
  return leave(p) || unsafe ? failed(p, p->rank, "written") : STATUS_OK;
}

int parts_read(struct parts *p, int rank, size_t slot, size_t skip, size_t n, uint8_t *to) {
  if (p->open != rank) {   /* neighbours in the list are mostly neighbours here */
    char name[NAME];
    leave(p);
    part_name(p, rank, name);
    p->fd = open(name, O_RDONLY | O_CLOEXEC);
    if (p->fd < 0) return failed(p, rank, "read");
    p->open = rank;
  }
  return disk_read(p->fd, to, n, slot * p->bytes + skip) ? failed(p, rank, "read") : STATUS_OK;
}

void parts_free(struct parts *p) {
  char name[NAME];
  leave(p);
  part_name(p, p->rank, name);
  if (*p->path) unlink(name);
}
