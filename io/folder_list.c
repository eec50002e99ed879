#include "io/folder_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/status.h"

enum { FILES, CLASSES, BYTES, PATH_SIZE = 4096 };

/* Makes room for `more` elements behind count; room doubles. */
static bool grow(void **array, size_t element, size_t *room, size_t count, size_t more) {
  if (count + more <= *room) return true;
  const size_t wanted = 2 * (count + more) + 64;
  void *larger = realloc(*array, wanted * element);
  if (!larger) return false;
  *array = larger, *room = wanted;
  return true;
}

static int no_memory(void) { return because(STATUS_NOMEM, "no memory for the list of files"); }

static int add_text(struct folder_list *l, const char *name, uint64_t *place) {
  const size_t n = strlen(name) + 1;
  void *text = l->text;
  if (!grow(&text, 1, &l->room[BYTES], l->bytes, n)) return no_memory();
  l->text = text;
  memcpy(l->text + l->bytes, name, n);
  *place = l->bytes, l->bytes += n;
  return STATUS_OK;
}

static int add_file(struct folder_list *l, const char *path, int32_t class, int source, enum listed what) {
  void *file = l->file;
  if (!grow(&file, sizeof *l->file, &l->room[FILES], l->count, 1)) return no_memory();
  l->file = file;
  struct listed_file *f = &l->file[l->count++];
  *f = (struct listed_file) { .class = class, .source = (int16_t)source, .what = (int16_t)what };
  return add_text(l, path, &f->path);
}

/* The number of the class with that name: names are few, but a thousand classes twice are a million comparisons. */
static int find_class(struct folder_list *l, const char *name, int32_t *class) {
  for (size_t i = 0; i < l->classes; i++)
    if (!strcmp(l->text + l->class_name[i], name)) return *class = (int32_t)i, STATUS_OK;
  void *names = l->class_name;
  if (!grow(&names, sizeof *l->class_name, &l->room[CLASSES], l->classes, 1)) return no_memory();
  l->class_name = names;
  *class = (int32_t)l->classes++;
  return add_text(l, name, &l->class_name[*class]);
}

static int not_dots(const struct dirent *e) { return strcmp(e->d_name, ".") && strcmp(e->d_name, ".."); }
static int bytewise(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void free_entries(struct dirent **entry, int n) {
  for (int i = 0; i < n; i++) free(entry[i]);
  free(entry);
}

/* Asks the file system only where the folder's entry does not tell: links, and systems that leave it open. */
static enum listed what_is(const char *path, const struct dirent *e, bool *folder) {
  struct stat facts;
  *folder = e->d_type == DT_DIR;
  if (e->d_name[0] == '.') return LISTED_HIDDEN;
  if (e->d_type == DT_REG) return LISTED_FILE;
  if (e->d_type == DT_DIR) return LISTED_DEEP;
  if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN) return LISTED_SPECIAL;
  if (stat(path, &facts)) return LISTED_UNREADABLE;
  *folder = S_ISDIR(facts.st_mode);
  return *folder ? LISTED_DEEP : S_ISREG(facts.st_mode) ? LISTED_FILE : LISTED_SPECIAL;
}

static int add_class(struct folder_list *l, const char *folder, const char *name, int source) {
  struct dirent **entry;
  int32_t class = 0;
  int status = find_class(l, name, &class);
  if (status) return status;
  const int n = scandir(folder, &entry, not_dots, bytewise);
  if (n < 0) return errno == ENOMEM ? no_memory() : add_file(l, folder, class, source, LISTED_UNREADABLE);
  for (int i = 0; i < n && !status; i++) {
    char path[PATH_SIZE];
    bool is_folder;
    const bool fits = (size_t)snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name) < sizeof path;
    const enum listed what = fits ? what_is(path, entry[i], &is_folder) : LISTED_UNREADABLE;
    status = add_file(l, path, class, source, what);
  }
  free_entries(entry, n);
  return status;
}

int folder_list_add(struct folder_list *l, const char *folder, int source) {
  struct dirent **entry;
  const int n = scandir(folder, &entry, not_dots, bytewise);
  if (n < 0 && errno == ENOMEM) return no_memory();
  if (n < 0) return because(STATUS_BAD, "%s: %s, expected a folder of class folders", folder, strerror(errno));
  int status = STATUS_OK;
  for (int i = 0; i < n && !status; i++) {
    char path[PATH_SIZE];
    bool is_folder = false;
    const bool fits = (size_t)snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name) < sizeof path;
    const enum listed what = fits ? what_is(path, entry[i], &is_folder) : LISTED_UNREADABLE;
    if (is_folder && what != LISTED_HIDDEN) status = add_class(l, path, entry[i]->d_name, source);
    else status = add_file(l, path, -1, source, what == LISTED_FILE ? LISTED_STRAY : what);
  }
  free_entries(entry, n);
  return status;
}

void folder_list_free(struct folder_list *l) {
  free(l->file), free(l->class_name), free(l->text);
  *l = (struct folder_list) { 0 };
}

char *folder_list_escape(const char *name, char *text, size_t room) {
  size_t at = 0;
  for (; *name; name++) {
    char piece[8];
    const unsigned char c = (unsigned char)*name;
    if (c == '\\') snprintf(piece, sizeof piece, "\\\\");
    else if (c == '\n') snprintf(piece, sizeof piece, "\\n");
    else if (c < ' ' || c == 127) snprintf(piece, sizeof piece, "\\x%02x", c);
    else snprintf(piece, sizeof piece, "%c", c);
    const size_t n = strlen(piece);
    if (at + n + sizeof "..." > room) {
      snprintf(text + at, room - at, "...");
      return text;
    }
    memcpy(text + at, piece, n);
    at += n;
  }
  text[at] = 0;
  return text;
}
