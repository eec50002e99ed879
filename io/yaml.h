/* yaml.h - a YAML document of nested sections, read as a flat list of entries "section.key" = value.
 * Understood: one document, mappings, scalars, lists of scalars, and lists of lists as such. A section may come in several
 * parts, as `dataset` does in the authors' files. Refused, as settings have no use for them: aliases, several documents,
 * mappings in lists, a key given twice.
 * Errors: STATUS_BAD with one line "where:line: reason"; STATUS_NOMEM. Ranks: local. */
#ifndef IO_YAML_H
#define IO_YAML_H
#include <stddef.h>

enum yaml_kind { YAML_VALUE, YAML_EMPTY, YAML_LIST, YAML_NESTED, YAML_SECTION };   /* EMPTY: nothing, ~ or null stands
                             there; NESTED: a list with lists in it */
struct yaml_entry {
  char *key;             /* names of the sections and the key, joined by '.' */
  char *value;           /* scalars as they stand; lists joined by ',', those within as one; "" for EMPTY and SECTION */
  enum yaml_kind kind;
  int line;              /* of the key, from 1 */
};
struct yaml_entries {
  struct yaml_entry *entries;   /* in the order of the text; a section stands before what is in it */
  size_t count, capacity;
};
/* Reads text[length]; `where` names it in errors. Free with yaml_entries_free, also after an error. */
int yaml_entries_read(struct yaml_entries *y, const char *text, size_t length, const char *where);
/* Harmless on a struct that is all zero. */
void yaml_entries_free(struct yaml_entries *y);
#endif
