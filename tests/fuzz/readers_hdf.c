/* readers_hdf.c - our readers of HDF5 files: data sets, checkpoints, classifiers, networks. The input does not change bytes but
 * what the file says: datasets and attributes that are missing, of another type, rank, size or value, so that it is our code that
 * is tried, not libhdf5. */
#include <hdf5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint_head.h"
#include "io/classifier_file.h"
#include "io/dataset.h"
#include "io/hdf.h"
#include "io/network_file.h"
#include "src/base/status.h"
#include "tests/fuzz/readers.h"

enum { CHECKPOINT, DATASET, CLASSIFIER, NETWORK, KINDS, WEIGHTS = 6, EDITS = 32 };

struct image { void *bytes; size_t n; };
struct cursor { const uint8_t *at; size_t left; };

/* The next byte; 0 behind the end. */
static uint8_t take(struct cursor *c) { return c->left ? c->left--, *c->at++ : 0; }

/* ---- a sound file of each kind ---- */

static void slurp(const char *path, struct image *m) {
  FILE *f = fopen(path, "rb");
  if (!f || fseek(f, 0, SEEK_END)) abort();
  m->n = (size_t)ftell(f);
  m->bytes = malloc(m->n);
  rewind(f);
  if (!m->bytes || fread(m->bytes, 1, m->n, f) != m->n || fclose(f)) abort();
}

static void make_checkpoint(const char *path) {
  static float numbers[64];
  struct checkpoint_info info = { .step = 3, .images_seen = 96, .settings = "training:\n  seed: 7\n" };
  uint64_t sum = 0, *sums[] = { &sum, &sum };
  table_add(&info.table, "a.weight", 2, (size_t[]){ 4, 4 }, RULE_MUON, INIT_ZERO, 0, 0);
  table_add(&info.table, "b.bias", 1, (size_t[]){ 5 }, RULE_ADAM, INIT_ZERO, 0, 0);
  table_place_second(&info.table, 0);
  struct flat flats[] = { { .name = "weights", .size = info.table.size }, { .name = "ema2", .size = info.table.size } };
  if (info.table.size > 64) abort();
  sum = blocks_sum(numbers, info.table.size * sizeof *numbers);
  info.flats = flats, info.n_flats = 2, info.sums = sums;
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  if (file < 0 || checkpoint_head_write(file, &info, 1) || checkpoint_sums_write(file, &info) || checkpoint_mark_write(file)) abort();
  for (int i = 0; i < 2; i++) {
    const hid_t set = H5Dopen2(file, i ? "/arrays/ema2" : "/arrays/weights", H5P_DEFAULT);
    if (H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) < 0) abort();
    H5Dclose(set);
  }
  H5Fclose(file);
  table_free(&info.table);
}

static void make_dataset(const char *path) {
  static uint8_t pixels[3 * 4 * 4 * 3], others[4 * 4 * 3] = { 1 };
  int32_t labels[] = { 0, 1, 1 };
  char names[2][CLASS_NAME_MAX] = { "ant", "bee" };
  const struct images train = { 3, 4, 3, 2, pixels, labels }, heldout = { 1, 4, 3, 2, others, labels };
  size_t dropped;
  if (dataset_write(path, &train, &heldout, names, "a test", "pmf pack", &dropped)) abort();
}

static const struct classifier_facts facts = { 4, 3, 2, 3, "0123456789abcdef", "all", 1, "Haswell", 0.5 };
static const float weights[WEIGHTS] = { 1, 2, 3 };

static void make_classifier(const char *path) {
  if (classifier_file_write(path, &facts, WEIGHTS, weights)) abort();
}

static void make_network(const char *path) {
  struct network_facts f = { .kind = "convnext", .depths = { 1, 1, 1, 1 }, .dims = { 2, 2, 2, 2 }, .source = { "a.pt" },
                             .sha256 = { "00" } };
  if (network_file_write(path, &f, WEIGHTS, weights)) abort();
}

/* ---- edits ---- */

static const char *const sets[KINDS][12] = {
  { "/index/names", "/index/ranks", "/index/shapes", "/index/offsets", "/index/sizes", "/index/second", "/index/arrays", "/settings",
    "/arrays/weights", "/arrays/ema2", "/checksums/weights", "/checksums/ema2" },
  { "/train/images", "/train/labels", "/heldout/images", "/heldout/labels", "/class_names", "/checksums/train_images",
    "/checksums/train_labels", "/checksums/heldout_images", "/checksums/heldout_labels", "/checksums/class_names", "/train", "/heldout" },
  { "/weights" }, { "/weights" } };
static const char *const attributes[KINDS][12] = {
  { "format", "version", "step", "images_seen", "elements", "second_elements", "head", "complete", "ranks", "threads" },
  { "format", "version", "complete", "image_size", "channels", "classes" },
  { "format", "version", "size", "channels", "classes", "kernel", "images", "part", "seed", "blas_core", "accuracy", "hash" },
  { "format", "version", "kind", "hash", "depth0", "depth3", "dim0", "source", "sha256", "source2", "sha256_2", "complete" } };

static const char *choose(const char *const names[12], uint8_t which) {
  size_t n = 0;
  while (n < 12 && names[n]) n++;
  return names[which % n];
}

/* The caller closes it. */
static hid_t choose_type(struct cursor *c) {
  const hid_t all[] = { H5T_STD_U8LE, H5T_STD_I32LE, H5T_STD_U64LE, H5T_STD_I64BE, H5T_IEEE_F32LE, H5T_IEEE_F64BE, H5T_STD_U16BE };
  const uint8_t which = take(c);
  if (which % 10 < 7) return H5Tcopy(all[which % 10]);
  if (which % 10 == 7) return hdf_text_type(take(c));
  if (which % 10 == 8) return hdf_text_type(H5T_VARIABLE);
  return H5Tcreate(H5T_OPAQUE, 1u + take(c));
}

static hid_t choose_space(struct cursor *c) {
  static const hsize_t odd[] = { 1 << 20, 1 << 28, (hsize_t)1 << 40, (hsize_t)1 << 61, (hsize_t)1 << 62 };
  hsize_t sizes[6];
  const int rank = take(c) % 7;
  for (int i = 0; i < rank; i++) {
    const uint8_t size = take(c);
    sizes[i] = size < 250 ? size : odd[size - 250 < 5 ? size - 250 : 4];
  }
  return rank ? H5Screate_simple(rank, sizes, NULL) : H5Screate(take(c) % 2 ? H5S_NULL : H5S_SCALAR);
}

/* Bytes of the input as the values of n elements, as far as a small buffer reaches. */
static void choose_values(struct cursor *c, uint8_t values[4096]) {
  memset(values, 0, 4096);
  for (int n = take(c), i = 0; i < n; i++) values[i] = take(c);
}

static bool is_small(hid_t type, hid_t space) {
  const hssize_t n = H5Sget_simple_extent_npoints(space);
  return n > 0 && n <= 4096 && H5Tget_size(type) * (size_t)n <= 4096 && H5Tis_variable_str(type) <= 0;
}

static void replace_set(hid_t file, const char *name, struct cursor *c) {
  const hid_t type = choose_type(c), space = choose_space(c), how = H5Pcreate(H5P_DATASET_CREATE);
  uint8_t values[4096];
  if (take(c) % 4 == 0) H5Pset_layout(how, H5D_COMPACT);
  H5Ldelete(file, name, H5P_DEFAULT);
  const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
  choose_values(c, values);
  if (set >= 0 && is_small(type, space)) H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  H5Dclose(set), H5Pclose(how), H5Sclose(space), H5Tclose(type);
}

static void replace_attribute(hid_t file, const char *name, struct cursor *c) {
  const hid_t type = choose_type(c), space = choose_space(c);
  uint8_t values[4096];
  H5Adelete(file, name);
  const hid_t a = is_small(type, space) ? H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : -1;
  choose_values(c, values);
  if (a >= 0) H5Awrite(a, type, values), H5Aclose(a);
  H5Sclose(space), H5Tclose(type);
}

/* Some of the bytes of a dataset become others. */
static void change_values(hid_t file, const char *name, struct cursor *c) {
  uint8_t values[4096];
  const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
  if (set < 0) return;
  const hid_t type = H5Dget_type(set), space = H5Dget_space(set);
  if (is_small(type, space) && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0) {
    size_t at = take(c);
    for (int n = take(c) % 16; n > 0; n--) values[at++ % 4096] = take(c);
    H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  }
  H5Sclose(space), H5Tclose(type), H5Dclose(set);
}

/* A checkpoint whose head's checksum agrees with what it says, as one would have it that was made to deceive. */
static void seal(hid_t file) {
  struct checkpoint_info info;
  const int status = checkpoint_head_read(file, "file", false, &info);
  if (status && strstr(status_reason(), "checksums are damaged")) {   /* all but that sum could be read */
    H5Adelete(file, "head");
    checkpoint_sums_write(file, &info);
  }
  checkpoint_info_free(&info);
}

static void edit(hid_t file, int kind, struct cursor *c) {
  for (int i = 0; i < EDITS && c->left; i++) {
    const uint8_t what = take(c), which = take(c);
    const char *set = choose(sets[kind], which), *attribute = choose(attributes[kind], which);
    switch (what % 6) {
      case 0: H5Ldelete(file, set, H5P_DEFAULT); break;
      case 1: replace_set(file, set, c); break;
      case 2: H5Adelete(file, attribute); break;
      case 3: replace_attribute(file, attribute, c); break;
      default: change_values(file, set, c);
    }
  }
}

/* ---- reading ---- */

static void try_checkpoint(const char *path) {
  struct checkpoint_info info = { 0 };
  hid_t file;
  int status = hdf_open(&file, path);
  if (!status) status = checkpoint_head_read(file, path, true, &info);
  scratch_judge(status);
  for (size_t i = 0; i < info.n_flats && !status; i++) {
    const struct slab all = blocks_share(blocks_count(info.flats[i].size * sizeof(float)), 0, 1);
    scratch_judge(status = checkpoint_blocks_read(file, path, &info, i, all, NULL));
  }
  for (size_t i = 0; i < info.table.count && !status; i++) {   /* what later code walks along */
    const struct tensor *t = &info.table.tensors[i];
    size_t elements = 1;
    if (t->rank < 1 || t->rank > 4 || t->offset + t->size > info.table.size) abort();
    for (int d = 0; d < t->rank; d++) if (__builtin_mul_overflow(elements, t->shape[d], &elements)) abort();
    if (elements != t->size) abort();
  }
  checkpoint_info_free(&info);
  if (file >= 0) H5Fclose(file);
}

static void try_dataset(const char *path) {
  struct dataset d, half;
  int status = dataset_open(&d, path);
  scratch_judge(status);
  for (int split = 0; split < 2 && !status; split++)
    for (size_t i = 0; i < d.count[split] && i < 64 && !status; i++) {
      if (d.labels[split][i] < 0 || (size_t)d.labels[split][i] >= d.classes) abort();
      uint8_t *image = malloc(d.image_size * d.image_size * d.channels);
      if (!image) abort();
      scratch_judge(status = dataset_read(&d, split, i, image));
      free(image);
    }
  if (!status && !dataset_half(&half, &d, 1)) dataset_half_close(&half);
  dataset_close(&d);
  scratch_judge(dataset_verify(path));
  char images[CLASSIFIER_HASH];
  scratch_judge(classifier_file_images(path, images));
}

static void try_classifier(const char *path) {
  struct classifier_facts f = facts;
  float to[WEIGHTS];
  scratch_judge(classifier_file_read(path, "data.h5", &f, WEIGHTS, to));
}

static void try_network(const char *path) {
  struct network_facts f;
  float to[WEIGHTS];
  struct hdf_attribute list[24];
  hid_t file;
  scratch_judge(network_file_facts(path, NULL, &f));
  scratch_judge(network_file_read(path, WEIGHTS, to));
  if (hdf_open(&file, path)) abort();
  hdf_attributes(file, list, 24);
  H5Fclose(file);
}

void read_hdf(size_t n, const uint8_t *bytes) {
  static void (*const make[KINDS])(const char *path) = { make_checkpoint, make_dataset, make_classifier, make_network };
  static void (*const try[KINDS])(const char *path) = { try_checkpoint, try_dataset, try_classifier, try_network };
  static struct image sound[KINDS];
  struct cursor c = { bytes, n };
  char path[160];
  const uint8_t first = take(&c);
  const int kind = first % KINDS;
  snprintf(path, sizeof path, "%s", scratch_path("file.h5"));
  hdf_quiet();
  if (!sound[kind].bytes) make[kind](path), slurp(path, &sound[kind]);
  scratch_put("file.h5", sound[kind].n, sound[kind].bytes);
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  if (file < 0) abort();
  edit(file, kind, &c);
  if (kind == CHECKPOINT && first & 128) seal(file);
  H5Fclose(file);
  try[kind](path);
}
