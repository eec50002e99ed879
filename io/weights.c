#include "io/weights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "src/base/bf16.h"
#include "src/base/status.h"

static const struct weights_kind kinds[] = {
  { NUMBER_F32, "float32", "F32", "FloatStorage", 4 },
  { NUMBER_F16, "float16", "F16", "HalfStorage", 2 },
  { NUMBER_BF16, "bfloat16", "BF16", "BFloat16Storage", 2 },
  { NUMBER_OTHER, "float64", "F64", "DoubleStorage", 8 },
  { NUMBER_OTHER, "complex64", "C64", "ComplexFloatStorage", 8 },
  { NUMBER_OTHER, "complex128", NULL, "ComplexDoubleStorage", 16 },
  { NUMBER_OTHER, "int64", "I64", "LongStorage", 8 },
  { NUMBER_OTHER, "int32", "I32", "IntStorage", 4 },
  { NUMBER_OTHER, "int16", "I16", "ShortStorage", 2 },
  { NUMBER_OTHER, "int8", "I8", "CharStorage", 1 },
  { NUMBER_OTHER, "uint8", "U8", "ByteStorage", 1 },
  { NUMBER_OTHER, "uint16", "U16", NULL, 2 },
  { NUMBER_OTHER, "uint32", "U32", NULL, 4 },
  { NUMBER_OTHER, "uint64", "U64", NULL, 8 },
  { NUMBER_OTHER, "bool", "BOOL", "BoolStorage", 1 },
  { NUMBER_OTHER, "float8_e4m3fn", "F8_E4M3", NULL, 1 },
  { NUMBER_OTHER, "float8_e5m2", "F8_E5M2", NULL, 1 },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

const struct weights_kind *weights_kind_of_tag(const char *tag) {
  for (int i = 0; i < KINDS; i++)
    if (kinds[i].tag && !strcmp(kinds[i].tag, tag)) return &kinds[i];
  return NULL;
}

const struct weights_kind *weights_kind_of_storage(const char *storage) {
  for (int i = 0; i < KINDS; i++)
    if (kinds[i].storage && !strcmp(kinds[i].storage, storage)) return &kinds[i];
  return NULL;
}

bool weights_bytes(const struct weights *w, uint64_t at, size_t size, void *to) {
  if (at > w->size || size > w->size - at) return false;
  for (char *p = to; size;) {
    const ssize_t n = pread(w->fd, p, size, (off_t)at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    p += n, at += (uint64_t)n, size -= (size_t)n;
  }
  return true;
}

/* From the first to the last element of the tensor; 0 of an empty one. False if that does not fit a size_t. */
static bool span_of(const struct weights_tensor *t, size_t *span) {
  *span = t->size > 0;
  for (size_t d = 0; d < t->rank && t->size; d++) {
    size_t step;
    if (__builtin_mul_overflow(t->shape[d] - 1, t->stride[d], &step) || __builtin_add_overflow(*span, step, span)) return false;
  }
  return true;
}

int weights_add(struct weights *w, const struct weights_tensor *t) {
  size_t span;
  const size_t elements = t->bytes / t->kind->bytes;
  if (w->count == WEIGHTS_MOST) return because(STATUS_BAD, "%s: more than %d tensors", w->path, WEIGHTS_MOST);
  struct weights_tensor checked = *t;
  checked.size = 1;
  for (size_t d = 0; d < t->rank; d++)
    if (__builtin_mul_overflow(checked.size, t->shape[d], &checked.size)) checked.size = SIZE_MAX;
  /* As many elements as the storage has room for: a stride of 0 could make a large tensor of one number. */
  if (!span_of(&checked, &span) || t->first > elements || span > elements - t->first || checked.size > span)
    return because(STATUS_BAD, "%s: tensor %s does not lie inside its %zu bytes", w->path, t->name, t->bytes);
  if (w->count == w->room) {
    const size_t room = w->room ? 2 * w->room : 256;
    struct weights_tensor *more = realloc(w->tensors, room * sizeof *more);
    if (!more) return because(STATUS_NOMEM, "%s: no memory for its list of tensors", w->path);
    w->tensors = more;
    w->room = room;
  }
  w->tensors[w->count++] = checked;
  return STATUS_OK;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct weights_tensor *)a)->name, ((const struct weights_tensor *)b)->name);
}

static int sort(struct weights *w) {
  if (!w->count) return because(STATUS_BAD, "%s: no tensors in it", w->path);
  qsort(w->tensors, w->count, sizeof *w->tensors, by_name);
  for (size_t i = 1; i < w->count; i++)
    if (!by_name(&w->tensors[i - 1], &w->tensors[i]))
      return because(STATUS_BAD, "%s: two tensors with the name %s", w->path, w->tensors[i].name);
  return STATUS_OK;
}

static int list(struct weights *w) {
  static const unsigned char zip[] = "PK\3\4", hdf5[] = "\211HDF";
  unsigned char first[9] = { 0 };
  if (!weights_bytes(w, 0, w->size < sizeof first ? w->size : sizeof first, first))
    return because(STATUS_BAD, "%s: cannot be read: %s", w->path, strerror(errno));
  if (!memcmp(first, zip, 4)) return torch_list_zip(w);
  if (!memcmp(first, hdf5, 4))
    return because(STATUS_BAD, "%s is an HDF5 file; if it is a checkpoint of pmf it needs no import", w->path);
  if (first[8] == '{') return safetensors_list(w);   /* before the pickle: a header's length may begin with 0x80, too */
  if (first[0] == 0x80) return torch_list_legacy(w);
  return because(STATUS_BAD, "%s: neither .safetensors nor a file of torch.save (.pt, .pth)", w->path);
}

int weights_open(struct weights *w, const char *path) {
  struct stat facts;
  *w = (struct weights){ .fd = -1 };
  if (snprintf(w->path, sizeof w->path, "%s", path) >= (int)sizeof w->path)
    return because(STATUS_BAD, "%.64s...: the name is too long", path);
  w->fd = open(path, O_RDONLY);
  if (w->fd < 0 || fstat(w->fd, &facts)) return because(STATUS_BAD, "%s: cannot be opened: %s", path, strerror(errno));
  if (!S_ISREG(facts.st_mode)) return because(STATUS_BAD, "%s: not a file", path);
  w->size = (size_t)facts.st_size;
  const int status = list(w);
  return status ? status : sort(w);
}

void weights_close(struct weights *w) {
  if (w->zip) zip_discard(w->zip);
  if (w->fd >= 0) close(w->fd);
  free(w->tensors);
  free(w->cache);
  *w = (struct weights){ .fd = -1 };
}

const struct weights_tensor *weights_find(const struct weights *w, const char *prefix, const char *name) {
  struct weights_tensor wanted;
  if (snprintf(wanted.name, sizeof wanted.name, "%s%s", prefix, name) >= (int)sizeof wanted.name || !w->count) return NULL;
  return bsearch(&wanted, w->tensors, w->count, sizeof wanted, by_name);
}

/* The whole of an entry of the zip, so that its checksum is compared. */
static bool read_entry(struct weights *w, const struct weights_tensor *t) {
  zip_file_t *f = zip_fopen_index(w->zip, t->at, 0);
  char more;
  const bool good = f && zip_fread(f, w->cache, t->bytes) == (zip_int64_t)t->bytes && zip_fread(f, &more, 1) == 0;
  return (!f || !zip_fclose(f)) && good;
}

static int cache(struct weights *w, const struct weights_tensor *t) {
  if (w->cache && w->cached_at == t->at && w->cached_bytes == t->bytes) return STATUS_OK;
  free(w->cache);
  w->cache = malloc(t->bytes + 1);
  if (!w->cache) return because(STATUS_NOMEM, "%s: no memory for the %zu bytes of %s", w->path, t->bytes, t->name);
  w->cached_at = t->at;
  w->cached_bytes = t->bytes;
  if (w->zip ? read_entry(w, t) : weights_bytes(w, t->at, t->bytes, w->cache)) return STATUS_OK;
  free(w->cache);
  w->cache = NULL;
  return because(STATUS_BAD, "%s: the %zu bytes of tensor %s are damaged or cannot be read", w->path, t->bytes, t->name);
}

/* IEEE 754 half precision: 1 sign, 5 exponent, 10 fraction. */
static float half_value(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
  uint32_t bits = sign;
  float x;
  if (exponent == 31) bits |= 0x7f800000 | fraction << 13;
  else if (exponent) bits |= (exponent + 112) << 23 | fraction << 13;
  memcpy(&x, &bits, sizeof x);
  return exponent || !fraction ? x : (sign ? -1 : 1) * (float)fraction * 0x1p-24f;   /* subnormal there, not here */
}

static float value_at(const struct weights_tensor *t, const unsigned char *bytes, size_t i) {
  uint16_t small;
  float x;
  if (t->kind->number == NUMBER_F32) {
    memcpy(&x, bytes + 4 * i, sizeof x);
    return x;
  }
  memcpy(&small, bytes + 2 * i, sizeof small);
  return t->kind->number == NUMBER_F16 ? half_value(small) : bf16_value(small);
}

/* Dimension d and those behind it, from element `at` of the storage; returns what follows in `to`. */
static float *gather(const struct weights_tensor *t, const unsigned char *bytes, size_t d, size_t at, float *to) {
  const size_t n = d < t->rank ? t->shape[d] : 1, stride = d < t->rank ? t->stride[d] : 0;
  if (d + 1 < t->rank) {
    for (size_t i = 0; i < n; i++) to = gather(t, bytes, d + 1, at + i * stride, to);
    return to;
  }
  for (size_t i = 0; i < n; i++) to[i] = value_at(t, bytes, at + i * stride);
  return to + n;
}

int weights_read(struct weights *w, const struct weights_tensor *t, float *to) {
  if (t->kind->number == NUMBER_OTHER)
    return because(STATUS_BAD, "%s: tensor %s is %s, expected float32, float16 or bfloat16", w->path, t->name, t->kind->name);
  const int status = cache(w, t);
  if (!status) gather(t, w->cache, 0, t->first, to);
  return status;
}

const char *weights_text(char text[128], const struct weights_tensor *t) {
  size_t used = (size_t)snprintf(text, 128, "%s [", t->kind->name);
  for (size_t d = 0; d < t->rank && used < 128; d++)
    used += (size_t)snprintf(text + used, 128 - used, "%s%zu", d ? "," : "", t->shape[d]);
  if (used < 127) snprintf(text + used, 128 - used, "]");
  return text;
}
