#include "io/npz.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zip.h>

#include "src/base/status.h"

enum { HEADER_MAX = 256, PATH_SIZE = 4096 };

/* An array as libzip reads it: the header, then the pieces of its bytes. */
struct entry {
  const struct npz_array *array;
  char header[HEADER_MAX];
  size_t header_bytes, array_bytes, came;   /* came: of the array */
  const char *piece;
  size_t left;                              /* of the piece */
  int status;
};

/* "\x93NUMPY", version 1.0, the length of what follows, a Python dictionary, spaces up to a multiple of 64, a line's end. */
static void make_header(struct entry *e) {
  const struct npz_array *a = e->array;
  char shape[128] = "";
  e->array_bytes = (size_t)(a->type[2] - '0');
  for (size_t i = 0; i < a->rank; i++) {
    const size_t at = strlen(shape);
    snprintf(shape + at, sizeof shape - at, i + 1 < a->rank ? "%zu, " : a->rank == 1 ? "%zu," : "%zu", a->shape[i]);
    e->array_bytes *= a->shape[i];
  }
  memset(e->header, ' ', sizeof e->header);
  const int text = snprintf(e->header + 10, sizeof e->header - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                            a->type, shape);
  e->header[10 + text] = ' ';
  e->header_bytes = ((size_t)text + 10 + 64) / 64 * 64;
  assert(text > 0 && e->header_bytes <= sizeof e->header);
  e->header[e->header_bytes - 1] = '\n';
  memcpy(e->header, "\x93NUMPY\x01", 8);   /* and the 0 that ends it */
  e->header[8] = (char)((e->header_bytes - 10) & 255);
  e->header[9] = (char)((e->header_bytes - 10) >> 8);
}

/* The next piece where the last one is used up: 1, or 0 at the end, -1 after an error. */
static int more(struct entry *e) {
  if (e->left) return 1;
  if (e->came == e->array_bytes) return 0;
  const void *data;
  e->status = e->array->next(e->array->context, &data, &e->left);
  if (e->status) return -1;
  assert(e->left > 0 && e->left <= e->array_bytes - e->came);
  e->piece = data;
  e->came += e->left;
  return 1;
}

static zip_int64_t read_entry(struct entry *e, char *to, size_t room) {
  size_t done = 0;
  while (done < room) {
    const int any = more(e);
    if (any < 0) return -1;
    if (any == 0) break;
    const size_t n = e->left < room - done ? e->left : room - done;
    memcpy(to + done, e->piece, n);
    e->piece += n, e->left -= n, done += n;
  }
  return (zip_int64_t)done;
}

/* libzip's side of an entry. */
static zip_int64_t serve(void *context, void *data, zip_uint64_t length, zip_source_cmd_t command) {
  struct entry *e = context;
  switch (command) {
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                            ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, -1);
    case ZIP_SOURCE_OPEN:
      assert(!e->came);   /* a stream: it is read once */
      e->piece = e->header;
      e->left = e->header_bytes;
      return 0;
    case ZIP_SOURCE_READ: return read_entry(e, data, length);
    case ZIP_SOURCE_CLOSE: case ZIP_SOURCE_FREE: return 0;
    case ZIP_SOURCE_STAT: {
      zip_stat_t *stat = data;
      zip_stat_init(stat);
      stat->size = e->header_bytes + e->array_bytes;
      stat->valid = ZIP_STAT_SIZE;
      return sizeof *stat;
    }
    case ZIP_SOURCE_ERROR: {
      const int error[2] = { ZIP_ER_READ, 0 };
      memcpy(data, error, sizeof error);
      return sizeof error;
    }
    default: return -1;
  }
}

static int add(zip_t *zip, struct entry *e) {
  char name[64];
  struct tm first_day = { .tm_year = 80, .tm_mday = 1, .tm_isdst = -1 };   /* the earliest that a zip can say; local time */
  snprintf(name, sizeof name, "%s.npy", e->array->name);
  zip_source_t *source = zip_source_function(zip, serve, e);
  const zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
  if (index < 0) {
    zip_source_free(source);
    return 1;
  }
  return zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) ||
         zip_file_set_mtime(zip, (zip_uint64_t)index, mktime(&first_day), 0);
}

static int cannot(const char *path, zip_t *zip) {
  zip_error_t *error = zip_get_error(zip);
  const int system = zip_error_code_system(error);
  const int status = because(STATUS_IO, "%s: cannot be written: %s", path,
                             system ? strerror(system) : zip_error_strerror(error));
  zip_discard(zip);
  return status;
}

/* The zip as path, by libzip's own temporary file path.XXXXXX. */
static int write_zip(const char *path, size_t n, struct entry *entries) {
  int code;
  zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (!zip) return because(STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
  for (size_t i = 0; i < n; i++)
    if (add(zip, &entries[i])) return cannot(path, zip);
  if (!zip_close(zip)) return STATUS_OK;
  for (size_t i = 0; i < n; i++)
    if (entries[i].status) {
      zip_discard(zip);
      return entries[i].status;
    }
  return cannot(path, zip);
}

/* Removes path.XXXXXX of earlier jobs. */
static void sweep(const char *path) {
  char folder[PATH_SIZE], name[2 * PATH_SIZE];
  snprintf(folder, sizeof folder, "%s", path);
  char *slash = strrchr(folder, '/');
  const char *base = slash ? path + (slash - folder) + 1 : path;
  if (slash) slash[1] = 0;
  DIR *d = opendir(slash ? folder : ".");
  if (!d) return;
  for (const struct dirent *f; (f = readdir(d));) {
    const size_t n = strlen(base);
    if (strncmp(f->d_name, base, n) || f->d_name[n] != '.' || strlen(f->d_name) != n + 7) continue;
    snprintf(name, sizeof name, "%s%s", slash ? folder : "", f->d_name);
    unlink(name);
  }
  closedir(d);
}

static int commit(const char *temporary, const char *path) {
  const int fd = open(temporary, O_RDONLY);
  const int bad = fd < 0 || fsync(fd) || rename(temporary, path), why = errno;
  if (fd >= 0) close(fd);
  if (!bad) return STATUS_OK;
  unlink(temporary);
  return because(STATUS_IO, "%s: cannot be written: %s", path, strerror(why));
}

int npz_write(const char *path, size_t n, const struct npz_array *arrays) {
  char temporary[PATH_SIZE];
  if ((size_t)snprintf(temporary, sizeof temporary, "%s.tmp", path) >= sizeof temporary)
    return because(STATUS_IO, "%.200s...: the name is too long", path);
  struct entry *entries = calloc(n, sizeof *entries);
  if (!entries) return because(STATUS_NOMEM, "no memory for %zu arrays", n);
  for (size_t i = 0; i < n; i++) {
    entries[i].array = &arrays[i];
    make_header(&entries[i]);
  }
  sweep(temporary);
  int status = write_zip(temporary, n, entries);
  if (!status) status = commit(temporary, path);
  free(entries);
  return status;
}
