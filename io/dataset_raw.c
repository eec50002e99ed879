#include "io/dataset_raw.h"

#include <errno.h>
#include <fcntl.h>
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

void dataset_checksum_name(const char *name, char out[64]) {
  snprintf(out, 64, "checksums/%s", name);
  for (char *c = out + sizeof "checksums"; *c; c++) if (*c == '/') *c = '_';
}

int dataset_read_at(int fd, const char *path, void *to, uint64_t n, uint64_t offset) {
  if (!disk_read(fd, to, n, offset)) return STATUS_OK;
  return because(STATUS_IO, "%s: cannot be read from byte %llu on: %s", path, (unsigned long long)offset,
                 errno ? strerror(errno) : "the file ends too early, it was cut since it was opened");
}

int dataset_find(hid_t file, const char *path, const char *name, uint64_t file_bytes, struct dataset_raw *r) {
  *r = (struct dataset_raw) { 0 };
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

int dataset_file_open(const char *path, int *fd, hid_t *file, uint64_t *bytes) {
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

void dataset_file_close(int fd, hid_t file) {
  if (file >= 0) H5Fclose(file);
  if (fd >= 0) close(fd);
}


/* ---- checksums ---- */

static int compare_block(const struct dataset_part *p, const struct dataset_raw *data, uint64_t sums, uint64_t b, uint8_t *buffer) {
  const uint64_t n = blocks_length(data->bytes, b);
  uint64_t sum;
  int status = dataset_read_at(p->fd, p->path, &sum, sizeof sum, sums + b * sizeof sum);
  if (!status) status = dataset_read_at(p->fd, p->path, buffer, n, data->offset + b * BLOCK_BYTES);
  if (status || blocks_sum(buffer, n) == sum) return status;
  return because(STATUS_BAD, "%s: damaged: /%s, block %llu of %llu (%llu bytes from byte %llu of the file) differs from its checksum",
                 p->path, p->name, (unsigned long long)b, (unsigned long long)blocks_count(data->bytes), (unsigned long long)n,
                 (unsigned long long)(data->offset + b * BLOCK_BYTES));
}

int dataset_compare(const struct dataset_part *p, uint8_t *buffer, dataset_bad_block *bad, void *to) {
  struct dataset_raw data, sums;
  char sums_name[64];
  dataset_checksum_name(p->name, sums_name);
  int status = dataset_find(p->file, p->path, p->name, p->file_bytes, &data);
  if (!status) status = dataset_find(p->file, p->path, sums_name, p->file_bytes, &sums);
  if (status) return status;
  const uint64_t blocks = blocks_count(data.bytes);
  if (sums.rank != 1 || sums.sizes[0] != blocks || sums.element != sizeof(uint64_t))
    return because(STATUS_BAD, "%s: /%s has no checksum for each of %llu blocks", p->path, p->name, (unsigned long long)blocks);
  const struct slab share = blocks_share(blocks, p->k, p->R);
  for (uint64_t b = share.first; b < share.end && !status; b++)
    if (compare_block(p, &data, sums.offset, b, buffer))
      status = bad(to, p->name, b * BLOCK_BYTES, blocks_length(data.bytes, b));
  return status;
}

static int stop_at_first(void *to, const char *name, uint64_t first_byte, uint64_t bytes) {
  (void)to, (void)name, (void)first_byte, (void)bytes;
  return because(STATUS_BAD, "%s", status_reason());
}

int dataset_compare_all(int fd, hid_t file, const char *path, const char *name, uint64_t file_bytes) {
  uint8_t *buffer = malloc(BLOCK_BYTES);
  if (!buffer) return because(STATUS_NOMEM, "%s: no memory to verify it", path);
  const int status = dataset_compare(&(struct dataset_part){ fd, file, path, name, file_bytes, 0, 1 }, buffer, stop_at_first, NULL);
  free(buffer);
  return status;
}
