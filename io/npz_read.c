#include "io/npz_read.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "src/base/status.h"

static int damaged(const struct npz_reader *r) {
  return because(STATUS_BAD, "%s: array %s is damaged, or no array of numpy", r->path, r->name);
}

/* The value behind 'key': in the header's dictionary; NULL if there is none. */
static const char *value_of(const char *header, const char *key) {
  char quoted[32];
  snprintf(quoted, sizeof quoted, "'%s':", key);
  const char *at = strstr(header, quoted);
  if (!at) return NULL;
  at += strlen(quoted);
  return at + strspn(at, " ");
}

static int read_shape(struct npz_reader *r, const char *text) {
  if (!text || *text++ != '(') return damaged(r);
  r->size = r->item;
  while (*text != ')') {
    char *end;
    const unsigned long long n = strtoull(text, &end, 10);
    if (end == text || r->rank == 8 || __builtin_mul_overflow(r->size, (size_t)n, &r->size)) return damaged(r);
    r->shape[r->rank++] = (size_t)n;
    text = end + strspn(end, ", ");
  }
  return STATUS_OK;
}

static int read_header(struct npz_reader *r) {
  enum { MOST = 1 << 16 };
  unsigned char start[12];
  char header[MOST + 1];
  if (zip_fread(r->entry, start, 10) != 10 || memcmp(start, "\x93NUMPY", 6)) return damaged(r);
  const int two = start[6] >= 2;
  if (two && zip_fread(r->entry, start + 10, 2) != 2) return damaged(r);
  size_t n = start[8] | (size_t)start[9] << 8;
  if (two) n |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
  if (n > MOST || zip_fread(r->entry, header, n) != (zip_int64_t)n) return damaged(r);
  header[n] = 0;
  const char *type = value_of(header, "descr"), *order = value_of(header, "fortran_order");
  static const char *const known[] = { "'|u1'", "'<f4'", "'<f8'", "'<i4'", "'<i8'" };
  if (!type || !order) return damaged(r);
  for (int i = 0; i < 5; i++)
    if (!strncmp(type, known[i], 5)) snprintf(r->type, sizeof r->type, "%.2s", type + 2);
  if (!*r->type || strncmp(order, "False", 5))
    return because(STATUS_BAD, "%s: array %s is %.8s%s, expected |u1, <f4, <f8, <i4 or <i8 in C order", r->path, r->name, type,
                   strncmp(order, "False", 5) ? " in Fortran order" : "");
  r->item = (size_t)(r->type[1] - '0');
  return read_shape(r, value_of(header, "shape"));
}

int npz_reader_open(struct npz_reader *r, const char *path, const char *name) {
  char entry[80];
  int code;
  *r = (struct npz_reader){ 0 };
  snprintf(r->path, sizeof r->path, "%s", path);
  snprintf(r->name, sizeof r->name, "%s", name);
  r->zip = zip_open(path, ZIP_RDONLY, &code);
  if (!r->zip) return because(STATUS_BAD, "%s: missing, or no .npz file", path);
  snprintf(entry, sizeof entry, "%s.npy", name);
  r->entry = zip_fopen(r->zip, entry, 0);
  if (!r->entry) return because(STATUS_BAD, "%s: no array %s in it", path, name);
  return read_header(r);
}

int npz_reader_next(struct npz_reader *r, size_t n, void *to) {
  char *at = to;
  if (n > r->size - r->done) return damaged(r);
  r->done += n;
  for (zip_int64_t got; n; n -= (size_t)got, at += got)
    if ((got = zip_fread(r->entry, at, n)) <= 0) return damaged(r);
  return STATUS_OK;
}

void npz_reader_close(struct npz_reader *r) {
  if (r->entry) zip_fclose(r->entry);
  if (r->zip) zip_discard(r->zip);
  *r = (struct npz_reader){ 0 };
}

bool npz_has(const char *path, const char *name) {
  struct npz_reader r;
  const bool has = !npz_reader_open(&r, path, name);
  npz_reader_close(&r);
  return has;
}

static double number(const char *type, const unsigned char *bytes) {
  float f;
  double d;
  int32_t i;
  int64_t l;
  if (!strcmp(type, "u1")) return *bytes;
  if (!strcmp(type, "f4")) return memcpy(&f, bytes, sizeof f), f;
  if (!strcmp(type, "f8")) return memcpy(&d, bytes, sizeof d), d;
  if (!strcmp(type, "i4")) return memcpy(&i, bytes, sizeof i), i;
  return memcpy(&l, bytes, sizeof l), (double)l;
}

int npz_doubles(const char *path, const char *name, size_t n, double *to) {
  struct npz_reader r;
  int status = npz_reader_open(&r, path, name);
  if (!status && r.size / r.item != n)
    status = because(STATUS_BAD, "%s: array %s has %zu numbers, expected %zu", path, name, r.size / r.item, n);
  for (size_t i = 0; i < n && !status; i++) {
    unsigned char bytes[8] = { 0 };
    status = npz_reader_next(&r, r.item, bytes);
    if (!status) to[i] = number(r.type, bytes);
  }
  npz_reader_close(&r);
  return status;
}

int npz_text(const char *path, const char *name, char *text, size_t room) {
  struct npz_reader r;
  int status = npz_reader_open(&r, path, name);
  const size_t n = status ? 0 : r.size < room - 1 ? r.size : room - 1;
  if (!status && strcmp(r.type, "u1")) status = because(STATUS_BAD, "%s: array %s is no text", path, name);
  if (!status) status = npz_reader_next(&r, n, text);
  text[status ? 0 : n] = 0;
  npz_reader_close(&r);
  return status;
}
