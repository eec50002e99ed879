#include "io/presets.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/words.h"
#include "src/base/status.h"

enum { PLACES = 3, PRESETS_MAX = 256, NAME_SIZE = 64, FILE_MAX = 1 << 20 };

/* The folders in the order of the search; NULL where there is none. */
static void places(const char *folder[PLACES]) {
  folder[0] = getenv("PMF_PRESETS");
  folder[1] = folder[2] = NULL;
#ifdef PRESETDIR
  folder[1] = PRESETDIR;
#endif
#ifdef SOURCE_PRESETDIR
  folder[2] = SOURCE_PRESETDIR;
#endif
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

/* The names of all presets, sorted, each once. */
static size_t list(char names[PRESETS_MAX][NAME_SIZE]) {
  const char *folder[PLACES];
  size_t count = 0, kept = 0;
  places(folder);
  for (int i = 0; i < PLACES; i++) {
    DIR *dir = folder[i] ? opendir(folder[i]) : NULL;
    const struct dirent *entry;
    while (dir && count < PRESETS_MAX && (entry = readdir(dir))) {
      const size_t n = strlen(entry->d_name);
      if (n > 4 && n - 4 < NAME_SIZE && entry->d_name[0] != '.' && !strcmp(entry->d_name + n - 4, ".yml"))
        snprintf(names[count++], NAME_SIZE, "%.*s", (int)(n - 4), entry->d_name);
    }
    if (dir) closedir(dir);
  }
  qsort(names, count, NAME_SIZE, by_name);
  for (size_t i = 0; i < count; i++)
    if (!kept || strcmp(names[kept - 1], names[i])) memmove(names[kept++], names[i], NAME_SIZE);
  return kept;
}

static int unknown(const char *name) {
  static char names[PRESETS_MAX][NAME_SIZE];
  const char *pointers[PRESETS_MAX];
  char all[768] = "";
  const size_t count = list(names);
  if (!count)
    return because(STATUS_BAD, "preset=%s: no presets found; set PMF_PRESETS to the folder of the .yml files", name);
  for (size_t i = 0; i < count; i++) {
    const size_t n = strlen(all);
    pointers[i] = names[i];
    snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", names[i]);
  }
  const char *nearest = words_nearest(name, pointers, count);
  if (!nearest) return because(STATUS_BAD, "preset=%s: unknown preset; there are %s", name, all);
  return because(STATUS_BAD, "preset=%s: unknown preset; did you mean %s? There are %s", name, nearest, all);
}

int preset_find(const char *name, char *path, size_t size) {
  const char *folder[PLACES];
  struct stat info;
  if (strchr(name, '/'))
    return because(STATUS_BAD, "preset=%s: a preset is a name; a file is given by config=FILE", name);
  places(folder);
  for (int i = 0; i < PLACES; i++) {
    if (!folder[i]) continue;
    const int n = snprintf(path, size, "%s/%s.yml", folder[i], name);
    if (n > 0 && (size_t)n < size && !stat(path, &info)) return STATUS_OK;
  }
  return unknown(name);
}

int preset_read(const char *path, char **text, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (!file) return because(STATUS_BAD, "%s: cannot be opened: %s", path, strerror(errno));
  int status = STATUS_OK;
  *text = malloc(FILE_MAX + 1);
  if (!*text) {
    fclose(file);
    return because(STATUS_NOMEM, "no memory to read %s", path);
  }
  *length = fread(*text, 1, FILE_MAX, file);
  (*text)[*length] = '\0';
  if (ferror(file)) status = because(STATUS_BAD, "%s: cannot be read: %s", path, strerror(errno));
  else if (*length == FILE_MAX) status = because(STATUS_BAD, "%s: too long for a file of settings", path);
  fclose(file);
  if (status) free(*text);
  return status;
}

void presets_help(void) {
  static char names[PRESETS_MAX][NAME_SIZE];
  enum { COLUMN = 12 };
  const size_t count = list(names);
  for (size_t i = 0; i < count; i++) {
    char path[4096], *text;
    size_t length;
    if (preset_find(names[i], path, sizeof path) || preset_read(path, &text, &length)) continue;
    char *line = text + strspn(text, "# ");
    line[strcspn(line, "\n")] = '\0';
    printf("  %-*s ", COLUMN - 3, names[i]);
    words_wrap(line, COLUMN);
    free(text);
  }
}
