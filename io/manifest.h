/* manifest.h - what pmf check-data found in a folder of pictures, a file a line: FILE.csv with the columns
 *   path,class,width,height,bytes,xxh64,state,reason
 * path: CLASS/FILE, within the folder; xxh64: of the file's bytes, 16 hexadecimal digits, empty where it was not read to its end;
 * state: good, bad or ignored, with the reason. A field with a comma, quote or line break stands in quotes, quotes in it doubled
 * (RFC 4180).
 * Errors: STATUS_IO where it cannot be written, STATUS_BAD where it is no such file, STATUS_NOMEM. Ranks: local. */
#ifndef IO_MANIFEST_H
#define IO_MANIFEST_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum manifest_state { MANIFEST_GOOD, MANIFEST_BAD, MANIFEST_IGNORED };
struct manifest_row {
  const char *path, *class, *reason;
  size_t width, height;         /* 0: not known, left empty */
  uint64_t bytes, hash;
  int hashed, state;
};
/* Begins PATH.tmp; manifest_close puts it in PATH's place, or removes it after an error. */
int manifest_create(FILE **f, const char *path);
void manifest_put(FILE *f, const struct manifest_row *row);
int manifest_close(FILE *f, const char *path);

/* One that was written before, its rows in the bytewise order of the paths. */
struct manifest_entry { const char *path; uint64_t hash; int good; };   /* good: and it has a hash */
struct manifest { struct manifest_entry *entry; size_t count, room; char *text; };
/* manifest_free, also after an error. */
int manifest_read(const char *path, struct manifest *m);
/* NULL if there is none of that path. */
struct manifest_entry *manifest_find(const struct manifest *m, const char *path);
void manifest_free(struct manifest *m);
#endif
