#include "io/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/disk.h"
#include "io/hdf.h"
#include "src/base/status.h"

enum { PATH_SIZE = 4096 };

/* The bytes of such a file, malloc'ed; NULL on failure. */
static void *make_bytes(int (*put)(hid_t file, const void *context), const void *context, size_t *length) {
  hdf_quiet();
  const hid_t in_memory = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(in_memory, 1 << 20, 0);
  const hid_t file = H5Fcreate("whole", H5F_ACC_TRUNC, H5P_DEFAULT, in_memory);
  H5Pclose(in_memory);
  if (file < 0) return NULL;
  const int bad = put(file, context) || H5Fflush(file, H5F_SCOPE_GLOBAL) < 0;
  const ssize_t size = bad ? -1 : H5Fget_file_image(file, NULL, 0);
  void *bytes = size > 0 ? malloc((size_t)size) : NULL;
  if (bytes && H5Fget_file_image(file, bytes, (size_t)size) != size) {
    free(bytes);
    bytes = NULL;
  }
  H5Fclose(file);
  *length = bytes ? (size_t)size : 0;
  return bytes;
}

static int put_bytes(const char *name, const char *bytes, size_t length) {
  const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return -1;
  const int bad = disk_write(fd, bytes, length, 0) || fsync(fd);
  return close(fd) || bad ? -1 : 0;
}

int whole_write(const char *path, int (*put)(hid_t file, const void *context), const void *context) {
  char name[PATH_SIZE];
  size_t length;
  if (disk_temporary(path, name, sizeof name)) return because(STATUS_BAD, "%.200s...: the name is too long", path);
  void *bytes = make_bytes(put, context, &length);
  if (!bytes) return because(STATUS_NOMEM, "%s: no memory to put the file together", path);
  const int bad = put_bytes(name, bytes, length) || rename(name, path), cause = errno;
  free(bytes);
  if (bad) {
    unlink(name);
    return because(STATUS_IO, "%s: cannot be written: %s", path, strerror(cause));
  }
  disk_sync_folder(path);
  return STATUS_OK;
}
