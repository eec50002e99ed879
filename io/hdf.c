#include "io/hdf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/status.h"

void hdf_start(void) {
  H5dont_atexit();
  H5open();
}

void hdf_quiet(void) { H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

static _Thread_local char cause[512];

/* Walks from the innermost entry outwards and stops at the first. */
static herr_t innermost(unsigned n, const H5E_error2_t *entry, void *text) {
  (void)n;
  snprintf(text, sizeof cause, "%s", entry->desc ? entry->desc : "");
  return 1;
}

/* HDF5 tells the time, names and addresses around the system's own words: "file write failed: No space left on device". */
static void shorten(char *text) {
  static const char before[] = "error message = '";
  const char *words = strstr(text, before);
  text[strcspn(text, words ? ":," : "\n")] = 0;
  if (!words) return;
  words += sizeof before - 1;
  const size_t kept = strlen(text), length = strcspn(words, "'");
  memmove(text + kept + 2, words, length);
  memcpy(text + kept, ": ", 2);
  text[kept + 2 + length] = 0;
}

int hdf_fail(void) {
  snprintf(cause, sizeof cause, "no reason given by HDF5");
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, cause);
  shorten(cause);
  return -1;
}

#define LOCK_HINT "HDF5_USE_FILE_LOCKING=FALSE in the environment may help"

int hdf_because(const char *path, const char *what) {
  const int lock = strstr(cause, "lock file") != NULL;
  return because(STATUS_IO, "%s: %s: %s%s", path, what, cause, lock ? "; " LOCK_HINT : "");
}

/* What HDF5 writes from now on into its descriptor of this file goes nowhere. */
static void divert(hid_t file) {
  void *descriptor;
  FILE *nowhere = tmpfile();
  if (nowhere && H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor) >= 0) dup2(fileno(nowhere), *(int *)descriptor);
  if (nowhere) fclose(nowhere);
}

int hdf_close(hid_t file) {
  if (H5Fflush(file, H5F_SCOPE_LOCAL) >= 0) return H5Fclose(file) < 0 ? hdf_fail() : 0;
  hdf_fail();   /* this is the reason, whatever follows */
  divert(file);
  H5Fclose(file);
  return -1;
}

/* Does the system say that there is no such file, rather than that it cannot look now? */
static bool is_missing(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG;
}

/* What says nothing of the file's content: it may be sound. */
static bool is_passing(int error) {
  return error == EIO || error == ESTALE || error == ETIMEDOUT || error == EINTR || error == EACCES || error == EPERM
         || error == EMFILE || error == ENFILE;
}

int hdf_open(hid_t *file, const char *path) {
  struct stat s;
  hdf_quiet();
  *file = -1;
  if (stat(path, &s)) return because(is_missing(errno) ? STATUS_BAD : STATUS_IO, "%s: %s", path,
                                     errno == ENOENT ? "missing" : strerror(errno));
  if (S_ISDIR(s.st_mode)) return because(STATUS_BAD, "%s: a directory, expected an HDF5 file", path);
  if (access(path, R_OK)) return because(STATUS_IO, "%s: cannot be opened: %s", path, strerror(errno));
  errno = 0;
  const htri_t is = H5Fis_hdf5(path);
  if (is <= 0 && is_passing(errno)) return because(STATUS_IO, "%s: cannot be read: %s", path, strerror(errno));
  if (is <= 0) return because(STATUS_BAD, "%s: not an HDF5 file", path);
  errno = 0;
  *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (*file >= 0) return STATUS_OK;
  if (errno == EAGAIN || errno == ENOLCK || errno == ENOSYS || errno == 524)   /* flock failed; 524 is the kernel's ENOTSUPP */
    return because(STATUS_IO, "%s: cannot be locked; " LOCK_HINT, path);
  if (is_passing(errno)) return because(STATUS_IO, "%s: cannot be opened: %s", path, strerror(errno));
  return because(STATUS_BAD, "%s: cannot be opened: cut short, or its header is damaged", path);
}

int hdf_put(hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims, const void *data) {
  const hid_t how = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, dims, NULL);
  H5Pset_layout(how, H5D_CONTIGUOUS);
  H5Pset_alloc_time(how, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(how, H5D_FILL_TIME_NEVER);
  const hid_t set = H5Dcreate2(at, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
  int bad = set < 0 ? hdf_fail() : 0;
  if (!bad && data && H5Sget_simple_extent_npoints(space) > 0
      && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
    bad = hdf_fail();
  if (set >= 0 && H5Dclose(set) < 0 && !bad) bad = hdf_fail();
  H5Sclose(space);
  H5Pclose(how);
  return bad;
}

/* Does the file hold as much as the dataset claims? A few bytes could else ask for all memory, to be filled with zeros. */
static bool is_stored(hid_t set, hid_t space) {
  const hid_t type = H5Dget_type(set);
  const hssize_t n = H5Sget_simple_extent_npoints(space);
  const size_t element = H5Tget_size(type);
  H5Tclose(type);
  return n >= 0 && element > 0 && (hsize_t)n <= H5Dget_storage_size(set) / element;
}

int hdf_get(hid_t at, const char *name, hid_t type, int rank, hsize_t *dims, void **data) {
  *data = NULL;
  const hid_t set = H5Dopen2(at, name, H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
  if (space < 0) return hdf_fail();
  int bad = H5Sget_simple_extent_ndims(space) != rank || H5Sget_simple_extent_dims(space, dims, NULL) < 0 || !is_stored(set, space);
  if (!bad) {
    const size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    *data = calloc(n + 1, H5Tget_size(type));
    bad = !*data || (n && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *data) < 0);
  }
  if (bad) {
    free(*data);
    *data = NULL;
  }
  H5Sclose(space);
  H5Dclose(set);
  return bad ? -1 : 0;
}

hid_t hdf_text_type(size_t bytes) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, bytes ? bytes : 1);
  return type;
}

static int put_attribute(hid_t file, const char *name, hid_t type, const void *value) {
  const hid_t space = H5Screate(H5S_SCALAR), a = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  const int bad = a < 0 || H5Awrite(a, type, value) < 0 ? hdf_fail() : 0;
  if (a >= 0) H5Aclose(a);
  H5Sclose(space);
  return bad;
}

int hdf_put_number(hid_t file, const char *name, uint64_t value) {
  return put_attribute(file, name, H5T_NATIVE_UINT64, &value);
}

int hdf_put_real(hid_t file, const char *name, double value) {
  return put_attribute(file, name, H5T_NATIVE_DOUBLE, &value);
}

int hdf_put_text(hid_t file, const char *name, const char *text) {
  const hid_t type = hdf_text_type(strlen(text) + 1);
  const int bad = put_attribute(file, name, type, text);
  H5Tclose(type);
  return bad;
}

/* The attribute as text; -1 if it is neither fixed-length text nor one whole number. */
static int attribute_text(hid_t a, char *text, size_t room) {
  const hid_t type = H5Aget_type(a), space = H5Aget_space(a);
  int bad = H5Sget_simple_extent_npoints(space) != 1;
  if (!bad && H5Tget_class(type) == H5T_INTEGER) {
    long long value;
    bad = H5Aread(a, H5T_NATIVE_LLONG, &value) < 0;
    if (!bad) snprintf(text, room, "%lld", value);
  } else if (!bad && H5Tget_class(type) == H5T_STRING && !H5Tis_variable_str(type)) {
    char *all = calloc(H5Tget_size(type) + 1, 1);
    bad = !all || H5Aread(a, type, all) < 0;
    if (!bad) snprintf(text, room, "%s", all);
    free(all);
  } else {
    bad = 1;
  }
  H5Sclose(space);
  H5Tclose(type);
  return bad ? -1 : 0;
}

static hid_t open_attribute(hid_t file, const char *name) {
  return H5Aexists(file, name) > 0 ? H5Aopen(file, name, H5P_DEFAULT) : -1;
}

int hdf_get_text(hid_t file, const char *name, char *text, size_t room) {
  const hid_t a = open_attribute(file, name);
  if (a < 0) return -1;
  const int bad = attribute_text(a, text, room);
  H5Aclose(a);
  return bad;
}

/* One value of that class, as that type. */
static int get_attribute(hid_t file, const char *name, H5T_class_t class, hid_t as, void *value) {
  const hid_t a = open_attribute(file, name);
  if (a < 0) return -1;
  const hid_t type = H5Aget_type(a), space = H5Aget_space(a);
  const int bad = H5Tget_class(type) != class || H5Sget_simple_extent_npoints(space) != 1 || H5Aread(a, as, value) < 0;
  H5Sclose(space);
  H5Tclose(type);
  H5Aclose(a);
  return bad ? -1 : 0;
}

int hdf_get_number(hid_t file, const char *name, uint64_t *value) {
  return get_attribute(file, name, H5T_INTEGER, H5T_NATIVE_UINT64, value);
}

int hdf_get_real(hid_t file, const char *name, double *value) {
  return get_attribute(file, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, value);
}

int hdf_attributes(hid_t file, struct hdf_attribute *list, int n) {
  H5O_info_t info;
  if (H5Oget_info(file, &info) < 0) return -1;
  int count = 0;
  for (hsize_t i = 0; i < info.num_attrs && count < n; i++) {
    const hid_t a = H5Aopen_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT);
    if (a < 0) return -1;
    struct hdf_attribute *to = &list[count];
    H5Aget_name(a, sizeof to->name, to->name);
    count += attribute_text(a, to->value, sizeof to->value) == 0;
    H5Aclose(a);
  }
  return count;
}
