#include "io/whole_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

char *whole_file(const char *path, size_t most, size_t *length) {
  struct stat facts;
  FILE *f = fopen(path, "rb");
  const int fits = f && !fstat(fileno(f), &facts) && S_ISREG(facts.st_mode) && facts.st_size > 0 && (size_t)facts.st_size <= most;
  char *bytes = fits ? malloc((size_t)facts.st_size + 1) : NULL;
  *length = bytes ? fread(bytes, 1, (size_t)facts.st_size, f) : 0;
  if (f) fclose(f);
  if (!*length) {
    free(bytes);
    return NULL;
  }
  bytes[*length] = 0;
  return bytes;
}

char *whole_file_in(const char *folder, const char *name) {
  char path[4096];
  size_t length;
  if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) return NULL;
  return whole_file(path, WHOLE_FILE_MOST, &length);
}
