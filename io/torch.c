/* torch.c - what torch.save writes: a pickle of names, shapes and strides, and the storages' bytes.
 *   zip:    NAME/data.pkl, NAME/byteorder (not in old ones), NAME/data/KEY for each storage
 *   legacy: five pickles: a magic number, a version, the byte order, the same pickle, the storages' keys; then for each key, in
 *           that order, the number of its elements (8 bytes) and its bytes
 * Source: torch/serialization.py and torch/_utils.py of PyTorch 2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "io/pickle.h"
#include "io/weights.h"
#include "src/base/status.h"

enum { HEAD_MAX = 1 << 23, DEPTH_MAX = 8 };
static const char rebuild[] = "torch._utils._rebuild_tensor_v2", parameter[] = "torch._utils._rebuild_parameter";

static bool knows(const char *global) {
  if (!strcmp(global, rebuild) || !strcmp(global, parameter) || !strcmp(global, "collections.OrderedDict")) return true;
  return !strncmp(global, "torch.", 6) && weights_kind_of_storage(global + 6);
}

/* What is open while a file is listed. */
struct torch {
  struct weights *w;
  char folder[256];                            /* of the zip's entries, with its '/' */
  struct key *keys;                            /* legacy: in the order of their names */
  size_t n_keys, visited;
};

/* Legacy: a storage's place in the file. */
struct key {
  const struct pickle_value *name;
  size_t order, elements;                      /* in the list of the file; as the pickle says */
  const struct weights_kind *kind;
  uint64_t at;
};

static int strange(const struct torch *t, const char *what) {
  return because(STATUS_BAD, "%s: %s is not as torch.save writes it", t->w->path, what);
}

/* ('storage', torch.FloatStorage, key, device, elements[, None]) */
static int read_storage(const struct torch *t, const struct pickle_value *v, const struct weights_kind **kind,
                        const struct pickle_value **key, size_t *elements) {
  if (v->kind != PICKLE_PERSISTENT || v->items[0]->kind != PICKLE_TUPLE) return strange(t, "a storage");
  struct pickle_value **id = v->items[0]->items;
  const size_t n = v->items[0]->count;
  if (n < 5 || n > 6 || !pickle_is(id[0], "storage") || id[1]->kind != PICKLE_GLOBAL || id[2]->kind != PICKLE_TEXT
      || id[4]->kind != PICKLE_INTEGER || id[4]->integer < 0 || strncmp(id[1]->text, "torch.", 6))
    return strange(t, "a storage");
  if (n == 6 && id[5]->kind != PICKLE_NONE) return strange(t, "a storage inside another");
  *kind = weights_kind_of_storage(id[1]->text + 6);
  *key = id[2];
  *elements = (size_t)id[4]->integer;
  if (!*kind || *elements > t->w->size / (*kind)->bytes)
    return because(STATUS_BAD, "%s: a storage of %zu elements is larger than the file", t->w->path, *elements);
  return STATUS_OK;
}

static int by_key(const void *a, const void *b) {
  const struct pickle_value *x = ((const struct key *)a)->name, *y = ((const struct key *)b)->name;
  const int order = memcmp(x->text, y->text, x->length < y->length ? x->length : y->length);
  return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* The entry of the zip that holds the storage; stored, as it is read in one piece and may not be larger than the file. */
static int place_in_zip(const struct torch *t, const struct pickle_value *key, size_t bytes, uint64_t *at) {
  char name[sizeof t->folder + 80];
  zip_stat_t facts;
  if (key->length > 64 || memchr(key->text, 0, key->length)) return strange(t, "the name of a storage");
  snprintf(name, sizeof name, "%sdata/%.*s", t->folder, (int)key->length, key->text);
  const zip_int64_t entry = zip_name_locate(t->w->zip, name, 0);
  if (entry < 0 || zip_stat_index(t->w->zip, (zip_uint64_t)entry, 0, &facts))
    return because(STATUS_BAD, "%s: %s is missing in it", t->w->path, name);
  if (facts.comp_method != ZIP_CM_STORE)
    return because(STATUS_BAD, "%s: %s is compressed in it; expected as torch.save writes it", t->w->path, name);
  if (facts.size != bytes)
    return because(STATUS_BAD, "%s: %s has %llu bytes, expected %zu", t->w->path, name, (unsigned long long)facts.size, bytes);
  *at = (uint64_t)entry;
  return STATUS_OK;
}

static int place(const struct torch *t, const struct pickle_value *key, size_t bytes, uint64_t *at) {
  if (t->w->zip) return place_in_zip(t, key, bytes, at);
  const struct key wanted = { .name = key }, *found = bsearch(&wanted, t->keys, t->n_keys, sizeof wanted, by_key);
  if (!found) return strange(t, "the list of its storages");   /* not reached: all of them were looked up */
  *at = found->at;
  return STATUS_OK;
}

/* Shape or strides. False where v is no tuple of natural numbers. */
static bool read_sizes(const struct pickle_value *v, size_t sizes[WEIGHTS_RANK]) {
  if (v->kind != PICKLE_TUPLE || v->count > WEIGHTS_RANK) return false;
  for (size_t d = 0; d < v->count; d++) {
    if (v->items[d]->kind != PICKLE_INTEGER || v->items[d]->integer < 0) return false;
    sizes[d] = (size_t)v->items[d]->integer;
  }
  return true;
}

/* _rebuild_tensor_v2(storage, first, shape, strides, ...) */
static int add_tensor(struct torch *t, const char *name, const struct pickle_value *call) {
  const struct pickle_value *arguments = call->items[1];
  if (!strcmp(call->items[0]->text, parameter) && arguments->count && arguments->items[0]->kind == PICKLE_CALL) {
    call = arguments->items[0];   /* a Parameter around a tensor */
    arguments = call->items[1];
  }
  struct weights_tensor x = { 0 };
  if (strcmp(call->items[0]->text, rebuild) || arguments->count < 4 || arguments->items[1]->kind != PICKLE_INTEGER
      || arguments->items[1]->integer < 0 || arguments->items[2]->count != arguments->items[3]->count
      || !read_sizes(arguments->items[2], x.shape) || !read_sizes(arguments->items[3], x.stride))
    return strange(t, "a tensor");
  const struct pickle_value *key;
  size_t elements;
  int status = read_storage(t, arguments->items[0], &x.kind, &key, &elements);
  if (status) return status;
  snprintf(x.name, sizeof x.name, "%s", name);
  x.rank = arguments->items[2]->count;
  x.first = (size_t)arguments->items[1]->integer;
  x.bytes = elements * x.kind->bytes;
  status = place(t, key, x.bytes, &x.at);
  return status ? status : weights_add(t->w, &x);
}

/* Adds all tensors of a dict, and of dicts in it; prefix[length] is their name so far. */
static int add_dict(struct torch *t, const struct pickle_value *dict, char prefix[WEIGHTS_NAME], size_t length, int depth) {
  int status = STATUS_OK;
  for (size_t i = 0; i + 1 < dict->count && !status; i += 2) {
    const struct pickle_value *key = dict->items[i], *v = dict->items[i + 1];
    if (++t->visited > WEIGHTS_MOST) return because(STATUS_BAD, "%s: more than %d entries", t->w->path, WEIGHTS_MOST);
    if (key->kind != PICKLE_TEXT || (v->kind != PICKLE_CALL && v->kind != PICKLE_DICT)) continue;
    if (length + key->length + 2 > WEIGHTS_NAME || memchr(key->text, 0, key->length))
      return because(STATUS_BAD, "%s: the name of a tensor is longer than %d characters, or holds a zero", t->w->path,
                     WEIGHTS_NAME - 2);
    memcpy(prefix + length, key->text, key->length);
    prefix[length + key->length] = 0;
    if (v->kind == PICKLE_CALL) {
      status = add_tensor(t, prefix, v);
    } else if (depth < DEPTH_MAX) {
      memcpy(prefix + length + key->length, ".", 2);
      status = add_dict(t, v, prefix, length + key->length + 1, depth + 1);
    } else {
      status = because(STATUS_BAD, "%s: dicts in dicts deeper than %d", t->w->path, DEPTH_MAX);
    }
  }
  return status;
}

static int add_root(struct torch *t, const struct pickle_value *root) {
  char name[WEIGHTS_NAME] = "";
  if (root->kind != PICKLE_DICT) return because(STATUS_BAD, "%s: holds no dict of tensors (a state dict)", t->w->path);
  return add_dict(t, root, name, 0, 1);
}

/* A small entry of the folder, malloc'ed; *data is NULL where there is none. */
static int read_entry(const struct torch *t, const char *name, unsigned char **data, size_t *size) {
  char full[sizeof t->folder + 32];
  zip_stat_t facts;
  *data = NULL;
  snprintf(full, sizeof full, "%s%s", t->folder, name);
  const zip_int64_t entry = zip_name_locate(t->w->zip, full, 0);
  if (entry < 0) return STATUS_OK;
  if (zip_stat_index(t->w->zip, (zip_uint64_t)entry, 0, &facts) || facts.size > HEAD_MAX)
    return because(STATUS_BAD, "%s: %s is larger than %d MiB or damaged", t->w->path, full, HEAD_MAX >> 20);
  *size = (size_t)facts.size;
  *data = malloc(*size + 1);
  if (!*data) return because(STATUS_NOMEM, "%s: no memory for %s", t->w->path, full);
  zip_file_t *f = zip_fopen_index(t->w->zip, (zip_uint64_t)entry, 0);
  char more;   /* asking for one byte more makes the library compare the checksum */
  const bool good = f && zip_fread(f, *data, *size) == (zip_int64_t)*size && zip_fread(f, &more, 1) == 0;
  if (f) zip_fclose(f);
  if (good) return STATUS_OK;
  free(*data);
  *data = NULL;
  return because(STATUS_BAD, "%s: %s is damaged", t->w->path, full);
}

/* The folder that data.pkl lies in. */
static int find_folder(struct torch *t) {
  const zip_int64_t entries = zip_get_num_entries(t->w->zip, 0);
  for (zip_int64_t i = 0; i < entries; i++) {
    const char *name = zip_get_name(t->w->zip, (zip_uint64_t)i, 0);
    const size_t n = name ? strlen(name) : 0;
    if (n < 8 || n - 8 >= sizeof t->folder || strcmp(name + n - 8, "data.pkl") || (n > 8 && name[n - 9] != '/')) continue;
    snprintf(t->folder, sizeof t->folder, "%.*s", (int)(n - 8), name);
    return STATUS_OK;
  }
  return because(STATUS_BAD, "%s: a zip without data.pkl: not written by torch.save", t->w->path);
}

static int list_zip(struct torch *t) {
  unsigned char *order, *data = NULL;
  size_t size = 0, used;
  const struct pickle_value *root;
  struct pickle p = { 0 };
  int status = find_folder(t);
  if (!status) status = read_entry(t, "byteorder", &order, &size);
  if (status) return status;
  if (order && (size != 6 || memcmp(order, "little", 6)))
    status = because(STATUS_BAD, "%s: big-endian; expected little", t->w->path);
  free(order);
  if (!status) status = read_entry(t, "data.pkl", &data, &size);
  if (!status && !data) status = because(STATUS_BAD, "%s: its data.pkl is not to be found by its name", t->w->path);
  if (!status) status = pickle_read(&p, t->w->path, data, size, knows, &root, &used);
  if (!status) status = add_root(t, root);
  pickle_free(&p);
  free(data);
  return status;
}

int torch_list_zip(struct weights *w) {
  struct torch t = { .w = w };
  int why;
  w->format = "PyTorch (zip)";
  w->zip = zip_open(w->path, ZIP_RDONLY, &why);
  if (w->zip) return list_zip(&t);
  zip_error_t error;
  zip_error_init_with_code(&error, why);
  because(STATUS_BAD, "%s: cannot be read as a zip (cut or damaged?): %s", w->path, zip_error_strerror(&error));
  zip_error_fini(&error);
  return STATUS_BAD;
}

/* {'protocol_version': 1001, 'little_endian': True, ...} */
static int check_order(const struct torch *t, const struct pickle_value *info) {
  for (size_t i = 0; info->kind == PICKLE_DICT && i + 1 < info->count; i += 2)
    if (pickle_is(info->items[i], "little_endian") && info->items[i + 1]->kind == PICKLE_BOOL)
      return info->items[i + 1]->integer ? STATUS_OK : because(STATUS_BAD, "%s: big-endian; expected little", t->w->path);
  return strange(t, "its byte order");
}

static int by_order(const void *a, const void *b) {
  const struct key *x = a, *y = b;
  return (x->order > y->order) - (x->order < y->order);
}

/* What the pickle says of the storages, then where they lie: each behind its number of elements, from `at`. */
static int place_keys(struct torch *t, const struct pickle *p, uint64_t at) {
  qsort(t->keys, t->n_keys, sizeof *t->keys, by_key);
  for (const struct pickle_value *v = p->last; v; v = v->before) {
    struct key wanted = { 0 };
    int status = read_storage(t, v, &wanted.kind, &wanted.name, &wanted.elements);
    if (status) return status;
    struct key *found = bsearch(&wanted, t->keys, t->n_keys, sizeof wanted, by_key);
    if (!found || (found->kind && (found->kind != wanted.kind || found->elements != wanted.elements)))
      return strange(t, "the list of its storages");
    found->kind = wanted.kind;
    found->elements = wanted.elements;
  }
  qsort(t->keys, t->n_keys, sizeof *t->keys, by_order);
  for (size_t i = 0; i < t->n_keys; i++) {
    struct key *k = &t->keys[i];
    unsigned char head[8];
    uint64_t elements = 0;
    if (!k->kind) return strange(t, "the list of its storages");
    if (!weights_bytes(t->w, at, sizeof head, head)) return because(STATUS_BAD, "%s: cut at storage %zu", t->w->path, i);
    for (int j = 7; j >= 0; j--) elements = elements << 8 | head[j];
    if (elements != k->elements)
      return because(STATUS_BAD, "%s: storage %zu has %llu elements, its pickle says %zu", t->w->path, i,
                     (unsigned long long)elements, k->elements);
    k->at = at + sizeof head;
    if (k->elements * k->kind->bytes > t->w->size - k->at) return because(STATUS_BAD, "%s: cut in storage %zu", t->w->path, i);
    at = k->at + k->elements * k->kind->bytes;
  }
  qsort(t->keys, t->n_keys, sizeof *t->keys, by_key);
  for (size_t i = 1; i < t->n_keys; i++)
    if (!by_key(&t->keys[i - 1], &t->keys[i])) return strange(t, "the list of its storages");
  return STATUS_OK;
}

static int read_keys(struct torch *t, const struct pickle_value *list) {
  if (list->kind != PICKLE_LIST) return strange(t, "the list of its storages");
  t->keys = calloc(list->count + 1, sizeof *t->keys);
  if (!t->keys) return because(STATUS_NOMEM, "%s: no memory for its storages", t->w->path);
  for (size_t i = 0; i < list->count; i++) {
    if (list->items[i]->kind != PICKLE_TEXT) return strange(t, "the list of its storages");
    t->keys[t->n_keys++] = (struct key){ .name = list->items[i], .order = i };
  }
  return STATUS_OK;
}

static int list_legacy(struct torch *t, struct pickle *p, const unsigned char *head, size_t size) {
  enum { MAGIC, VERSION, ORDER, STATE, KEYS, PICKLES };
  static const char magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
  const struct pickle_value *v[PICKLES];
  size_t at = 0, used;
  int status = STATUS_OK;
  for (int i = 0; i < PICKLES && !status; i++, at += used) {
    used = 0;
    status = pickle_read(p, t->w->path, head + at, size - at, knows, &v[i], &used);
    if (!status && i == MAGIC && (v[i]->kind != PICKLE_LONG || v[i]->length != 10 || memcmp(v[i]->text, magic, 10)))
      status = because(STATUS_BAD, "%s: a pickle, but not one of torch.save", t->w->path);
    if (!status && i == VERSION && (v[i]->kind != PICKLE_INTEGER || v[i]->integer != 1001))
      status = because(STATUS_BAD, "%s: an unknown version of torch.save's older form", t->w->path);
    if (!status && i == ORDER) status = check_order(t, v[i]);
  }
  if (!status) status = read_keys(t, v[KEYS]);
  if (!status) status = place_keys(t, p, at);
  return status ? status : add_root(t, v[STATE]);
}

int torch_list_legacy(struct weights *w) {
  struct torch t = { .w = w };
  struct pickle p = { 0 };
  const size_t size = w->size < HEAD_MAX ? w->size : HEAD_MAX;   /* the pickles come first */
  unsigned char *head = malloc(size + 1);
  w->format = "PyTorch (older form)";
  int status = head ? STATUS_OK : because(STATUS_NOMEM, "%s: no memory for its head", w->path);
  if (!status && !weights_bytes(w, 0, size, head)) status = because(STATUS_BAD, "%s: cannot be read", w->path);
  if (!status) status = list_legacy(&t, &p, head, size);
  free(t.keys);
  pickle_free(&p);
  free(head);
  return status;
}
