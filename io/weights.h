/* weights.h - a file of named tensors as others write it: .safetensors, or a state dict of PyTorch (.pt, .pth), as a zip or in
 * the older form. Recognised by its first bytes, not by its name.
 * A nested dict makes dotted names: {"ema": {"pos_embed": ...}} holds ema.pos_embed. What is no tensor is left out.
 * Nothing in the file is run, and no number in it is believed: what it says of a tensor is checked against the file's size when
 * the file is opened. Errors: STATUS_BAD with one line; STATUS_NOMEM. Ranks: local. */
#ifndef IO_WEIGHTS_H
#define IO_WEIGHTS_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIGHTS_RANK = 8, WEIGHTS_NAME = 256, WEIGHTS_MOST = 1 << 17 };
enum number { NUMBER_F32, NUMBER_F16, NUMBER_BF16, NUMBER_OTHER };

/* The kinds of number: what a tensor may hold, of which only the first three are read. */
struct weights_kind {
  enum number number;
  const char *name, *tag, *storage;   /* float32, F32 (safetensors), FloatStorage (PyTorch); NULL where it is not known there */
  size_t bytes;
};
const struct weights_kind *weights_kind_of_tag(const char *tag);          /* NULL if there is none */
const struct weights_kind *weights_kind_of_storage(const char *storage);

struct weights_tensor {
  char name[WEIGHTS_NAME];
  const struct weights_kind *kind;
  size_t rank, shape[WEIGHTS_RANK], stride[WEIGHTS_RANK], size;   /* in elements; size: the product of shape */
  size_t first;                     /* element of its storage */
  uint64_t at;                      /* the storage: entry of the zip, or place in the file */
  size_t bytes;                     /* of the whole storage */
};
struct weights {
  char path[PATH_MAX];
  const char *format;               /* what kind of file it is, for people */
  int fd;
  size_t size;                      /* of the file, in bytes */
  struct zip *zip;
  struct weights_tensor *tensors;   /* in the order of their names, no two alike */
  size_t count, room;
  unsigned char *cache;             /* the storage read last: tensors may share one */
  size_t cached_bytes;
  uint64_t cached_at;
};
/* Reads names, kinds and shapes. */
int weights_open(struct weights *w, const char *path);
/* Harmless on a zeroed one with fd -1, and after any error. */
void weights_close(struct weights *w);
/* NULL if there is none. Names are compared as prefix + name. */
const struct weights_tensor *weights_find(const struct weights *w, const char *prefix, const char *name);
/* to[t->size], row-major: the tensor's numbers as float32, which holds those of 16 bits exactly. Errors also: a storage that is
 * not what the head said, or whose checksum (zip) differs. */
int weights_read(struct weights *w, const struct weights_tensor *t, float *to);
/* "float16 [3,4]" */
const char *weights_text(char text[128], const struct weights_tensor *t);

/* For the formats: adds a tensor, once it is known to lie inside its storage, and to have no more elements than that. */
int weights_add(struct weights *w, const struct weights_tensor *t);
/* size bytes from `at` of the file. False past the end, or where the disk fails. */
bool weights_bytes(const struct weights *w, uint64_t at, size_t size, void *to);
int safetensors_list(struct weights *w);
int torch_list_zip(struct weights *w);
int torch_list_legacy(struct weights *w);
#endif
