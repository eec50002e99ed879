#include "io/dataset.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/blocks.h"
#include "io/dataset_draft.h"
#include "io/disk.h"
#include "io/hdf.h"
#include "src/base/status.h"

const char dataset_format[] = "pmf-dataset";
const char *const dataset_splits[2] = { "train", "heldout" };
/* Every dataset but the checksums. */
static const char *const all[] = { "train/images", "train/labels", "heldout/images", "heldout/labels", "class_names" };
enum { ALL = sizeof all / sizeof *all };

void dataset_checksum_name(const char *name, char out[64]) {
  snprintf(out, 64, "checksums/%s", name);
  for (char *c = out + sizeof "checksums"; *c; c++) if (*c == '/') *c = '_';
}

/* All n bytes at the offset, or STATUS_IO. */
static int read_at(int fd, const char *path, void *to, uint64_t n, uint64_t offset) {
  if (!disk_read(fd, to, n, offset)) return STATUS_OK;
  return because(STATUS_IO, "%s: cannot be read from byte %llu on: %s", path, (unsigned long long)offset,
                 errno ? strerror(errno) : "the file ends too early, it was cut since it was opened");
}

/* ---- reading ---- */

/* A dataset that lies raw and whole in the file. */
struct raw {
  int rank;
  hsize_t sizes[4];
  uint64_t offset, bytes, element;   /* in bytes */
  bool bytewise, whole;              /* elements are uint8; are int32 */
};

static int raw_find(hid_t file, const char *path, const char *name, uint64_t file_bytes, struct raw *r) {
  *r = (struct raw) { 0 };
  const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
  if (set < 0) return because(STATUS_BAD, "%s: lacks the dataset /%s", path, name);
  const hid_t space = H5Dget_space(set), type = H5Dget_type(set), list = H5Dget_create_plist(set);
  const haddr_t offset = H5Dget_offset(set);
  r->rank = H5Sget_simple_extent_ndims(space);
  r->element = H5Tget_size(type);
  r->bytewise = H5Tequal(type, H5T_NATIVE_UINT8) > 0, r->whole = H5Tequal(type, H5T_NATIVE_INT32) > 0;
  const bool contiguous = H5Pget_layout(list) == H5D_CONTIGUOUS && H5Pget_external_count(list) == 0;
  if (r->rank >= 0 && r->rank <= 4) H5Sget_simple_extent_dims(space, r->sizes, NULL);
  H5Pclose(list), H5Tclose(type), H5Sclose(space), H5Dclose(set);
  if (!contiguous || r->rank < 1 || r->rank > 4)
    return because(STATUS_BAD, "%s: /%s is not a contiguous array of rank 1 to 4", path, name);
  uint64_t count = 1;
  bool fits = true;
  for (int i = 0; i < r->rank; i++) if (r->sizes[i] == 0) count = 0;
  for (int i = 0; i < r->rank && count; i++) {   /* no product beyond what the file can hold */
    fits = fits && r->sizes[i] <= file_bytes / r->element / count;
    if (fits) count *= r->sizes[i];
  }
  r->bytes = count * r->element;
  if (count == 0) return STATUS_OK;
  if (offset == HADDR_UNDEF) return because(STATUS_BAD, "%s: /%s was never written", path, name);
  if (!fits || offset > file_bytes - r->bytes)
    return because(STATUS_BAD, "%s: cut short: /%s goes beyond the file's end at byte %llu", path, name,
                   (unsigned long long)file_bytes);
  r->offset = offset;
  return STATUS_OK;
}

/* The root's attribute as text ("" if it has none) or as a number (-1). */
static void attribute_text(hid_t file, const char *name, char *text, size_t n) {
  if (hdf_get_text(file, name, text, n)) text[0] = 0;
}

static long long attribute_number(hid_t file, const char *name) {
  uint64_t value;
  return hdf_get_number(file, name, &value) ? -1 : (long long)value;
}

static int refused_by_hdf5(const char *path, int cause) {
  if (cause == EAGAIN || cause == ENOSYS || cause == 524)   /* flock failed; 524 is the kernel's ENOTSUPP */
    return because(STATUS_BAD, "%s: cannot be locked; HDF5_USE_FILE_LOCKING=FALSE in the environment may help", path);
  return because(STATUS_BAD, "%s: cut short or damaged: HDF5 cannot open it", path);
}

/* Opens the file both ways and checks that it is a whole dataset file of this version. */
static int file_open(const char *path, int *fd, hid_t *file, uint64_t *bytes) {
  struct stat facts;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);   /* our one line says it */
  *file = H5I_INVALID_HID;
  *fd = open(path, O_RDONLY | O_CLOEXEC);
  if (*fd < 0 && errno == ENOENT)
    return because(STATUS_BAD, "%s: no such file, expected an image set made by pmf pack", path);
  if (*fd < 0 || fstat(*fd, &facts)) return because(STATUS_BAD, "%s: cannot be opened: %s", path, strerror(errno));
  if (!S_ISREG(facts.st_mode))
    return because(STATUS_BAD, "%s: not a file, expected an image set made by pmf pack", path);
  *bytes = (uint64_t)facts.st_size;
  if (H5Fis_hdf5(path) <= 0)
    return because(STATUS_BAD, "%s: not an HDF5 file, expected an image set made by pmf pack", path);
  errno = 0;
  *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (*file < 0) return refused_by_hdf5(path, errno);
  char format[64];
  attribute_text(*file, "format", format, sizeof format);
  if (strcmp(format, dataset_format))
    return because(STATUS_BAD, "%s: not an image set: its attribute format is \"%s\", expected \"%s\"", path, format,
                   dataset_format);
  if (attribute_number(*file, "version") != DATASET_VERSION)
    return because(STATUS_BAD, "%s: an image set of version %lld, this program reads version %d", path,
                   attribute_number(*file, "version"), DATASET_VERSION);
  if (attribute_number(*file, "complete") != 1)
    return because(STATUS_BAD, "%s: incomplete: the mark that is written last is missing; pack it again", path);
  return STATUS_OK;
}

static void file_close(int fd, hid_t file) {
  if (file >= 0) H5Fclose(file);
  if (fd >= 0) close(fd);
}

static int open_images(struct dataset *d, hid_t file, uint64_t file_bytes, int split) {
  struct raw r;
  char name[32];
  snprintf(name, sizeof name, "%s/images", dataset_splits[split]);
  const int status = raw_find(file, d->path, name, file_bytes, &r);
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
  struct raw r;
  int status = raw_find(file, d->path, "class_names", file_bytes, &r);
  if (status) return status;
  if (r.rank != 1 || r.element != CLASS_NAME_MAX || r.sizes[0] < 1 || r.sizes[0] > INT32_MAX)
    return because(STATUS_BAD, "%s: /class_names is not a list of strings of %d bytes", d->path, CLASS_NAME_MAX);
  d->classes = r.sizes[0];
  d->class_names = malloc(r.bytes);
  if (!d->class_names) return because(STATUS_NOMEM, "%s: no memory for %zu class names", d->path, d->classes);
  status = read_at(d->fd, d->path, d->class_names, r.bytes, r.offset);
  for (size_t i = 0; i < d->classes && !status; i++) d->class_names[i][CLASS_NAME_MAX - 1] = 0;
  return status;
}

static int open_labels(struct dataset *d, hid_t file, uint64_t file_bytes, int split) {
  struct raw r;
  char name[32];
  snprintf(name, sizeof name, "%s/labels", dataset_splits[split]);
  int status = raw_find(file, d->path, name, file_bytes, &r);
  if (status) return status;
  if (r.rank != 1 || !r.whole) return because(STATUS_BAD, "%s: /%s is not int32 [N]", d->path, name);
  if (r.sizes[0] != d->count[split])
    return because(STATUS_BAD, "%s: /%s has %llu labels for %zu images", d->path, name, (unsigned long long)r.sizes[0],
                   d->count[split]);
  d->labels[split] = malloc(r.bytes + 1);   /* there may be none */
  if (!d->labels[split]) return because(STATUS_NOMEM, "%s: no memory for %zu labels", d->path, d->count[split]);
  status = read_at(d->fd, d->path, d->labels[split], r.bytes, r.offset);
  for (size_t i = 0; i < d->count[split] && !status; i++) {
    const int32_t label = d->labels[split][i];
    if (label < 0 || (size_t)label >= d->classes)
      status = because(STATUS_BAD, "%s: label %d of image %zu of /%s is out of range, expected 0 to %zu", d->path, label, i,
                       dataset_splits[split], d->classes - 1);
  }
  return status;
}

int dataset_open(struct dataset *d, const char *path) {
  hid_t file;
  uint64_t bytes;
  *d = (struct dataset) { .fd = -1, .path = malloc(strlen(path) + 1) };
  if (!d->path) return because(STATUS_NOMEM, "%s: no memory to open it", path);
  strcpy(d->path, path);
  int status = file_open(path, &d->fd, &file, &bytes);
  if (!status) status = open_class_names(d, file, bytes);
  for (int split = 0; split < 2 && !status; split++) {
    status = open_images(d, file, bytes, split);
    if (!status) status = open_labels(d, file, bytes, split);
  }
  file_close(-1, file);
  if (status) dataset_close(d);
  return status;
}

void dataset_close(struct dataset *d) {
  if (d->path && d->fd >= 0) close(d->fd);
  for (int split = 0; split < 2; split++) free(d->labels[split]);
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

/* Where an image begins in the file. */
static uint64_t place_of(const struct dataset *d, enum split split, size_t index) {
  return d->offset[split] + (split == SPLIT_TRAIN && d->pick ? d->pick[index] : index) * image_bytes(d);
}

int dataset_read(const struct dataset *d, enum split split, size_t index, uint8_t *u8) {
  assert(index < d->count[split]);
  return read_at(d->fd, d->path, u8, image_bytes(d), place_of(d, split, index));
}

void dataset_expect(const struct dataset *d, enum split split, size_t index) {
  assert(index < d->count[split]);
  posix_fadvise(d->fd, (off_t)place_of(d, split, index), (off_t)image_bytes(d), POSIX_FADV_WILLNEED);
}

/* ---- checksums ---- */

/* Compares the blocks of one dataset with their stored sums; buffer[BLOCK_BYTES]. */
static int verify_one(int fd, hid_t file, const char *path, const char *name, uint64_t file_bytes, uint8_t *buffer) {
  struct raw data, sums;
  char sums_name[64];
  dataset_checksum_name(name, sums_name);
  int status = raw_find(file, path, name, file_bytes, &data);
  if (!status) status = raw_find(file, path, sums_name, file_bytes, &sums);
  if (status) return status;
  const uint64_t blocks = blocks_count(data.bytes);
  if (sums.rank != 1 || sums.sizes[0] != blocks || sums.element != sizeof(uint64_t))
    return because(STATUS_BAD, "%s: /%s has no checksum for each of %llu blocks", path, name, (unsigned long long)blocks);
  for (uint64_t b = 0; b < blocks && !status; b++) {
    const uint64_t n = blocks_length(data.bytes, b);
    uint64_t sum;
    status = read_at(fd, path, &sum, sizeof sum, sums.offset + b * sizeof sum);
    if (!status) status = read_at(fd, path, buffer, n, data.offset + b * BLOCK_BYTES);
    if (!status && blocks_sum(buffer, n) != sum)
      status = because(STATUS_BAD, "%s: damaged: /%s, block %llu of %llu (%llu bytes from byte %llu of the file) "
                       "differs from its checksum", path, name, (unsigned long long)b, (unsigned long long)blocks,
                       (unsigned long long)n, (unsigned long long)(data.offset + b * BLOCK_BYTES));
  }
  return status;
}

int dataset_verify(const char *path) {
  int fd;
  hid_t file;
  uint64_t bytes;
  uint8_t *buffer = malloc(BLOCK_BYTES);
  int status = file_open(path, &fd, &file, &bytes);
  if (!buffer) status = because(STATUS_NOMEM, "%s: no memory to verify it", path);
  for (int i = 0; i < ALL && !status; i++) status = verify_one(fd, file, path, all[i], bytes, buffer);
  file_close(fd, file);
  free(buffer);
  return status;
}
