#define _GNU_SOURCE   /* fallocate */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/checkpoint_head.h"
#include "io/checkpoint_saving.h"
#include "io/hdf.h"
#include "src/base/status.h"

/* The tensor that element i of the array belongs to; NULL if none. */
static const struct tensor *tensor_at(const struct table *t, const struct flat *f, size_t i) {
  const bool second = f->size == t->second_size && f->size != t->size;
  if (!second && f->size != t->size) return NULL;
  for (size_t k = 0; k < t->count; k++) {
    const struct tensor *x = &t->tensors[k];
    const size_t offset = second ? x->second : x->offset;
    if (offset != SIZE_MAX && i >= offset && i - offset < x->size) return x;
  }
  return NULL;
}

int saving_check_values(const struct saving *s, const struct flat *f, size_t first, size_t count, const float *values) {
  const uint32_t exponent = 0x7f800000;   /* all its bits: infinite, or not a number. A loop without a way out is a fast one */
  uint32_t bits, found = 0;
  for (size_t k = 0; k < count; k++) {
    memcpy(&bits, values + k, sizeof bits);
    found |= (bits & exponent) == exponent;
  }
  if (!found) return STATUS_OK;
  size_t k = 0;
  while (isfinite(values[k])) k++;
  const struct tensor *x = tensor_at(&s->info.table, f, first + k);
  return because(STATUS_DIVERGED, "%s: not saved: array %s is %f at element %zu%s%s", s->path, f->name, (double)values[k],
                 first + k, x ? ", in tensor " : "", x ? x->name : "");
}

/* Where every rank holds all of it, each looks at its share. */
static int check_finite(const struct saving *s, size_t i) {
  const size_t per = BLOCK_BYTES / sizeof(float);
  const struct flat *f = &s->info.flats[i];
  const struct slab share = blocks_share(blocks_count(saving_bytes(f)), s->rank, s->ranks);
  const int all = saving_is_whole(s, i);
  const size_t first = all ? share.first * per : f->first, end = all ? share.end * per : f->first + f->count;
  const size_t last = end < f->size ? end : f->size;
  return first < last ? saving_check_values(s, f, first, last - first, f->data + (first - f->first)) : STATUS_OK;
}

int saving_check_finite(const struct saving *s) {
  int status = STATUS_OK;
  for (size_t i = 0; i < s->info.n_flats && !status; i++) status = check_finite(s, i);
  return status;
}

/* Makes sure that FILE.tmp can hold so many bytes, and reserves them where the file system can. A disk that fills up later
 * is worse: it takes the time of a save that comes to nothing. */
static int reserve(const struct saving *s, off_t bytes) {
  const int fd = open(s->tmp, O_WRONLY | O_CREAT, 0644);
  if (fd < 0) return because(STATUS_IO, "%s: cannot be created: %s", s->tmp, strerror(errno));
  const int why = bytes ? posix_fallocate(fd, 0, bytes) : 0;
  close(fd);
  return why ? because(STATUS_IO, "%s: no room for %lld bytes: %s", s->tmp, (long long)bytes, strerror(why)) : STATUS_OK;
}

/* No less than the file will need: each array may be moved to the next MiB. Without arrays where a thread takes their room. */
static off_t size_estimate(const struct saving *s) {
  size_t bytes = 4 * BLOCK_BYTES + s->info.table.count * 512 + strlen(s->info.settings);
  for (size_t i = 0; i < s->info.n_flats && !s->later; i++) bytes += saving_bytes(&s->info.flats[i]) + BLOCK_BYTES;
  return (off_t)bytes;
}

/* By the system call: posix_fallocate writes zeros where the file system cannot take room, and threads write there now. */
int saving_take_room(const struct saving *s) {
  struct stat made = { 0 };
  const int fd = open(s->tmp, O_WRONLY | O_CLOEXEC);
  int why = fd < 0 || fstat(fd, &made) ? errno : 0;
  if (!why && fallocate(fd, 0, 0, made.st_size)) why = errno;
  if (fd >= 0) close(fd);
  if (!why || why == EOPNOTSUPP || why == ENOSYS) return STATUS_OK;
  return because(STATUS_IO, "%s: no room for it: %s", s->tmp, strerror(why));
}

int saving_create(const struct saving *s) {
  struct stat made;
  unlink(s->tmp);
  const int status = reserve(s, size_estimate(s));
  if (status) return status;
  const hid_t how = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_alignment(how, BLOCK_BYTES, BLOCK_BYTES);               /* stripes of a parallel file system (H9) */
  H5Pset_libver_bounds(how, H5F_LIBVER_V18, H5F_LIBVER_V18);     /* the oldest format whose metadata have checksums */
  const hid_t file = H5Fcreate(s->tmp, H5F_ACC_TRUNC, H5P_DEFAULT, how);
  int bad = file < 0 ? hdf_fail() : 0;
  H5Pclose(how);
  if (!bad) bad = checkpoint_head_write(file, &s->info, s->ranks);
  if (file >= 0 && hdf_close(file)) bad = -1;
  if (bad) return hdf_because(s->tmp, "cannot be written");
  if (stat(s->tmp, &made)) return because(STATUS_IO, "%s: %s", s->tmp, strerror(errno));
  return s->later ? STATUS_OK : reserve(s, made.st_size);
}

int saving_check_access(const struct saving *s) {
  struct stat found;
  struct rlimit limit;
  const int fd = open(s->tmp, O_WRONLY);
  if (fd < 0 || fstat(fd, &found)) {
    const int why = errno;
    if (fd >= 0) close(fd);
    return because(STATUS_IO, "%s: rank %d cannot open what rank 0 has made (is the directory shared by all nodes?): %s",
                   s->tmp, s->rank, strerror(why));
  }
  close(fd);
  if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY && (rlim_t)found.st_size > limit.rlim_cur)
    return because(STATUS_IO, "%s: cannot be written by rank %d: its file size limit is %llu bytes, the file needs %llu",
                   s->tmp, s->rank, (unsigned long long)limit.rlim_cur, (unsigned long long)found.st_size);
  return STATUS_OK;
}
