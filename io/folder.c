#include "io/folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
  char path[4096], partial[4096 + 8];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  snprintf(partial, sizeof partial, "%s.tmp", path);
  FILE *f = fopen(partial, "w");
  if (!f) return because(STATUS_IO, "%s: %s", partial, strerror(errno));
  const int failed = fputs(text, f) < 0;
  if (fclose(f) || failed || rename(partial, path)) return because(STATUS_IO, "%s: %s", path, strerror(errno));
  return STATUS_OK;
}
