#include "io/classifier_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "io/disk.h"
#include "io/hdf.h"
#include "io/whole.h"
#include "src/base/status.h"

#define FORMAT "pmf-classifier"
enum { VERSION = 1 };

static void write_hash(uint64_t value, char hash[CLASSIFIER_HASH]) { snprintf(hash, CLASSIFIER_HASH, "%016" PRIx64, value); }

void classifier_file_hash(size_t n, const float *weights, char hash[CLASSIFIER_HASH]) {
  write_hash(XXH64(weights, n * sizeof *weights, 0), hash);
}

int classifier_file_images(const char *data, char images[CLASSIFIER_HASH]) { return classifier_file_split(data, 0, images); }

int classifier_file_split(const char *data, int split, char images[CLASSIFIER_HASH]) {
  static const char *const all[][2] = { { "checksums/train_images", "checksums/train_labels" },
                                        { "checksums/heldout_images", "checksums/heldout_labels" } };
  const char *const *sums = all[split];
  hid_t file;
  const int status = hdf_open(&file, data);
  if (status) return status;
  uint64_t hash = 0;
  int bad = 0;
  for (int i = 0; i < 2 && !bad; i++) {
    hsize_t blocks;
    void *list;
    bad = hdf_get(file, sums[i], H5T_NATIVE_UINT64, 1, &blocks, &list);
    if (bad) break;
    hash = XXH64(list, (size_t)blocks * sizeof(uint64_t), hash);
    free(list);
  }
  H5Fclose(file);
  if (bad) return because(STATUS_BAD, "%s: lacks the checksums of its images; pack it again", data);
  write_hash(hash, images);
  return STATUS_OK;
}

/* ---- writing ---- */

struct classifier_parts { const struct classifier_facts *facts; size_t n; const float *weights; };

static int put_all(hid_t file, const void *context) {
  const struct classifier_parts *p = context;
  const struct classifier_facts *f = p->facts;
  const hsize_t size = p->n;
  char hash[CLASSIFIER_HASH];
  classifier_file_hash(p->n, p->weights, hash);
  return hdf_put_text(file, "format", FORMAT) || hdf_put_number(file, "version", VERSION)
         || hdf_put_number(file, "size", f->size) || hdf_put_number(file, "channels", f->channels)
         || hdf_put_number(file, "classes", f->classes) || hdf_put_number(file, "kernel", f->kernel)
         || hdf_put_text(file, "images", f->images) || hdf_put_text(file, "part", f->part)
         || hdf_put_number(file, "seed", f->seed) || hdf_put_text(file, "blas_core", f->blas_core)
         || hdf_put_real(file, "accuracy", f->accuracy) || hdf_put_text(file, "hash", hash)
         || hdf_put(file, "weights", H5T_NATIVE_FLOAT, 1, &size, p->weights) || hdf_put_number(file, "complete", 1);
}

int classifier_file_may_write(const char *path) {
  return disk_may_write(path) ? because(STATUS_IO, "%s: the classifier cannot be kept there: %s", path, strerror(errno)) : STATUS_OK;
}

int classifier_file_write(const char *path, const struct classifier_facts *facts, size_t n, const float *weights) {
  return whole_write(path, put_all, &(struct classifier_parts){ facts, n, weights });
}

/* ---- reading ---- */

static int check_format(hid_t file, const char *path) {
  char format[64];
  uint64_t version, complete;
  if (hdf_get_text(file, "format", format, sizeof format) || strcmp(format, FORMAT))
    return because(STATUS_BAD, "%s: not a classifier's file (its format is not %s)", path, FORMAT);
  if (hdf_get_number(file, "version", &version) || version != VERSION)
    return because(STATUS_BAD, "%s: not of version %d; remove it, and a new classifier is trained", path, VERSION);
  if (hdf_get_number(file, "complete", &complete) || complete != 1)
    return because(STATUS_BAD, "%s: no mark of completeness; remove it, and a new classifier is trained", path);
  return STATUS_OK;
}

static int check_owner(hid_t file, const char *path, const char *data, const struct classifier_facts *want) {
  const struct { const char *name; size_t want; } sizes[] = {
    { "size", want->size }, { "channels", want->channels }, { "classes", want->classes } };
  char images[CLASSIFIER_HASH] = "";
  for (int i = 0; i < 3; i++) {
    uint64_t have;
    if (hdf_get_number(file, sizes[i].name, &have))
      return because(STATUS_BAD, "%s: attribute %s is missing", path, sizes[i].name);
    if (have != sizes[i].want)
      return because(STATUS_BAD, "%s: a classifier of other images: its %s is %llu, that of %s is %zu", path, sizes[i].name,
                     (unsigned long long)have, data, sizes[i].want);
  }
  if (hdf_get_text(file, "images", images, sizeof images) || strcmp(images, want->images))
    return because(STATUS_BAD, "%s: was trained on other images than those of %s; remove it, and a new classifier is trained",
                   path, data);
  return STATUS_OK;
}

/* Which of the classifiers of one set of images it is. Files without these attributes have one of all images. */
static int check_kind(hid_t file, const char *path, const struct classifier_facts *want) {
  char part[sizeof want->part];
  uint64_t kernel;
  const int old = hdf_get_text(file, "part", part, sizeof part);
  if (old) snprintf(part, sizeof part, "all");
  if (hdf_get_number(file, "kernel", &kernel)) kernel = want->kernel;
  if (kernel != want->kernel || strcmp(part, want->part))
    return because(STATUS_BAD, "%s: a classifier of another kind%s: kernels of %llu pixels, trained on %s of the images; expected %zu"
                   " and %s; remove it, and a new one is trained", path, old ? " or of an older version" : "",
                   (unsigned long long)kernel, part, want->kernel, want->part);
  return STATUS_OK;
}

static int get_weights(hid_t file, const char *path, size_t n, float *weights) {
  char stored[CLASSIFIER_HASH] = "", hash[CLASSIFIER_HASH];
  hsize_t size;
  void *list;
  if (hdf_get(file, "weights", H5T_NATIVE_FLOAT, 1, &size, &list))
    return because(STATUS_BAD, "%s: /weights is missing or damaged", path);
  if (size == n) memcpy(weights, list, n * sizeof *weights);
  free(list);
  if (size != n)
    return because(STATUS_BAD, "%s: /weights has %llu numbers, expected %zu", path, (unsigned long long)size, n);
  classifier_file_hash(n, weights, hash);
  if (hdf_get_text(file, "hash", stored, sizeof stored) || strcmp(stored, hash))
    return because(STATUS_BAD,
                   "%s: damaged: its weights differ from their checksum; remove it, and a new classifier is trained", path);
  return STATUS_OK;
}

int classifier_file_read(const char *path, const char *data, struct classifier_facts *facts, size_t n, float *weights) {
  hid_t file;
  int status = hdf_open(&file, path);
  if (status) return status;
  status = check_format(file, path);
  if (!status) status = check_owner(file, path, data, facts);
  if (!status) status = check_kind(file, path, facts);
  if (!status) status = get_weights(file, path, n, weights);
  if (!status && (hdf_get_real(file, "accuracy", &facts->accuracy) || hdf_get_number(file, "seed", &facts->seed)
                  || hdf_get_text(file, "blas_core", facts->blas_core, sizeof facts->blas_core)))
    status = because(STATUS_BAD, "%s: attribute accuracy, seed or blas_core is missing", path);
  H5Fclose(file);
  return status;
}
