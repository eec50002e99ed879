#include "io/safetensors.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
