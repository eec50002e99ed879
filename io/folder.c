#include "io/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/disk.h"
#include "src/base/status.h"

int folder_make(const char *path) {
  char part[4096];
  if (!*path || strlen(path) >= sizeof part) return because(STATUS_BAD, "%s: expected the name of a folder", path);
  snprintf(part, sizeof part, "%s", path);
  for (char *c = part + 1;; c++) {
    if (*c && *c != '/') continue;
    const char kept = *c;
    *c = 0;
    struct stat is;
    if (mkdir(part, 0777) && errno != EEXIST) return because(STATUS_IO, "%s: %s", part, strerror(errno));
    if (stat(part, &is) || !S_ISDIR(is.st_mode)) return because(STATUS_BAD, "%s is there and is not a folder", part);
    if (!kept) return STATUS_OK;
    *c = kept;
  }
}

int folder_write(const char *folder, const char *name, const char *text) {
  char path[4096], partial[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (disk_temporary(path, partial, sizeof partial)) return because(STATUS_IO, "%s: the name is too long", path);
  FILE *f = fopen(partial, "w");
  if (!f) return because(STATUS_IO, "%s: %s", partial, strerror(errno));
  const int failed = fputs(text, f) < 0;
  if (!(fclose(f) | failed) && !rename(partial, path)) return STATUS_OK;
  const int cause = errno;
  unlink(partial);
  return because(STATUS_IO, "%s: %s", path, strerror(cause));
}

/* The first line of an open lock file. */
static void read_holder(int fd, char *who, size_t room) {
  const ssize_t n = read(fd, who, room - 1);
  who[n > 0 ? n : 0] = 0;
  who[strcspn(who, "\n")] = 0;
}

int folder_held(const char *folder, char who[FOLDER_WHO]) {
  char path[4096];
  struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  *who = 0;
  snprintf(path, sizeof path, "%s/lock", folder);
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return 0;
  const int held = !fcntl(fd, F_GETLK, &whole) && whole.l_type != F_UNLCK;
  if (held) read_holder(fd, who, FOLDER_WHO);
  close(fd);
  return held;
}

int folder_lock(const char *folder, int *lock, int *refused) {
  char path[4096], who[FOLDER_WHO] = "";
  *refused = 0;
  if (*lock >= 0) return STATUS_OK;
  snprintf(path, sizeof path, "%s/lock", folder);
  const int fd = open(path, O_RDWR | O_CREAT, 0666);
  if (fd < 0) return STATUS_OK;   /* no folder yet; or one that cannot be written, which the first write will say */
  struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  if (!fcntl(fd, F_SETLK, &whole)) {
    char host[128] = "";
    const char *job = getenv("SLURM_JOB_ID");
    gethostname(host, sizeof host - 1);
    const int length = snprintf(who, sizeof who, "process %ld on %s%s%.32s\n", (long)getpid(), host, job ? ", Slurm job " : "",
                                job ? job : "");
    if (ftruncate(fd, 0) || write(fd, who, (size_t)length) != length) who[0] = 0;   /* only a help to the reader */
    *lock = fd;
    return STATUS_OK;
  }
  const int why = errno, taken = why == EACCES || why == EAGAIN;
  if (taken) read_holder(fd, who, sizeof who);
  close(fd);
  if (!taken) *refused = why;
  if (!taken) return STATUS_OK;
  return because(STATUS_BAD, "%s: another training is at work in this folder: %s", folder, *who ? who : "its lock is held");
}

void folder_unlock(int lock) {
  if (lock >= 0) close(lock);
}
