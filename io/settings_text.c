/* settings_text.c - settings as a file, and as help. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/settings.h"
#include "io/settings_keys.h"
#include "io/words.h"

/* In the fewest digits that read back to the same bits. */
static void real_text(double value, char *text, size_t size) {
  for (int digits = 6; digits <= 17; digits++) {
    snprintf(text, size, "%.*g", digits, value);
    if (strtod(text, NULL) == value) return;
  }
}

static void print_value(FILE *out, const struct settings *s, const struct key *k) {
  const void *place = (const char *)s + k->offset;
  const struct list *l = place;
  char text[64];
  switch (k->type) {
    case INTEGER: fprintf(out, "%ld", *(const long *)place); return;
    case TRUTH:   fputs(*(const bool *)place ? "true" : "false", out); return;
    case REAL:
      real_text(*(const double *)place, text, sizeof text);
      fputs(text, out);
      return;
    case CHOICE: {
      const char *c = k->choices;
      for (int i = *(const int *)place; i > 0; i--) c += strcspn(c, "|") + 1;
      fprintf(out, "%.*s", (int)strcspn(c, "|"), c);
      return;
    }
    case REALS:
      for (int i = 0; i < l->count; i++) {
        real_text(l->value[i], text, sizeof text);
        fprintf(out, "%s%s", i ? ", " : "[", text);
      }
      fputs(l->count ? "]" : "[]", out);
      return;
    case TEXT:
      fputc('"', out);
      for (const char *c = place; *c; c++) fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
      fputc('"', out);
  }
}

/* The length of the section's name in "section.key". */
static size_t section_length(const struct key *k) { return strcspn(k->name, "."); }

static bool same_section(const struct key *a, const struct key *b) {
  return !strncmp(a->name, b->name, section_length(a) + 1);
}

char *settings_text(const struct settings *s) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (!out) return NULL;
  for (int i = 0; i < settings_keys_count; i++) {
    const int n = (int)section_length(&settings_keys[i]);
    if (!i || !same_section(&settings_keys[i - 1], &settings_keys[i])) fprintf(out, "%.*s:\n", n, settings_keys[i].name);
    fprintf(out, "  %s: ", settings_keys[i].name + n + 1);
    print_value(out, s, &settings_keys[i]);
    fputc('\n', out);
  }
  const bool failed = ferror(out) != 0;
  if (!fclose(out) && !failed) return text;
  free(text);
  return NULL;
}

static void help_line(const struct key *k) {
  enum { KIND = 29, PRESET = 56, MEANING = 73 };   /* where the columns begin */
  char kind[192], meaning[256], part[128] = "";
  if (k->type == TEXT) {
    snprintf(kind, sizeof kind, "text");
    if (k->choices) settings_keys_separated(k->choices, ", ", part, sizeof part);
  } else if (k->type == TRUTH || k->type == CHOICE) {
    snprintf(kind, sizeof kind, "%s", k->type == TRUTH ? "true|false" : k->choices);
  } else {
    char limits[64];
    settings_keys_range(k, true, limits, sizeof limits);
    snprintf(kind, sizeof kind, "%s %s", k->type == INTEGER ? "integer" : k->type == REAL ? "real" : "reals", limits);
  }
  snprintf(meaning, sizeof meaning, "%s%s%s%s%s%s", k->help, *part ? ": " : "", part, *k->unit ? " [" : "", k->unit,
           *k->unit ? "]" : "");
  printf("  %-*s %-*s %-*s ", KIND - 3, k->name, PRESET - KIND - 1, kind, MEANING - PRESET - 1,
         *k->preset ? k->preset : "-");
  words_wrap(meaning, MEANING);
}

void settings_help(const char *section) {
  const struct key *last = NULL;
  for (int i = 0; i < settings_keys_count; i++) {
    const struct key *k = &settings_keys[i];
    const int n = (int)section_length(k);
    if (section && (strlen(section) != (size_t)n || strncmp(section, k->name, (size_t)n))) continue;
    if (!last || !same_section(last, k)) printf("%s%.*s\n", last ? "\n" : "", n, k->name);
    help_line(k);
    last = k;
  }
}
