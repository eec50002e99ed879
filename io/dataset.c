#include "io/dataset.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "src/base/status.h"

enum { VERSION = 1, BLOCK = 1 << 20, PATH_SIZE = 4096 };
static const char format_name[] = "pmf-dataset";
static const char *const split_names[2] = { "train", "heldout" };
/* Every dataset but the checksums, which are /checksums/ and this name with / as _. */
static const char *const all[] = { "train/images", "train/labels", "heldout/images", "heldout/labels", "class_names" };
enum { ALL = sizeof all / sizeof *all };

static void checksum_name(const char *name, char out[64]) {
  snprintf(out, 64, "checksums/%s", name);
  for (char *c = out + sizeof "checksums"; *c; c++) if (*c == '/') *c = '_';
}

static uint64_t blocks_of(uint64_t bytes) { return (bytes + BLOCK - 1) / BLOCK; }

/* All n bytes at the offset, or STATUS_IO. */
static int read_at(int fd, const char *path, void *to, uint64_t n, uint64_t offset) {
  char *at = to;
  while (n > 0) {
    const ssize_t got = pread(fd, at, n < 1 << 30 ? (size_t)n : 1 << 30, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      return because(STATUS_IO, "%s: cannot be read at byte %llu: %s", path, (unsigned long long)offset,
                     got ? strerror(errno) : "the file ends there, it was cut since it was opened");
    at += got, n -= (uint64_t)got, offset += (uint64_t)got;
  }
  return STATUS_OK;
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
  text[0] = 0;
  const hid_t a = H5Aopen(file, name, H5P_DEFAULT);
  if (a < 0) return;
  const hid_t type = H5Aget_type(a), space = H5Aget_space(a);
  if (H5Tget_class(type) == H5T_STRING && !H5Tis_variable_str(type) && H5Tget_size(type) <= n &&
      H5Sget_simple_extent_npoints(space) == 1 && H5Aread(a, type, text) >= 0) text[n - 1] = 0;
  else text[0] = 0;
  H5Sclose(space), H5Tclose(type), H5Aclose(a);
}

static long long attribute_number(hid_t file, const char *name) {
  long long value = -1;
  const hid_t a = H5Aopen(file, name, H5P_DEFAULT);
  if (a < 0) return -1;
  const hid_t type = H5Aget_type(a), space = H5Aget_space(a);
  if (H5Tget_class(type) != H5T_INTEGER || H5Sget_simple_extent_npoints(space) != 1 ||
      H5Aread(a, H5T_NATIVE_LLONG, &value) < 0) value = -1;
  H5Sclose(space), H5Tclose(type), H5Aclose(a);
  return value;
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
  if (strcmp(format, format_name))
    return because(STATUS_BAD, "%s: not an image set: its attribute format is \"%s\", expected \"%s\"", path, format,
                   format_name);
  if (attribute_number(*file, "version") != VERSION)
    return because(STATUS_BAD, "%s: an image set of version %lld, this program reads version %d", path,
                   attribute_number(*file, "version"), VERSION);
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
  snprintf(name, sizeof name, "%s/images", split_names[split]);
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
  snprintf(name, sizeof name, "%s/labels", split_names[split]);
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
                       split_names[split], d->classes - 1);
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

int dataset_read(const struct dataset *d, enum split split, size_t index, uint8_t *u8) {
  assert(index < d->count[split]);
  const uint64_t bytes = (uint64_t)d->image_size * d->image_size * d->channels;
  return read_at(d->fd, d->path, u8, bytes, d->offset[split] + index * bytes);
}

/* ---- checksums ---- */

/* Compares the blocks of one dataset with their stored sums; buffer[BLOCK]. */
static int verify_one(int fd, hid_t file, const char *path, const char *name, uint64_t file_bytes, uint8_t *buffer) {
  struct raw data, sums;
  char sums_name[64];
  checksum_name(name, sums_name);
  int status = raw_find(file, path, name, file_bytes, &data);
  if (!status) status = raw_find(file, path, sums_name, file_bytes, &sums);
  if (status) return status;
  const uint64_t blocks = blocks_of(data.bytes);
  if (sums.rank != 1 || sums.sizes[0] != blocks || sums.element != sizeof(uint64_t))
    return because(STATUS_BAD, "%s: /%s has no checksum for each of %llu blocks", path, name, (unsigned long long)blocks);
  for (uint64_t b = 0; b < blocks && !status; b++) {
    const uint64_t left = data.bytes - b * BLOCK, n = left < BLOCK ? left : BLOCK;
    uint64_t sum;
    status = read_at(fd, path, &sum, sizeof sum, sums.offset + b * sizeof sum);
    if (!status) status = read_at(fd, path, buffer, n, data.offset + b * BLOCK);
    if (!status && XXH64(buffer, n, 0) != sum)
      status = because(STATUS_BAD, "%s: damaged: /%s, block %llu of %llu (%llu bytes from byte %llu of the file) "
                       "differs from its checksum", path, name, (unsigned long long)b, (unsigned long long)blocks,
                       (unsigned long long)n, (unsigned long long)(data.offset + b * BLOCK));
  }
  return status;
}

int dataset_verify(const char *path) {
  int fd;
  hid_t file;
  uint64_t bytes;
  uint8_t *buffer = malloc(BLOCK);
  int status = file_open(path, &fd, &file, &bytes);
  if (!buffer) status = because(STATUS_NOMEM, "%s: no memory to verify it", path);
  for (int i = 0; i < ALL && !status; i++) status = verify_one(fd, file, path, all[i], bytes, buffer);
  file_close(fd, file);
  free(buffer);
  return status;
}

/* ---- writing ---- */

/* Creates a contiguous dataset with its place in the file taken at once, and fills it. */
static bool put_raw(hid_t file, const char *name, hid_t type, int rank, const hsize_t *sizes, const void *data) {
  uint64_t count = 1;
  for (int i = 0; i < rank; i++) count *= sizes[i];
  const hid_t space = H5Screate_simple(rank, sizes, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_layout(list, H5D_CONTIGUOUS);
  H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(list, H5D_FILL_TIME_NEVER);
  H5Pset_obj_track_times(list, 0);
  const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
  bool good = set >= 0;
  if (good && count) good = H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
  if (set >= 0 && H5Dclose(set) < 0) good = false;
  H5Pclose(list), H5Sclose(space);
  return good;
}

/* The dataset and, beside it, its checksums. */
static bool put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *sizes, const void *data) {
  uint64_t bytes = H5Tget_size(type);
  for (int i = 0; i < rank; i++) bytes *= sizes[i];
  const hsize_t blocks = blocks_of(bytes);
  uint64_t *sums = malloc((blocks + 1) * sizeof *sums);
  if (!sums) return false;
  for (uint64_t b = 0; b < blocks; b++) {
    const uint64_t left = bytes - b * BLOCK;
    sums[b] = XXH64((const uint8_t *)data + b * BLOCK, left < BLOCK ? left : BLOCK, 0);
  }
  char sums_name[64];
  checksum_name(name, sums_name);
  const bool good = put_raw(file, name, type, rank, sizes, data) &&
                    put_raw(file, sums_name, H5T_NATIVE_UINT64, 1, &blocks, sums);
  free(sums);
  return good;
}

static bool put_group(hid_t file, const char *name) {
  const hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  return group >= 0 && H5Gclose(group) >= 0;
}

static bool put_attribute(hid_t file, const char *name, hid_t type, const void *value) {
  const hid_t space = H5Screate(H5S_SCALAR), a = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool good = a >= 0 && H5Awrite(a, type, value) >= 0;
  if (a >= 0 && H5Aclose(a) < 0) good = false;
  H5Sclose(space);
  return good;
}

static bool put_number(hid_t file, const char *name, long long value) {
  return put_attribute(file, name, H5T_NATIVE_LLONG, &value);
}

static bool put_text(hid_t file, const char *name, const char *text) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, strlen(text) + 1);
  const bool good = put_attribute(file, name, type, text);
  H5Tclose(type);
  return good;
}

static bool put_split(hid_t file, int split, const struct images *m) {
  char name[32];
  const hsize_t sizes[4] = { m->count, m->size, m->size, m->channels };
  snprintf(name, sizeof name, "%s/images", split_names[split]);
  if (!put_group(file, split_names[split]) || !put(file, name, H5T_NATIVE_UINT8, 4, sizes, m->pixels)) return false;
  snprintf(name, sizeof name, "%s/labels", split_names[split]);
  return put(file, name, H5T_NATIVE_INT32, 1, sizes, m->labels);
}

static bool put_class_names(hid_t file, size_t classes, char (*names)[CLASS_NAME_MAX]) {
  const hsize_t count = classes;
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, CLASS_NAME_MAX);
  const bool good = put(file, "class_names", type, 1, &count, names);
  H5Tclose(type);
  return good;
}

static bool put_provenance(hid_t file, const struct images *train, const struct images *heldout, const char *source,
                           const char *command, size_t dropped) {
  char created[32];
  const time_t now = time(NULL);
  strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
  return put_text(file, "format", format_name) && put_number(file, "version", VERSION) &&
         put_text(file, "program", "pmf pack") && put_text(file, "command", command) && put_text(file, "source", source) &&
         put_text(file, "created", created) && put_number(file, "image_size", (long long)train->size) &&
         put_number(file, "channels", (long long)train->channels) &&
         put_number(file, "classes", (long long)train->classes) &&
         put_number(file, "train_images", (long long)train->count) &&
         put_number(file, "heldout_images", (long long)heldout->count) &&
         put_number(file, "duplicates_dropped", (long long)dropped);
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

/* Everything, the completeness mark last and after all else has been flushed. */
static bool put_file(const char *path, const struct images *train, const struct images *heldout,
                     char (*class_names)[CLASS_NAME_MAX], const char *source, const char *command, size_t dropped) {
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  if (file < 0) return false;
  bool good = put_group(file, "checksums") && put_split(file, SPLIT_TRAIN, train) &&
              put_split(file, SPLIT_HELDOUT, heldout) && put_class_names(file, train->classes, class_names) &&
              put_provenance(file, train, heldout, source, command, dropped) && H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0 &&
              put_number(file, "complete", 1);
  if (!good) make_room(path);
  if (H5Fclose(file) < 0) good = false;
  return good;
}

/* Open addressing: place of an image in the table by the hash of its pixels, by its bytes where hashes are equal. */
struct seen { size_t places, bytes; const uint8_t **image; uint64_t *hash; };

/* Nonzero if an equal image was there already; else it is there now. */
static bool seen_add(struct seen *s, const uint8_t *pixels) {
  const uint64_t hash = XXH64(pixels, s->bytes, 0);
  size_t i = hash % s->places;
  for (; s->image[i]; i = (i + 1) % s->places)
    if (s->hash[i] == hash && !memcmp(s->image[i], pixels, s->bytes)) return true;
  s->image[i] = pixels, s->hash[i] = hash;
  return false;
}

/* kept: the held-out images that occur neither in train nor earlier; its arrays are malloc'ed. */
static int drop_duplicates(const struct images *train, const struct images *heldout, struct images *kept) {
  const size_t bytes = train->size * train->size * train->channels, room = heldout->count + 1;
  struct seen s = { .places = 2 * (train->count + heldout->count) + 1, .bytes = bytes };
  *kept = *heldout;
  kept->count = 0;
  s.image = calloc(s.places, sizeof *s.image), s.hash = malloc(s.places * sizeof *s.hash);
  kept->pixels = malloc(room * bytes), kept->labels = malloc(room * sizeof *kept->labels);
  const bool memory = s.image && s.hash && kept->pixels && kept->labels;
  for (size_t i = 0; memory && i < train->count; i++) seen_add(&s, train->pixels + i * bytes);
  for (size_t i = 0; memory && i < heldout->count; i++) {
    const uint8_t *pixels = heldout->pixels + i * bytes;
    if (seen_add(&s, pixels)) continue;
    memcpy(kept->pixels + kept->count * bytes, pixels, bytes);
    kept->labels[kept->count++] = heldout->labels[i];
  }
  free(s.image), free(s.hash);
  return memory ? STATUS_OK : because(STATUS_NOMEM, "no memory to compare %zu images", train->count + heldout->count);
}

/* fsync of a file or folder. */
static bool to_disk(const char *path) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return false;
  const bool good = !fsync(fd);
  return !close(fd) && good;
}

int dataset_write(const char *path, const struct images *train, const struct images *heldout,
                  char (*class_names)[CLASS_NAME_MAX], const char *source, const char *command, size_t *duplicates_dropped) {
  assert(train->count > 0 && train->classes > 0);
  assert(heldout->size == train->size && heldout->channels == train->channels && heldout->classes == train->classes);
  char temporary[PATH_SIZE], folder[PATH_SIZE];
  if ((size_t)snprintf(temporary, sizeof temporary, "%s.tmp", path) >= sizeof temporary)
    return because(STATUS_BAD, "%.200s...: the name is too long", path);
  struct images kept;
  int status = drop_duplicates(train, heldout, &kept);
  if (!status) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    snprintf(folder, sizeof folder, "%s", path);
    errno = 0;
    *duplicates_dropped = heldout->count - kept.count;
    const uint64_t images = train->count + kept.count;   /* with a mebibyte for names and the like */
    const uint64_t bytes = images * (train->size * train->size * train->channels + sizeof(int32_t)) + BLOCK;
    if (!may_write(temporary, bytes) ||
        !put_file(temporary, train, &kept, class_names, source, command, *duplicates_dropped) || !to_disk(temporary) ||
        rename(temporary, path) || !to_disk(dirname(folder))) {
      status = because(STATUS_IO, "%s: cannot be written: %s", path, errno ? strerror(errno) : "HDF5 failed");
      unlink(temporary);
    }
  }
  free(kept.pixels), free(kept.labels);
  return status;
}
