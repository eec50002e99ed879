#include "io/dataset_draft.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/blocks.h"
#include "io/disk.h"
#include "io/hdf.h"
#include "src/base/status.h"

enum { PATH_SIZE = 4096 };

static void temporary_name(const struct dataset_draft *d, char name[PATH_SIZE + 8]) {
  snprintf(name, PATH_SIZE + 8, "%s.tmp", d->path);
}

static int cannot_be_written(const struct dataset_draft *d) {
  return because(STATUS_IO, "%s: cannot be written: %s", d->path, errno ? strerror(errno) : "HDF5 failed");
}

/* ---- all but the pixels ---- */

/* Creates a contiguous dataset with its place in the file taken at once; fills it unless data is NULL; says where it is. */
static bool put_raw(hid_t file, const char *name, hid_t type, int rank, const hsize_t *sizes, const void *data,
                    uint64_t *offset) {
  uint64_t count = 1;
  for (int i = 0; i < rank; i++) count *= sizes[i];
  const hid_t space = H5Screate_simple(rank, sizes, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_layout(list, H5D_CONTIGUOUS);
  H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(list, H5D_FILL_TIME_NEVER);
  H5Pset_obj_track_times(list, 0);
  const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
  bool good = set >= 0;
  if (good && count && data) good = H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
  if (good && count && offset) {
    *offset = H5Dget_offset(set);
    good = *offset != HADDR_UNDEF;
  }
  if (set >= 0 && H5Dclose(set) < 0) good = false;
  H5Pclose(list), H5Sclose(space);
  return good;
}

/* The dataset and, beside it, its checksums. */
static bool put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *sizes, const void *data) {
  uint64_t bytes = H5Tget_size(type);
  for (int i = 0; i < rank; i++) bytes *= sizes[i];
  const hsize_t blocks = blocks_count(bytes);
  uint64_t *sums = malloc((blocks + 1) * sizeof *sums);
  if (!sums) return false;
  for (uint64_t b = 0; b < blocks; b++)
    sums[b] = blocks_sum((const uint8_t *)data + b * BLOCK_BYTES, blocks_length(bytes, b));
  char sums_name[64];
  dataset_checksum_name(name, sums_name);
  const bool good = put_raw(file, name, type, rank, sizes, data, NULL) &&
                    put_raw(file, sums_name, H5T_NATIVE_UINT64, 1, &blocks, sums, NULL);
  free(sums);
  return good;
}

static bool put_group(hid_t file, const char *name) {
  const hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  return group >= 0 && H5Gclose(group) >= 0;
}

/* Images and their checksums, by block and one by one, get their places, labels their values. */
static bool put_split(hid_t file, int split, const struct dataset_plan *p, struct dataset_draft *d) {
  char name[32], sums_name[64];
  const hsize_t sizes[4] = { p->count[split], p->size, p->size, p->channels };
  const hsize_t blocks = blocks_count(p->count[split] * d->image_bytes), each_blocks = blocks_count(p->count[split] * sizeof(uint64_t));
  snprintf(name, sizeof name, "%s/images", dataset_splits[split]);
  dataset_checksum_name(name, sums_name);
  if (!put_group(file, dataset_splits[split]) ||
      !put_raw(file, name, H5T_NATIVE_UINT8, 4, sizes, NULL, &d->images[split]) ||
      !put_raw(file, sums_name, H5T_NATIVE_UINT64, 1, &blocks, NULL, &d->sums[split])) return false;
  snprintf(name, sizeof name, "%s/sums", dataset_splits[split]);
  dataset_checksum_name(name, sums_name);
  if (!put_raw(file, name, H5T_NATIVE_UINT64, 1, sizes, NULL, &d->each[split]) ||
      !put_raw(file, sums_name, H5T_NATIVE_UINT64, 1, &each_blocks, NULL, &d->each_sums[split])) return false;
  snprintf(name, sizeof name, "%s/labels", dataset_splits[split]);
  return put(file, name, H5T_NATIVE_INT32, 1, sizes, p->labels[split]);
}

static bool put_class_names(hid_t file, const struct dataset_plan *p) {
  const hsize_t count = p->classes;
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, CLASS_NAME_MAX);
  const bool good = put(file, "class_names", type, 1, &count, p->class_names);
  H5Tclose(type);
  return good;
}

static bool put_provenance(hid_t file, const struct dataset_plan *p) {
  char created[32];
  const time_t now = time(NULL);
  strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
  return !hdf_put_text(file, "format", dataset_format) && !hdf_put_number(file, "version", DATASET_VERSION) &&
         !hdf_put_text(file, "program", "pmf pack") && !hdf_put_text(file, "command", p->command) &&
         !hdf_put_text(file, "source", p->source) && !hdf_put_text(file, "created", created) &&
         !hdf_put_number(file, "image_size", p->size) && !hdf_put_number(file, "channels", p->channels) &&
         !hdf_put_number(file, "classes", p->classes) &&
         !hdf_put_number(file, "train_images", p->count[SPLIT_TRAIN]) &&
         !hdf_put_number(file, "heldout_images", p->count[SPLIT_HELDOUT]) &&
         !hdf_put_number(file, "duplicates_dropped", p->duplicates_dropped);
}

/* HDF5 1.10 crashes at exit after a file that it could not close, so nothing may fail there. What the system says
 * beforehand: may the file be written, and be this large? */
static bool may_write(const char *path, uint64_t bytes) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  const bool good = !ftruncate(fd, (off_t)bytes);
  return !close(fd) && good;
}

/* And on a full disk: gives back what the file took, so that its last few blocks find room. */
static void make_room(const char *path) {
  const int cause = errno;
  if (!truncate(path, 0)) errno = cause;
}

/* The mark is there from the beginning, as 0, so that setting it needs no room. */
static bool put_file(const char *path, const struct dataset_plan *p, struct dataset_draft *d) {
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  if (file < 0) return false;
  bool good = put_group(file, "checksums") && put_split(file, SPLIT_TRAIN, p, d) && put_split(file, SPLIT_HELDOUT, p, d) &&
              put_class_names(file, p) && put_provenance(file, p) && !hdf_put_number(file, "complete", 0) &&
              H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0;
  if (!good) make_room(path);
  if (H5Fclose(file) < 0) good = false;
  return good;
}

int dataset_draft_create(struct dataset_draft *d, const char *path, const struct dataset_plan *plan) {
  assert(plan->count[SPLIT_TRAIN] > 0 && plan->classes > 0);
  char temporary[PATH_SIZE + 8];
  *d = (struct dataset_draft) { .image_bytes = plan->size * plan->size * plan->channels };
  if ((size_t)snprintf(d->path, sizeof d->path, "%s", path) >= sizeof d->path) {
    d->path[0] = 0;   /* nothing to drop */
    return because(STATUS_BAD, "%.200s...: the name is too long", path);
  }
  uint64_t bytes = BLOCK_BYTES + plan->classes * CLASS_NAME_MAX;   /* with a mebibyte for attributes and the like */
  for (int split = 0; split < 2; split++) {
    d->count[split] = plan->count[split];
    const uint64_t data = d->count[split] * (d->image_bytes + sizeof(int32_t));
    bytes += data + data / BLOCK_BYTES * sizeof(uint64_t);
  }
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);   /* our one line says it */
  temporary_name(d, temporary);
  errno = 0;
  if (may_write(temporary, bytes) && put_file(temporary, plan, d)) return STATUS_OK;
  const int status = cannot_be_written(d);
  dataset_draft_drop(d);
  return status;
}

/* ---- the pixels ---- */

/* The n bytes from `first` on of the split's images, which follow each other. */
static int assemble(const struct dataset_draft *d, int split, size_t first, size_t n, dataset_fetch *fetch, void *from,
                    uint8_t *block) {
  int status = STATUS_OK;
  for (size_t done = 0; done < n && !status;) {
    const size_t index = (first + done) / d->image_bytes, skip = (first + done) % d->image_bytes;
    const size_t left = d->image_bytes - skip, piece = left < n - done ? left : n - done;
    status = fetch(from, split, index, skip, piece, block + done);
    done += piece;
  }
  return status;
}

/* Blocks of one split; block[BLOCK_BYTES] is scratch. */
static int fill_split(const struct dataset_draft *d, int fd, int split, struct slab share, dataset_fetch *fetch, void *from,
                      uint8_t *block) {
  const size_t bytes = d->count[split] * d->image_bytes;
  int status = STATUS_OK;
  for (size_t b = share.first; b < share.end && !status; b++) {
    const size_t n = blocks_length(bytes, b);
    status = assemble(d, split, b * BLOCK_BYTES, n, fetch, from, block);
    const uint64_t sum = status ? 0 : blocks_sum(block, n);
    if (!status && (disk_write(fd, block, n, d->images[split] + b * BLOCK_BYTES) ||
                    disk_write(fd, &sum, sizeof sum, d->sums[split] + b * sizeof sum))) status = cannot_be_written(d);
  }
  return status;
}

/* The checksums of a share of one split's images. */
static int fill_sums(const struct dataset_draft *d, int fd, int split, struct slab share, dataset_fetch *fetch, void *from) {
  const size_t n = share.end - share.first;
  uint8_t *image = malloc(d->image_bytes);
  uint64_t *sums = malloc((n + 1) * sizeof *sums);
  int status = image && sums ? STATUS_OK : because(STATUS_NOMEM, "%s: no memory to write it", d->path);
  for (size_t i = 0; i < n && !status; i++) {
    status = fetch(from, split, share.first + i, 0, d->image_bytes, image);
    sums[i] = status ? 0 : dataset_sum(image, d->image_bytes);
  }
  if (!status && n && disk_write(fd, sums, n * sizeof *sums, d->each[split] + share.first * sizeof *sums)) status = cannot_be_written(d);
  free(image), free(sums);
  return status;
}

int dataset_draft_fill(const struct dataset_draft *d, int k, int R, dataset_fetch *fetch, void *from) {
  char temporary[PATH_SIZE + 8];
  temporary_name(d, temporary);
  uint8_t *block = malloc(BLOCK_BYTES);
  if (!block) return because(STATUS_NOMEM, "%s: no memory to write it", d->path);
  errno = 0;
  const int fd = open(temporary, O_WRONLY | O_CLOEXEC);
  int status = fd < 0 ? cannot_be_written(d) : STATUS_OK;
  for (int split = 0; split < 2 && !status; split++) {
    const struct slab share = blocks_share(blocks_count(d->count[split] * d->image_bytes), k, R);
    status = fill_split(d, fd, split, share, fetch, from, block);
    if (!status) status = fill_sums(d, fd, split, blocks_share(d->count[split], k, R), fetch, from);
  }
  if (!status && fsync(fd)) status = cannot_be_written(d);
  if (fd >= 0 && close(fd) && !status) status = cannot_be_written(d);
  free(block);
  return status;
}

/* ---- the end ---- */

/* The blocks of what all wrote: of the checksums of the images. */
static bool sum_sums(const struct dataset_draft *d, const char *path) {
  uint8_t *block = malloc(BLOCK_BYTES);
  const int fd = block ? open(path, O_RDWR | O_CLOEXEC) : -1;
  bool good = fd >= 0;
  for (int split = 0; split < 2; split++) {
    const size_t bytes = d->count[split] * sizeof(uint64_t);
    for (size_t b = 0; b < blocks_count(bytes) && good; b++) {
      const size_t n = blocks_length(bytes, b);
      good = !disk_read(fd, block, n, d->each[split] + b * BLOCK_BYTES);
      const uint64_t sum = good ? blocks_sum(block, n) : 0;
      good = good && !disk_write(fd, &sum, sizeof sum, d->each_sums[split] + b * sizeof sum);
    }
  }
  if (fd >= 0 && close(fd)) good = false;
  free(block);
  return good;
}

static bool set_mark(const char *path) {
  const long long one = 1;
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  if (file < 0) return false;
  const hid_t mark = H5Aopen(file, "complete", H5P_DEFAULT);
  bool good = mark >= 0 && H5Awrite(mark, H5T_NATIVE_LLONG, &one) >= 0;
  if (mark >= 0 && H5Aclose(mark) < 0) good = false;
  return H5Fclose(file) >= 0 && good;
}

int dataset_draft_finish(const struct dataset_draft *d) {
  char temporary[PATH_SIZE + 8];
  temporary_name(d, temporary);
  errno = 0;
  if (sum_sums(d, temporary) && set_mark(temporary) && !disk_sync(temporary) && !rename(temporary, d->path) && !disk_sync_folder(d->path))
    return STATUS_OK;
  return cannot_be_written(d);
}

void dataset_draft_drop(const struct dataset_draft *d) {
  char temporary[PATH_SIZE + 8];
  temporary_name(d, temporary);
  if (*d->path) unlink(temporary);
}
