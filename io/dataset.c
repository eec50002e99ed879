#include "io/dataset.h"

#include <assert.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "io/dataset_draft.h"
#include "io/dataset_raw.h"
#include "src/base/status.h"

static int open_images(struct dataset *d, hid_t file, uint64_t file_bytes, int split) {
  struct dataset_raw r;
  char name[32];
  snprintf(name, sizeof name, "%s/images", dataset_splits[split]);
  const int status = dataset_find(file, d->path, name, file_bytes, &r);
  if (status) return status;
  if (r.rank != 4 || !r.bytewise) return because(STATUS_BAD, "%s: /%s is not uint8 [N,H,W,C]", d->path, name);
  if (r.sizes[1] != r.sizes[2] || r.sizes[1] < 1 || r.sizes[3] < 1)
    return because(STATUS_BAD, "%s: /%s has images of %llu x %llu x %llu, expected square ones", d->path, name,
                   (unsigned long long)r.sizes[1], (unsigned long long)r.sizes[2], (unsigned long long)r.sizes[3]);
  if (split == SPLIT_TRAIN) d->image_size = r.sizes[1], d->channels = r.sizes[3];
  if (r.sizes[1] != d->image_size || r.sizes[3] != d->channels)
    return because(STATUS_BAD, "%s: images of /train and /heldout differ in size or channels", d->path);
  d->count[split] = r.sizes[0], d->offset[split] = r.offset;
  if (split == SPLIT_TRAIN && r.sizes[0] == 0) return because(STATUS_BAD, "%s: holds no training images", d->path);
  return STATUS_OK;
}

static int open_class_names(struct dataset *d, hid_t file, uint64_t file_bytes) {
  struct dataset_raw r;
  int status = dataset_find(file, d->path, "class_names", file_bytes, &r);
  if (status) return status;
  if (r.rank != 1 || r.element != CLASS_NAME_MAX || r.sizes[0] < 1 || r.sizes[0] > INT32_MAX)
    return because(STATUS_BAD, "%s: /class_names is not a list of strings of %d bytes", d->path, CLASS_NAME_MAX);
  d->classes = r.sizes[0];
  d->class_names = malloc(r.bytes);
  if (!d->class_names) return because(STATUS_NOMEM, "%s: no memory for %zu class names", d->path, d->classes);
  status = dataset_read_at(d->fd, d->path, d->class_names, r.bytes, r.offset);
  for (size_t i = 0; i < d->classes && !status; i++) d->class_names[i][CLASS_NAME_MAX - 1] = 0;
  return status;
}

static int open_labels(struct dataset *d, hid_t file, uint64_t file_bytes, int split) {
  struct dataset_raw r;
  char name[32];
  snprintf(name, sizeof name, "%s/labels", dataset_splits[split]);
  int status = dataset_find(file, d->path, name, file_bytes, &r);
  if (status) return status;
  if (r.rank != 1 || !r.whole) return because(STATUS_BAD, "%s: /%s is not int32 [N]", d->path, name);
  if (r.sizes[0] != d->count[split])
    return because(STATUS_BAD, "%s: /%s has %llu labels for %zu images", d->path, name, (unsigned long long)r.sizes[0],
                   d->count[split]);
  d->labels[split] = malloc(r.bytes + 1);   /* there may be none */
  if (!d->labels[split]) return because(STATUS_NOMEM, "%s: no memory for %zu labels", d->path, d->count[split]);
  status = dataset_read_at(d->fd, d->path, d->labels[split], r.bytes, r.offset);
  for (size_t i = 0; i < d->count[split] && !status; i++) {
    const int32_t label = d->labels[split][i];
    if (label < 0 || (size_t)label >= d->classes)
      status = because(STATUS_BAD, "%s: label %d of image %zu of /%s is out of range, expected 0 to %zu", d->path, label, i,
                       dataset_splits[split], d->classes - 1);
  }
  return status ? status : dataset_compare_all(d->fd, file, d->path, name, file_bytes);
}

/* Sums of the images, in files that have them. */
static int open_sums(struct dataset *d, hid_t file, uint64_t file_bytes, int split) {
  struct dataset_raw r;
  char name[32];
  snprintf(name, sizeof name, "%s/sums", dataset_splits[split]);
  if (H5Lexists(file, name, H5P_DEFAULT) <= 0) return STATUS_OK;
  int status = dataset_find(file, d->path, name, file_bytes, &r);
  if (status) return status;
  if (r.rank != 1 || r.element != sizeof(uint64_t) || r.sizes[0] != d->count[split])
    return because(STATUS_BAD, "%s: /%s is not a sum for each of %zu images", d->path, name, d->count[split]);
  d->sums[split] = malloc(r.bytes + 1);   /* there may be none */
  if (!d->sums[split]) return because(STATUS_NOMEM, "%s: no memory for %zu sums", d->path, d->count[split]);
  status = dataset_read_at(d->fd, d->path, d->sums[split], r.bytes, r.offset);
  return status ? status : dataset_compare_all(d->fd, file, d->path, name, file_bytes);
}

int dataset_open(struct dataset *d, const char *path) {
  hid_t file;
  uint64_t bytes;
  *d = (struct dataset) { .fd = -1, .path = malloc(strlen(path) + 1) };
  if (!d->path) return because(STATUS_NOMEM, "%s: no memory to open it", path);
  strcpy(d->path, path);
  int status = dataset_file_open(path, &d->fd, &file, &bytes);
  if (!status) status = open_class_names(d, file, bytes);
  for (int split = 0; split < 2 && !status; split++) {
    status = open_images(d, file, bytes, split);
    if (!status) status = open_labels(d, file, bytes, split);
    if (!status) status = open_sums(d, file, bytes, split);
  }
  dataset_file_close(-1, file);
  if (status) dataset_close(d);
  return status;
}

void dataset_close(struct dataset *d) {
  if (d->path && d->fd >= 0) close(d->fd);
  for (int split = 0; split < 2; split++) free(d->labels[split]), free(d->sums[split]);
  free(d->class_names);
  free(d->path);
  *d = (struct dataset) { .fd = -1 };
}

static uint64_t image_bytes(const struct dataset *d) { return (uint64_t)d->image_size * d->image_size * d->channels; }

/* The labels decide, not the places: where classes take turns every other place would have half of the classes. */
int dataset_half(struct dataset *half, const struct dataset *d, int which) {
  const size_t all = d->count[SPLIT_TRAIN];
  uint8_t *turn = calloc(d->classes + 1, 1);
  size_t n = 0;
  *half = *d;
  half->labels[SPLIT_TRAIN] = malloc((all + 1) * sizeof(int32_t));
  half->pick = malloc((all + 1) * sizeof *half->pick);
  int status = turn && half->pick && half->labels[SPLIT_TRAIN]
                 ? STATUS_OK : because(STATUS_NOMEM, "%s: no memory for half of %zu images", d->path, all);
  for (size_t i = 0; i < all && !status; i++) {
    const int32_t label = d->labels[SPLIT_TRAIN][i];
    if (turn[label] == which) half->labels[SPLIT_TRAIN][n] = label, half->pick[n++] = (uint32_t)i;
    turn[label] ^= 1;
  }
  free(turn);
  half->count[SPLIT_TRAIN] = n;
  if (!status && !n) status = because(STATUS_BAD, "%s: too few training images to halve", d->path);
  if (status) dataset_half_close(half);
  return status;
}

void dataset_half_close(struct dataset *half) {
  free(half->labels[SPLIT_TRAIN]), free(half->pick);
  half->labels[SPLIT_TRAIN] = NULL, half->pick = NULL;
}

/* Where an image lies among those of the file. */
static size_t place_of(const struct dataset *d, enum split split, size_t index) {
  assert(index < d->count[split]);
  return split == SPLIT_TRAIN && d->pick ? d->pick[index] : index;
}

int dataset_read(const struct dataset *d, enum split split, size_t index, uint8_t *u8) {
  const size_t place = place_of(d, split, index);
  const int status = dataset_read_at(d->fd, d->path, u8, image_bytes(d), d->offset[split] + place * image_bytes(d));
  if (status || !d->sums[split] || dataset_sum(u8, image_bytes(d)) == d->sums[split][place]) return status;
  return because(STATUS_BAD, "%s: damaged: image %zu of /%s differs from its checksum", d->path, place, dataset_splits[split]);
}

uint64_t dataset_sum(const uint8_t *u8, size_t bytes) { return XXH64(u8, bytes, 0); }

void dataset_expect(const struct dataset *d, enum split split, size_t index) {
  const uint64_t at = d->offset[split] + place_of(d, split, index) * image_bytes(d);
  posix_fadvise(d->fd, (off_t)at, (off_t)image_bytes(d), POSIX_FADV_WILLNEED);
}
