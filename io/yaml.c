#include "io/yaml.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "src/base/status.h"

enum { DEPTH_MAX = 16 };

struct walk {
  yaml_parser_t parser;
  yaml_event_t event;       /* the current one */
  struct yaml_entries *y;
  const char *where, *text;
  size_t length;
};

static int line_of(const struct walk *w) { return (int)w->event.start_mark.line + 1; }

static int refuse(const struct walk *w, const char *reason) {
  return because(STATUS_BAD, "%s:%d: %s", w->where, line_of(w), reason);
}

static int no_memory(const struct walk *w) { return because(STATUS_NOMEM, "no memory to read %s", w->where); }

/* Does the line (from 0) have a tab in its indentation? */
static bool indented_by_tab(const struct walk *w, size_t line) {
  const char *p = w->text, *end = w->text + w->length;
  for (; line && p < end; p++) line -= *p == '\n';
  while (p < end && *p == ' ') p++;
  return p < end && *p == '\t';
}

static int broken(const struct walk *w) {
  const yaml_parser_t *p = &w->parser;
  const size_t line = p->problem_mark.line;
  if (p->error == YAML_MEMORY_ERROR) return no_memory(w);
  if (p->error == YAML_READER_ERROR) return because(STATUS_BAD, "%s: not YAML text: %s", w->where, p->problem);
  if (indented_by_tab(w, line))
    return because(STATUS_BAD, "%s:%zu: a tab in the indentation; YAML takes spaces only", w->where, line + 1);
  return because(STATUS_BAD, "%s:%zu: broken YAML: %s%s%s", w->where, line + 1, p->problem, p->context ? " " : "",
                 p->context ? p->context : "");
}

static int next(struct walk *w) {
  yaml_event_delete(&w->event);
  if (!yaml_parser_parse(&w->parser, &w->event)) return broken(w);
  if (w->event.type == YAML_ALIAS_EVENT) return refuse(w, "aliases (*name) are not understood here: write the value");
  return STATUS_OK;
}

/* "section" and "key" joined, malloc'ed. */
static char *joined(const char *a, const char *separator, const char *b) {
  const size_t n = strlen(a) + strlen(separator) + strlen(b) + 1;
  char *text = malloc(n);
  if (!text) return NULL;
  strcpy(text, a);
  strcat(text, separator);
  strcat(text, b);
  return text;
}

/* The current scalar as a C string. */
static int scalar(struct walk *w, const char **text) {
  *text = (const char *)w->event.data.scalar.value;
  return strlen(*text) == w->event.data.scalar.length ? STATUS_OK : refuse(w, "a value with a zero byte");
}

static struct yaml_entry *find(const struct yaml_entries *y, const char *key) {
  for (size_t i = 0; i < y->count; i++)
    if (!strcmp(y->entries[i].key, key)) return &y->entries[i];
  return NULL;
}

/* Appends an entry that owns `key`, of kind SECTION and with value "" until its value is read. */
static int add(struct walk *w, char *key, int line, struct yaml_entry **entry) {
  struct yaml_entries *y = w->y;
  const struct yaml_entry *before = find(y, key);
  if (before) {
    const int status = because(STATUS_BAD, "%s:%d: %s is given twice (first in line %d)", w->where, line, key, before->line);
    free(key);
    return status;
  }
  if (y->count == y->capacity) {
    const size_t capacity = y->capacity ? 2 * y->capacity : 64;
    struct yaml_entry *more = realloc(y->entries, capacity * sizeof *more);
    if (more) {
      y->entries = more;
      y->capacity = capacity;
    }
  }
  char *value = y->count < y->capacity ? joined("", "", "") : NULL;
  if (!value) {
    free(key);
    return no_memory(w);
  }
  *entry = &y->entries[y->count++];
  **entry = (struct yaml_entry) { .key = key, .value = value, .kind = YAML_SECTION, .line = line };
  return STATUS_OK;
}

/* The rest of a list whose start is the current event. */
static int list(struct walk *w, struct yaml_entry *entry) {
  entry->kind = YAML_LIST;
  for (int depth = 1, items = 0;;) {
    const char *item;
    int status = next(w);
    const yaml_event_type_t type = w->event.type;
    if (status || (type == YAML_SEQUENCE_END_EVENT && !--depth)) return status;
    if (type == YAML_SEQUENCE_END_EVENT) continue;
    if (type == YAML_SEQUENCE_START_EVENT) {
      entry->kind = YAML_NESTED;
      if (++depth > DEPTH_MAX) return refuse(w, "lists nested too deep");
      continue;
    }
    if (type != YAML_SCALAR_EVENT) return refuse(w, "a list holds plain values only");
    if ((status = scalar(w, &item))) return status;
    char *longer = joined(entry->value, items++ ? "," : "", item);
    if (!longer) return no_memory(w);
    free(entry->value);
    entry->value = longer;
  }
}

static int value(struct walk *w, struct yaml_entry *entry) {
  const char *text;
  const int status = scalar(w, &text);
  if (status) return status;
  const bool plain = w->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  const bool empty = plain && (!*text || !strcmp(text, "~") || !strcmp(text, "null"));
  entry->kind = empty ? YAML_EMPTY : YAML_VALUE;
  if (empty) return STATUS_OK;
  char *copy = joined("", "", text);
  if (!copy) return no_memory(w);
  free(entry->value);
  entry->value = copy;
  return STATUS_OK;
}

/* The rest of a mapping whose start is the current event. */
static int section(struct walk *w, const char *name, int depth) {
  if (depth == DEPTH_MAX) return refuse(w, "sections nested too deep");
  for (;;) {
    struct yaml_entry *entry = NULL;
    const char *text;
    int status = next(w);
    if (status || w->event.type == YAML_MAPPING_END_EVENT) return status;
    if (w->event.type != YAML_SCALAR_EVENT) return refuse(w, "expected a key");
    if ((status = scalar(w, &text))) return status;
    char *key = joined(name, *name ? "." : "", text);
    const int line = line_of(w);
    if (!key) return no_memory(w);
    if ((status = next(w))) {
      free(key);
      return status;
    }
    const struct yaml_entry *before = w->event.type == YAML_MAPPING_START_EVENT ? find(w->y, key) : NULL;
    if (before && before->kind == YAML_SECTION) {   /* its next part */
      free(key);
      key = before->key;
    } else if ((status = add(w, key, line, &entry))) {
      return status;
    }
    if (w->event.type == YAML_SCALAR_EVENT) status = value(w, entry);
    else if (w->event.type == YAML_SEQUENCE_START_EVENT) status = list(w, entry);
    else status = section(w, key, depth + 1);   /* may move entries: key stays where it is */
    if (status) return status;
  }
}

static int documents(struct walk *w) {
  int status = next(w);   /* the stream's start */
  if (status || (status = next(w)) || w->event.type == YAML_STREAM_END_EVENT) return status;
  if ((status = next(w))) return status;
  if (w->event.type == YAML_MAPPING_START_EVENT) status = section(w, "", 0);
  else if (w->event.type != YAML_SCALAR_EVENT || w->event.data.scalar.length)
    status = refuse(w, "expected sections with keys: \"section:\", and below it \"  key: value\"");
  if (status || (status = next(w)) || (status = next(w))) return status;   /* the document's end, and what follows */
  return w->event.type == YAML_STREAM_END_EVENT ? STATUS_OK : refuse(w, "a second document begins; expected one");
}

int yaml_entries_read(struct yaml_entries *y, const char *text, size_t length, const char *where) {
  struct walk w = { .y = y, .where = where, .text = text, .length = length };
  *y = (struct yaml_entries) { 0 };
  if (!yaml_parser_initialize(&w.parser)) return no_memory(&w);
  yaml_parser_set_input_string(&w.parser, (const unsigned char *)text, length);
  const int status = documents(&w);
  yaml_event_delete(&w.event);
  yaml_parser_delete(&w.parser);
  return status;
}

void yaml_entries_free(struct yaml_entries *y) {
  for (size_t i = 0; i < y->count; i++) {
    free(y->entries[i].key);
    free(y->entries[i].value);
  }
  free(y->entries);
  *y = (struct yaml_entries) { 0 };
}
