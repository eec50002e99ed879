#include "io/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/whole_file.h"
#include "src/base/status.h"

static const char head[] = "path,class,width,height,bytes,xxh64,state,reason";
static const char *const states[] = { [MANIFEST_GOOD] = "good", [MANIFEST_BAD] = "bad", [MANIFEST_IGNORED] = "ignored" };
enum { PATH, CLASS, WIDTH, HEIGHT, BYTES, HASH, STATE, REASON, COLUMNS };

/* ---- writing ---- */

static bool temporary_name(const char *path, char name[4096]) {
  return (size_t)snprintf(name, 4096, "%s.tmp", path) < 4096;
}

int manifest_create(FILE **f, const char *path) {
  char temporary[4096];
  *f = NULL;
  if (!temporary_name(path, temporary)) return because(STATUS_BAD, "%.200s...: the name is too long", path);
  *f = fopen(temporary, "w");
  if (!*f) return because(STATUS_IO, "%s: cannot be written: %s", temporary, strerror(errno));
  fprintf(*f, "%s\n", head);
  return STATUS_OK;
}

static void put_field(FILE *f, const char *text) {
  if (!strpbrk(text, ",\"\r\n")) {
    fputs(text, f);
    return;
  }
  putc('"', f);
  for (; *text; text++) {
    if (*text == '"') putc('"', f);
    putc(*text, f);
  }
  putc('"', f);
}

void manifest_put(FILE *f, const struct manifest_row *row) {
  put_field(f, row->path);
  putc(',', f);
  put_field(f, row->class);
  if (row->width) fprintf(f, ",%zu,%zu,", row->width, row->height);
  else fputs(",,,", f);
  fprintf(f, "%" PRIu64 ",", row->bytes);
  if (row->hashed) fprintf(f, "%016" PRIx64, row->hash);
  fprintf(f, ",%s,", states[row->state]);
  put_field(f, row->reason);
  putc('\n', f);
}

int manifest_close(FILE *f, const char *path) {
  char temporary[4096];
  const bool good = temporary_name(path, temporary) && !ferror(f);
  if (!fclose(f) && good && !rename(temporary, path)) return STATUS_OK;
  const int status = because(STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
  unlink(temporary);
  return status;
}

/* ---- reading ---- */

/* One field, unquoted in place; *at behind it and what ends it, which is returned: a comma, a line's end, or 0 at the end of the text;
 * -1 where quotes do not match. */
static int take_field(char **at, char **field) {
  char *from = *at, *to = *at;
  const bool quoted = *from == '"';
  *field = to;
  if (quoted) from++;
  for (;; *to++ = *from++) {
    if (!*from && quoted) return -1;
    if (quoted && *from == '"' && *++from != '"') break;
    if (!quoted && strchr(",\n", *from)) break;   /* also at the end of the text */
  }
  const int end = *from == '\r' ? *++from : *from;
  if (!strchr(",\n", end)) return -1;
  *at = end ? from + 1 : from;
  if (!quoted && end == '\n' && to > *field && to[-1] == '\r') to--;
  *to = 0;
  return end;
}

static int take_row(char **at, char *field[COLUMNS]) {
  for (int i = 0; i < COLUMNS; i++) {
    const int end = take_field(at, &field[i]);
    if (end < 0 || (end == ',') != (i < COLUMNS - 1)) return -1;
  }
  return 0;
}

static int add(struct manifest *m, char *const field[COLUMNS]) {
  if (m->count == m->room) {
    const size_t room = 2 * m->room + 256;
    struct manifest_entry *larger = realloc(m->entry, room * sizeof *larger);
    if (!larger) return because(STATUS_NOMEM, "no memory for a manifest");
    m->entry = larger, m->room = room;
  }
  char *end;
  const uint64_t hash = strtoull(field[HASH], &end, 16);
  const bool hashed = *field[HASH] && !*end;
  m->entry[m->count++] = (struct manifest_entry){ field[PATH], hash, hashed && !strcmp(field[STATE], states[MANIFEST_GOOD]) };
  return STATUS_OK;
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const struct manifest_entry *)a)->path, ((const struct manifest_entry *)b)->path);
}

int manifest_read(const char *path, struct manifest *m) {
  size_t length;
  char *field[COLUMNS];
  *m = (struct manifest){ .text = whole_file(path, SIZE_MAX - 1, &length) };
  if (!m->text) return because(STATUS_BAD, "%s: cannot be read, expected a manifest that pmf check-data wrote", path);
  char *at = m->text;
  const size_t n = sizeof head - 1;
  if (strncmp(at, head, n) || (at[n] != '\n' && strncmp(at + n, "\r\n", 2)))
    return because(STATUS_BAD, "%s: not a manifest: its first line is not \"%s\"", path, head);
  at = strchr(at, '\n') + 1;
  int status = STATUS_OK;
  for (size_t row = 2; *at && !status; row++)
    status = take_row(&at, field) ? because(STATUS_BAD, "%s: row %zu is not one of %d fields", path, row, COLUMNS) : add(m, field);
  if (m->count) qsort(m->entry, m->count, sizeof *m->entry, by_path);
  for (size_t i = 1; i < m->count && !status; i++)
    if (!by_path(&m->entry[i - 1], &m->entry[i])) status = because(STATUS_BAD, "%s: names %s twice", path, m->entry[i].path);
  return status;
}

struct manifest_entry *manifest_find(const struct manifest *m, const char *path) {
  const struct manifest_entry key = { .path = path };
  return m->count ? bsearch(&key, m->entry, m->count, sizeof key, by_path) : NULL;
}

void manifest_free(struct manifest *m) {
  free(m->entry), free(m->text);
  *m = (struct manifest){ 0 };
}
