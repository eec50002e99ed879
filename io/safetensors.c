#include "io/safetensors.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/weights.h"
#include "src/base/status.h"

/* Adds one tensor, whose bytes begin at `at`. False without memory. */
static bool add_tensor(cJSON *header, const struct tensor *t, const char *prefix, size_t at) {
  char name[256];
  snprintf(name, sizeof name, "%s%s", prefix, t->name);
  cJSON *entry = cJSON_AddObjectToObject(header, name);
  cJSON *shape = entry && cJSON_AddStringToObject(entry, "dtype", "F32") ? cJSON_AddArrayToObject(entry, "shape") : NULL;
  cJSON *offsets = shape ? cJSON_AddArrayToObject(entry, "data_offsets") : NULL;
  if (!offsets) return false;
  for (int d = 0; d < t->rank; d++) cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)t->shape[d]));
  cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)at));
  cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)(at + t->size * sizeof(float))));
  return cJSON_GetArraySize(shape) == t->rank && cJSON_GetArraySize(offsets) == 2;
}

/* The header's text, malloc'ed, unpadded; NULL without memory. */
static char *header_text(const struct table *table, const char *prefix, bool (*wanted)(const struct tensor *),
                         const char *note) {
  cJSON *header = cJSON_CreateObject(), *meta = header ? cJSON_AddObjectToObject(header, "__metadata__") : NULL;
  bool good = meta && cJSON_AddStringToObject(meta, "format", "pt");
  if (note) good = good && cJSON_AddStringToObject(meta, "description", note);
  size_t at = 0;
  for (size_t i = 0; i < table->count && good; i++) {
    const struct tensor *t = &table->tensors[i];
    if (wanted && !wanted(t)) continue;
    good = add_tensor(header, t, prefix, at);
    at += t->size * sizeof(float);
  }
  char *text = good ? cJSON_PrintUnformatted(header) : NULL;
  cJSON_Delete(header);
  return text;
}

static bool write_header(FILE *f, const char *text) {
  const size_t length = strlen(text), padded = (length + 7) / 8 * 8;
  unsigned char size[8];
  for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)padded >> 8 * i);
  return fwrite(size, 8, 1, f) == 1 && fprintf(f, "%s%*s", text, (int)(padded - length), "") == (int)padded;
}

int safetensors_write(const char *path, const struct table *table, const float *data, const char *prefix,
                      bool (*wanted)(const struct tensor *), const char *note) {
  char tmp[PATH_MAX];
  if (snprintf(tmp, sizeof tmp, "%s.tmp", path) >= (int)sizeof tmp)
    return because(STATUS_BAD, "%.64s...: the name is too long", path);
  char *text = header_text(table, prefix, wanted, note);
  if (!text) return because(STATUS_NOMEM, "%s: no memory for its header", path);
  FILE *f = fopen(tmp, "wb");
  bool good = f && write_header(f, text);
  free(text);
  for (size_t i = 0; i < table->count && good; i++) {
    const struct tensor *t = &table->tensors[i];
    if (!wanted || wanted(t)) good = fwrite(data + t->offset, sizeof(float), t->size, f) == t->size;
  }
  good = good && !fflush(f) && !fsync(fileno(f));
  int why = errno;
  if (f && fclose(f) && good) {
    good = false;
    why = errno;
  }
  if (good && !rename(tmp, path)) return STATUS_OK;
  if (good) why = errno;
  if (f) unlink(tmp);
  return because(STATUS_IO, "%s: cannot be written: %s", path, strerror(why));
}

/* A whole number from 0 to 2^53. False of anything else. */
static bool whole(const cJSON *item, size_t *value) {
  const double v = cJSON_IsNumber(item) ? item->valuedouble : -1;
  if (!(v >= 0 && v <= 0x1p53)) return false;
  *value = (size_t)v;
  return (double)*value == v;
}

static int strange(const struct weights *w, const char *name, const char *what) {
  return because(STATUS_BAD, "%s: tensor %.*s: %s", w->path, WEIGHTS_NAME, name, what);
}

/* One entry of the header; the tensors' bytes begin at `data` of the file. */
static int list_tensor(struct weights *w, const cJSON *entry, size_t data) {
  const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(entry, "dtype"), *d;
  const cJSON *shape = cJSON_GetObjectItemCaseSensitive(entry, "shape");
  const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
  struct weights_tensor t = { 0 };
  size_t begin, end, size = 1;
  if (strlen(entry->string) >= sizeof t.name) return strange(w, entry->string, "its name is too long");
  snprintf(t.name, sizeof t.name, "%s", entry->string);
  if (!cJSON_IsString(dtype) || !(t.kind = weights_kind_of_tag(dtype->valuestring)))
    return strange(w, t.name, "an unknown dtype");
  if (!cJSON_IsArray(shape) || !cJSON_IsArray(offsets)) return strange(w, t.name, "shape or data_offsets are missing");
  cJSON_ArrayForEach(d, shape) {
    if (t.rank == WEIGHTS_RANK || !whole(d, &t.shape[t.rank])) return strange(w, t.name, "a shape that cannot be");
    if (__builtin_mul_overflow(size, t.shape[t.rank++], &size)) return strange(w, t.name, "a shape that cannot be");
  }
  const cJSON *first = offsets->child, *last = first ? first->next : NULL;
  if (!last || last->next || !whole(first, &begin) || !whole(last, &end) || begin > end || end > w->size - data)
    return strange(w, t.name, "data_offsets outside the file");
  t.at = data + begin;
  t.bytes = end - begin;
  if (__builtin_mul_overflow(size, t.kind->bytes, &size) || size != t.bytes)
    return strange(w, t.name, "data_offsets that do not fit its shape");
  for (size_t stride = 1, i = t.rank; i-- > 0; stride *= t.shape[i]) t.stride[i] = stride;
  return weights_add(w, &t);
}

static int by_place(const void *a, const void *b) {
  const struct weights_tensor *x = a, *y = b;
  if (x->at != y->at) return x->at < y->at ? -1 : 1;
  return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The format wants the tensors one behind the other, none over another, and nothing else in the file. */
static int check_places(struct weights *w, size_t data) {
  size_t at = data;
  if (w->count) qsort(w->tensors, w->count, sizeof *w->tensors, by_place);
  for (size_t i = 0; i < w->count; at += w->tensors[i++].bytes)
    if (w->tensors[i].at != at)
      return strange(w, w->tensors[i].name, w->tensors[i].at < at ? "lies over another" : "a gap before it");
  return at == w->size ? STATUS_OK : because(STATUS_BAD, "%s: %zu bytes behind its tensors", w->path, w->size - at);
}

static int list_header(struct weights *w, const char *text, size_t length) {
  const char *end = NULL;
  cJSON *header = cJSON_ParseWithLengthOpts(text, length, &end, false);
  int status = STATUS_OK;
  if (!cJSON_IsObject(header) || strspn(end, " ") != (size_t)(text + length - end))
    status = because(STATUS_BAD, "%s: its header is no JSON object", w->path);
  for (const cJSON *entry = status ? NULL : header->child; entry && !status; entry = entry->next)
    if (strcmp(entry->string, "__metadata__")) status = list_tensor(w, entry, 8 + length);
  cJSON_Delete(header);
  return status ? status : check_places(w, 8 + length);
}

int safetensors_list(struct weights *w) {
  enum { HEADER_MAX = 1 << 22 };
  unsigned char size[8];
  uint64_t length = 0;
  w->format = "safetensors";
  if (!weights_bytes(w, 0, sizeof size, size)) return because(STATUS_BAD, "%s: cut", w->path);
  for (int i = 7; i >= 0; i--) length = length << 8 | size[i];
  if (length > w->size - 8 || length > HEADER_MAX)
    return because(STATUS_BAD, "%s: a header of %llu bytes in a file of %zu; expected at most %d", w->path,
                   (unsigned long long)length, w->size, HEADER_MAX);
  char *text = malloc(length + 1);
  if (!text) return because(STATUS_NOMEM, "%s: no memory for its header", w->path);
  text[length] = 0;
  const int status = weights_bytes(w, 8, length, text) ? list_header(w, text, length)
                                                       : because(STATUS_BAD, "%s: cannot be read", w->path);
  free(text);
  return status;
}
