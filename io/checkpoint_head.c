#include "io/checkpoint_head.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "io/blocks.h"
#include "io/checkpoint_made.h"
#include "io/hdf.h"
#include "mpi/watch.h"
#include "src/base/status.h"

#define FORMAT "pmf-checkpoint"
enum { VERSION = 1, TENSOR_NAME = sizeof ((struct tensor *)0)->name, FLAT_NAME = sizeof ((struct flat *)0)->name };

void checkpoint_member(char path[64], const char *group, const char *name) { snprintf(path, 64, "%s%s", group, name); }

/* The table as the columns that are stored. */
struct columns {
  char *names;               /* [count][TENSOR_NAME] */
  uint64_t *ranks, *shapes, *offsets, *sizes, *second;   /* shapes [count,4], the others [count] */
};

static void columns_free(struct columns *c) {
  free(c->names);
  free(c->ranks);
  free(c->shapes);
  free(c->offsets);
  free(c->sizes);
  free(c->second);
  *c = (struct columns) { 0 };
}

static int columns_make(struct columns *c, const struct table *t) {
  const size_t n = t->count + 1, b = sizeof(uint64_t);   /* one more: an empty table is no error */
  *c = (struct columns) { calloc(n, TENSOR_NAME), calloc(n, b), calloc(n, 4 * b), calloc(n, b), calloc(n, b), calloc(n, b) };
  if (!c->names || !c->ranks || !c->shapes || !c->offsets || !c->sizes || !c->second) return -1;
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *x = &t->tensors[i];
    snprintf(c->names + i * TENSOR_NAME, TENSOR_NAME, "%s", x->name);
    c->ranks[i] = (uint64_t)x->rank;
    for (int d = 0; d < x->rank; d++) c->shapes[4 * i + (size_t)d] = x->shape[d];
    c->offsets[i] = x->offset;
    c->sizes[i] = x->size;
    c->second[i] = x->second == SIZE_MAX ? UINT64_MAX : x->second;
  }
  return 0;
}

static size_t flat_blocks(const struct flat *f) { return blocks_count(f->size * sizeof(float)); }

/* XXH64 of all that is not in /arrays, one piece after the other, each with the sum so far as its seed. */
static uint64_t head_sum(const struct checkpoint_info *info, const struct columns *c) {
  const size_t n = info->table.count, b = sizeof(uint64_t);
  const uint64_t numbers[] = { VERSION, info->step, info->images_seen, info->table.size, info->table.second_size,
                               n, info->n_flats };
  uint64_t h = XXH64(numbers, sizeof numbers, 0);
  h = XXH64(info->settings, strlen(info->settings), h);
  h = XXH64(c->names, n * TENSOR_NAME, h);
  h = XXH64(c->ranks, n * b, h);
  h = XXH64(c->shapes, 4 * n * b, h);
  h = XXH64(c->offsets, n * b, h);
  h = XXH64(c->sizes, n * b, h);
  h = XXH64(c->second, n * b, h);
  for (size_t i = 0; i < info->n_flats; i++) {
    const struct flat *f = &info->flats[i];
    const uint64_t size = f->size;
    h = XXH64(f->name, strlen(f->name), h);
    h = XXH64(&size, sizeof size, h);
    h = XXH64(info->sums[i], flat_blocks(f) * b, h);
  }
  return h;
}

/* What a later reader may want to know about how this file came to be; not covered by `head`. */
static int put_provenance(hid_t file, int ranks) {
  char created[32], host[256] = "", hdf5[32];
  unsigned v[3];
  const time_t now = time(NULL);
  strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
  gethostname(host, sizeof host - 1);
  H5get_libversion(&v[0], &v[1], &v[2]);
  snprintf(hdf5, sizeof hdf5, "%u.%u.%u", v[0], v[1], v[2]);
  return hdf_put_text(file, "created", created) || hdf_put_text(file, "host", host) || hdf_put_text(file, "hdf5", hdf5)
         || checkpoint_made_write(file, ranks);
}

static int put_index(hid_t file, const struct checkpoint_info *info, const struct columns *c) {
  const hsize_t n = info->table.count, shape[2] = { n, 4 }, n_flats = info->n_flats, one = 1;
  const hid_t name = hdf_text_type(TENSOR_NAME), flat = hdf_text_type(FLAT_NAME);
  const hid_t text = hdf_text_type(strlen(info->settings) + 1), number = H5T_STD_U64LE;
  char *arrays = calloc(info->n_flats + 1, FLAT_NAME);
  if (!arrays) return -1;
  for (size_t i = 0; i < info->n_flats; i++) snprintf(arrays + i * FLAT_NAME, FLAT_NAME, "%s", info->flats[i].name);
  const int bad = hdf_put(file, "/index/names", name, 1, &n, c->names)
                  || hdf_put(file, "/index/ranks", number, 1, &n, c->ranks)
                  || hdf_put(file, "/index/shapes", number, 2, shape, c->shapes)
                  || hdf_put(file, "/index/offsets", number, 1, &n, c->offsets)
                  || hdf_put(file, "/index/sizes", number, 1, &n, c->sizes)
                  || hdf_put(file, "/index/second", number, 1, &n, c->second)
                  || hdf_put(file, "/index/arrays", flat, 1, &n_flats, arrays)
                  || hdf_put(file, "/settings", text, 1, &one, info->settings);
  free(arrays);
  H5Tclose(name);
  H5Tclose(flat);
  H5Tclose(text);
  return bad ? -1 : 0;
}

static int make_group(hid_t file, const char *name) {
  const hid_t g = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  if (g < 0) return hdf_fail();
  H5Gclose(g);
  return 0;
}

int checkpoint_head_write(hid_t file, const struct checkpoint_info *info, int ranks) {
  struct columns c;
  int bad = columns_make(&c, &info->table) || make_group(file, "/index") || make_group(file, "/arrays")
            || make_group(file, "/checksums") || hdf_put_text(file, "format", FORMAT)
            || hdf_put_number(file, "version", VERSION) || hdf_put_number(file, "step", info->step)
            || hdf_put_number(file, "images_seen", info->images_seen)
            || hdf_put_number(file, "elements", info->table.size)
            || hdf_put_number(file, "second_elements", info->table.second_size)
            || put_provenance(file, ranks) || put_index(file, info, &c);
  for (size_t i = 0; i < info->n_flats && !bad; i++) {
    const hsize_t size = info->flats[i].size, blocks = flat_blocks(&info->flats[i]);
    char at[64];
    checkpoint_member(at, CHECKPOINT_SUMS, info->flats[i].name);
    bad = hdf_put(file, at, H5T_STD_U64LE, 1, &blocks, NULL);
    checkpoint_member(at, CHECKPOINT_ARRAYS, info->flats[i].name);
    bad = bad || hdf_put(file, at, H5T_IEEE_F32LE, 1, &size, NULL);
  }
  columns_free(&c);
  return bad ? -1 : 0;
}

int checkpoint_sums_write(hid_t file, const struct checkpoint_info *info) {
  struct columns c;
  int bad = columns_make(&c, &info->table);
  for (size_t i = 0; i < info->n_flats && !bad; i++) {
    char at[64];
    checkpoint_member(at, CHECKPOINT_SUMS, info->flats[i].name);
    const hid_t set = H5Dopen2(file, at, H5P_DEFAULT);
    const size_t n = flat_blocks(&info->flats[i]);
    if (set < 0 || (n && H5Dwrite(set, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, info->sums[i]) < 0))
      bad = hdf_fail();
    if (set >= 0 && H5Dclose(set) < 0 && !bad) bad = hdf_fail();
  }
  if (!bad) bad = hdf_put_number(file, "head", head_sum(info, &c));
  columns_free(&c);
  return bad ? -1 : 0;
}

int checkpoint_mark_write(hid_t file) { return hdf_put_number(file, "complete", 1); }

/* One column of the index; its length must be n (or sets it, where n is SIZE_MAX). */
static int get_column(hid_t file, const char *path, const char *name, hid_t type, int rank, size_t *n, void *to) {
  hsize_t dims[2];
  void *data;
  if (hdf_get(file, name, type, rank, dims, &data)) return because(STATUS_BAD, "%s: %s is missing or damaged", path, name);
  memcpy(to, &data, sizeof data);   /* a pointer of any type */
  if (*n == SIZE_MAX) *n = (size_t)dims[0];
  if (dims[0] != *n || (rank == 2 && dims[1] != 4))
    return because(STATUS_BAD, "%s: %s has another length than the index", path, name);
  return STATUS_OK;
}

static int columns_read(hid_t file, const char *path, struct columns *c, size_t *n) {
  const hid_t text = hdf_text_type(TENSOR_NAME), number = H5T_NATIVE_UINT64;
  *n = SIZE_MAX;
  int status = get_column(file, path, "/index/names", text, 1, n, &c->names);
  if (!status) status = get_column(file, path, "/index/ranks", number, 1, n, &c->ranks);
  if (!status) status = get_column(file, path, "/index/shapes", number, 2, n, &c->shapes);
  if (!status) status = get_column(file, path, "/index/offsets", number, 1, n, &c->offsets);
  if (!status) status = get_column(file, path, "/index/sizes", number, 1, n, &c->sizes);
  if (!status) status = get_column(file, path, "/index/second", number, 1, n, &c->second);
  H5Tclose(text);
  return status;
}

/* The columns as a table; every tensor must lie inside the flat arrays. */
static int columns_table(const char *path, const struct columns *c, size_t n, struct table *t) {
  t->tensors = calloc(n + 1, sizeof *t->tensors);
  if (!t->tensors) return because(STATUS_NOMEM, "%s: no memory for an index of %zu tensors", path, n);
  t->count = t->capacity = n;
  for (size_t i = 0; i < n; i++) {
    struct tensor *x = &t->tensors[i];
    *x = (struct tensor) { .rank = (int)c->ranks[i], .offset = c->offsets[i], .size = c->sizes[i],
                           .second = c->second[i] == UINT64_MAX ? SIZE_MAX : c->second[i] };
    snprintf(x->name, sizeof x->name, "%.*s", TENSOR_NAME - 1, c->names + i * TENSOR_NAME);
    size_t product = 1;
    bool fits = c->ranks[i] >= 1 && c->ranks[i] <= 4;
    for (int d = 0; fits && d < x->rank; d++) {
      x->shape[d] = c->shapes[4 * i + (size_t)d];
      fits = !__builtin_mul_overflow(product, x->shape[d], &product);
    }
    if (!fits || product != x->size || x->size > t->size || x->offset > t->size - x->size)
      return because(STATUS_BAD, "%s: the index is damaged at tensor %zu (%s)", path, i, x->name);
  }
  return STATUS_OK;
}

static int read_flat(hid_t file, const char *path, struct flat *f, uint64_t **sums) {
  char at[64];
  checkpoint_member(at, CHECKPOINT_ARRAYS, f->name);
  const hid_t set = H5Dopen2(file, at, H5P_DEFAULT);
  if (set < 0) return because(STATUS_BAD, "%s: array %s is missing", path, f->name);
  const hid_t space = H5Dget_space(set), type = H5Dget_type(set);
  const hssize_t n = H5Sget_simple_extent_npoints(space);
  const int same = H5Sget_simple_extent_ndims(space) == 1 && H5Tequal(type, H5T_IEEE_F32LE) > 0;
  H5Tclose(type);
  H5Sclose(space);
  H5Dclose(set);
  if (n < 0 || !same) return because(STATUS_BAD, "%s: array %s is not a row of float32", path, f->name);
  f->size = f->count = (size_t)n;
  size_t blocks = flat_blocks(f);
  checkpoint_member(at, CHECKPOINT_SUMS, f->name);
  return get_column(file, path, at, H5T_NATIVE_UINT64, 1, &blocks, sums);
}

static int read_flats(hid_t file, const char *path, struct checkpoint_info *info) {
  const hid_t text = hdf_text_type(FLAT_NAME);
  char *names = NULL;
  info->n_flats = SIZE_MAX;
  int status = get_column(file, path, "/index/arrays", text, 1, &info->n_flats, &names);
  H5Tclose(text);
  if (status) info->n_flats = 0;
  info->flats = calloc(info->n_flats + 1, sizeof *info->flats);
  info->sums = calloc(info->n_flats + 1, sizeof *info->sums);
  if (!info->flats || !info->sums) status = because(STATUS_NOMEM, "%s: no memory for its index", path);
  for (size_t i = 0; i < info->n_flats && !status; i++) {
    snprintf(info->flats[i].name, FLAT_NAME, "%.*s", FLAT_NAME - 1, names + i * FLAT_NAME);
    status = read_flat(file, path, &info->flats[i], &info->sums[i]);
  }
  free(names);
  return status;
}

static int read_settings(hid_t file, const char *path, char **settings) {
  const hid_t set = H5Dopen2(file, "/settings", H5P_DEFAULT);
  if (set < 0) return because(STATUS_BAD, "%s: /settings is missing", path);
  const hid_t type = H5Dget_type(set);
  hsize_t one;
  void *text;
  const int bad = H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type)
                  || hdf_get(file, "/settings", type, 1, &one, &text);
  if (!bad) *settings = text;   /* hdf_get leaves room for one element more, which is zero */
  H5Tclose(type);
  H5Dclose(set);
  return bad ? because(STATUS_BAD, "%s: /settings is damaged", path) : STATUS_OK;
}

static int check_format(hid_t file, const char *path, bool marked) {
  char format[64];
  uint64_t version, complete;
  if (hdf_get_text(file, "format", format, sizeof format))
    return because(STATUS_BAD, "%s: not a pmf checkpoint (it has no attribute format)", path);
  if (strcmp(format, FORMAT)) return because(STATUS_BAD, "%s: its format is %s, expected %s", path, format, FORMAT);
  if (hdf_get_number(file, "version", &version)) return because(STATUS_BAD, "%s: attribute version is missing", path);
  if (version != VERSION)
    return because(STATUS_BAD, "%s: format version %llu, this program reads %d", path, (unsigned long long)version, VERSION);
  if (marked && (hdf_get_number(file, "complete", &complete) || complete != 1))
    return because(STATUS_BAD, "%s: no mark of completeness: its save was cut or killed", path);
  return STATUS_OK;
}

int checkpoint_head_read(hid_t file, const char *path, bool marked, struct checkpoint_info *info) {
  *info = (struct checkpoint_info) { 0 };
  int status = check_format(file, path, marked);
  if (status) return status;
  const struct { const char *name; uint64_t *to; } numbers[] = {
    { "step", &info->step }, { "images_seen", &info->images_seen } };
  uint64_t elements, second, head;
  for (int i = 0; i < 2; i++)
    if (hdf_get_number(file, numbers[i].name, numbers[i].to))
      return because(STATUS_BAD, "%s: attribute %s is missing", path, numbers[i].name);
  if (hdf_get_number(file, "elements", &elements) || hdf_get_number(file, "second_elements", &second)
      || hdf_get_number(file, "head", &head))
    return because(STATUS_BAD, "%s: attribute elements, second_elements or head is missing", path);
  info->head = head;
  info->table.size = elements;
  info->table.second_size = second;
  struct columns c = { 0 };
  size_t n;
  status = columns_read(file, path, &c, &n);
  if (!status) status = columns_table(path, &c, n, &info->table);
  if (!status) status = read_settings(file, path, &info->settings);
  if (!status) status = read_flats(file, path, info);
  if (!status && head_sum(info, &c) != head)
    status = because(STATUS_BAD, "%s: index, settings or checksums are damaged", path);
  columns_free(&c);
  return status;
}

/* Reads block b of the open array into to. */
static int read_block(hid_t set, hid_t space, size_t size, size_t b, float *to) {
  const size_t per = BLOCK_BYTES / sizeof(float);
  const hsize_t start = b * per, count = blocks_length(size * sizeof(float), b) / sizeof(float);
  const hid_t memory = H5Screate_simple(1, &count, NULL);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
  const int bad = H5Dread(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, to) < 0;
  H5Sclose(memory);
  return bad;
}

int checkpoint_blocks_read(hid_t file, const char *path, const struct checkpoint_info *info, size_t i,
                           struct slab share, float *data) {
  const struct flat *f = &info->flats[i];
  const size_t blocks = flat_blocks(f);
  char at[64];
  checkpoint_member(at, CHECKPOINT_ARRAYS, f->name);
  float *scratch = data ? NULL : malloc(BLOCK_BYTES);
  if (!data && !scratch) return because(STATUS_NOMEM, "%s: no memory for a block", path);
  const hid_t set = H5Dopen2(file, at, H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
  int status = set < 0 ? because(STATUS_BAD, "%s: array %s is missing", path, f->name) : STATUS_OK;
  for (size_t b = share.first; b < share.end && !status; b++) {
    watch_move();
    float *to = data ? data + (b - share.first) * (BLOCK_BYTES / sizeof(float)) : scratch;
    if (read_block(set, space, f->size, b, to))
      status = because(STATUS_BAD, "%s: block %zu of %zu of array %s cannot be read", path, b, blocks, f->name);
    else if (blocks_sum(to, blocks_length(f->size * sizeof(float), b)) != info->sums[i][b])
      status = because(STATUS_BAD, "%s: block %zu of %zu of array %s is damaged (checksum differs)", path, b, blocks,
                       f->name);
  }
  if (set >= 0) {
    H5Sclose(space);
    H5Dclose(set);
  }
  free(scratch);
  return status;
}

void checkpoint_info_free(struct checkpoint_info *info) {
  for (size_t i = 0; info->sums && i < info->n_flats; i++) free(info->sums[i]);
  free(info->sums);
  free(info->flats);
  free(info->settings);
  table_free(&info->table);
  *info = (struct checkpoint_info) { 0 };
}
