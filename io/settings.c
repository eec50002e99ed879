#include "io/settings.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/authors.h"
#include "io/presets.h"
#include "io/settings_keys.h"
#include "io/utf8.h"
#include "io/words.h"
#include "io/yaml.h"
#include "src/base/status.h"

enum { WORDS_MAX = 32 };

/* The authors' nets; all have aux_head_depth 8 and prefix tokens 8, 4, 4, 2. */
static const struct net { const char *name; long patch, depth, hidden, heads; } nets[] = {
  { "pmfDiT_B_16", 16, 16, 768, 12 },  { "pmfDiT_B_32", 32, 16, 768, 12 },  { "pmfDiT_L_16", 16, 32, 1024, 16 },
  { "pmfDiT_L_32", 32, 32, 1024, 16 }, { "pmfDiT_H_16", 16, 48, 1280, 16 }, { "pmfDiT_H_32", 32, 48, 1280, 16 },
};
enum { NETS_COUNT = sizeof nets / sizeof *nets, NET_SIZES = 9 };

/* The keys of files that mean nothing here, named by settings_tell_unused. */
static struct { char names[1024]; int left_out; } unused;
static bool net_named;
static const char *const net_keys[] = { "model.model_str", "model.patch_size", "model.depth", "model.hidden_size",
                                        "model.num_heads" };

/* What YAML holds as it is and gives back the same: no control characters, line ends of Unicode or marks of byte order. */
static bool is_plain(unsigned long u) {
  return (u >= 0x20 && u < 0x7f) || (u >= 0xa0 && u != 0x2028 && u != 0x2029 && u != 0xfeff && u != 0xfffe && u != 0xffff);
}

/* UTF-8 of such characters. */
static bool is_text(const char *text) {
  for (int n; *text; text += n) {
    unsigned long u;
    n = utf8_first(text, &u);
    if (!n || !is_plain(u)) return false;
  }
  return true;
}

/* In small letters, or as YAML also has them: False, FALSE. */
static bool set_truth(const char *text, bool *value) {
  const int i = settings_keys_choice("false|no|off|False|No|Off|FALSE|NO|OFF|true|yes|on|True|Yes|On|TRUE|YES|ON", text);
  if (i >= 0) *value = i >= 9;
  return i >= 0;
}

static bool set_reals(const struct key *k, const char *text, struct list *value) {
  struct list l = { .count = 0 };
  for (bool more = strspn(text, " ") < strlen(text); more;) {
    char number[64];
    text += strspn(text, " ");
    const size_t length = strcspn(text, ",");
    size_t n = length;
    while (n && text[n - 1] == ' ') n--;
    if (l.count == EMA_MAX || n >= sizeof number) return false;
    memcpy(number, text, n);
    number[n] = '\0';
    double *v = &l.value[l.count++];
    if (!words_real(number, v) || *v < k->min || *v > k->max) return false;
    more = text[length] == ',';
    text += length + more;
  }
  *value = l;
  return true;
}

/* The value that text stands for goes to its place in s. False: it is none of this key. */
static bool set(struct settings *s, const struct key *k, const char *text) {
  void *place = (char *)s + k->offset;
  long integer;
  double number;
  switch (k->type) {
    case INTEGER:
      if (!words_integer(text, &integer) || (double)integer < k->min || (double)integer > k->max) return false;
      *(long *)place = integer;
      return true;
    case REAL:
      if (!words_real(text, &number) || number < k->min || number > k->max) return false;
      *(double *)place = number;
      return true;
    case TRUTH: return set_truth(text, place);
    case CHOICE:
      if (settings_keys_choice(k->choices, text) < 0) return false;
      *(int *)place = settings_keys_choice(k->choices, text);
      return true;
    case TEXT:
      if (strlen(text) >= k->size || !is_text(text)) return false;
      if (k->choices && *text && settings_keys_choice(k->choices, text) < 0) return false;
      memset(place, 0, k->size);   /* equal settings have equal bytes */
      strcpy(place, text);
      return true;
    default: return set_reals(k, text, place);
  }
}

/* The sizes that model_str names, and their places. */
static bool named_sizes(struct settings *s, long sizes[NET_SIZES], long *places[NET_SIZES]) {
  long *const at[NET_SIZES] = { &s->model.patch_size, &s->model.depth, &s->model.hidden_size, &s->model.num_heads,
                                &s->model.aux_head_depth, &s->model.num_class_tokens, &s->model.num_time_tokens,
                                &s->model.num_cfg_tokens, &s->model.num_interval_tokens };
  for (int i = 0; i < NETS_COUNT; i++) {
    if (strcmp(nets[i].name, s->model.model_str)) continue;
    const long named[NET_SIZES] = { nets[i].patch, nets[i].depth, nets[i].hidden, nets[i].heads, 8, 8, 4, 4, 2 };
    memcpy(sizes, named, sizeof named);
    memcpy(places, at, sizeof at);
    return true;
  }
  return false;
}

/* After a key of the net was set: a name brings its sizes; a size that differs takes the name away. */
static void keep_name_true(struct settings *s, const struct key *k) {
  long sizes[NET_SIZES], *places[NET_SIZES];
  if (strncmp(k->name, "model.", 6) || !named_sizes(s, sizes, places)) return;
  const bool named = !strcmp(k->name, "model.model_str");
  for (int i = 0; i < NET_SIZES; i++) {
    if (named) *places[i] = sizes[i];
    else if (*places[i] != sizes[i]) memset(s->model.model_str, 0, sizeof s->model.model_str);
  }
}

static void expected(const struct key *k, char *text, size_t size) {
  char part[192] = "";
  if (k->choices) settings_keys_separated(k->choices, ", ", part, sizeof part);
  else if (k->type == INTEGER || k->type == REAL || k->type == REALS) settings_keys_range(k, false, part, sizeof part);
  switch (k->type) {
    case INTEGER: snprintf(text, size, "an integer, %s", part); return;
    case REAL:    snprintf(text, size, "a number, %s", part); return;
    case REALS:   snprintf(text, size, "up to %d numbers with commas between, each %s", EMA_MAX, part); return;
    case TRUTH:   snprintf(text, size, "true or false"); return;
    case CHOICE:  snprintf(text, size, "one of %s", part); return;
    case TEXT:
      if (k->choices) snprintf(text, size, "nothing or one of %s", part);
      else snprintf(text, size, "UTF-8 text of at most %zu bytes without control characters", k->size - 1);
  }
}

/* "the value of this key is wrong": `found` says what stands there. */
static int wrong(const struct key *k, const char *where, const char *found) {
  char text[320];
  expected(k, text, sizeof text);
  if (where) return because(STATUS_BAD, "%s: %s: expected %s; found %.100s", where, k->name, text, found);
  return because(STATUS_BAD, "%s=%.100s: expected %s", k->name, found, text);
}

static int unknown(const char *name, const char *where) {
  enum { AUTHORS_MAX = 64 };
  const char *names[SETTINGS_SECTIONS + SETTINGS_KEYS_MAX + AUTHORS_MAX], *theirs;
  size_t count = SETTINGS_SECTIONS;
  memcpy(names, settings_sections, SETTINGS_SECTIONS * sizeof *names);
  for (int i = 0; i < settings_keys_count; i++) names[count++] = settings_keys[i].name;
  for (size_t i = 0; i < AUTHORS_MAX && (theirs = authors_name(i)); i++) names[count++] = theirs;
  const char *nearest = words_nearest(name, names, count);
  const char *a = where ? where : "", *b = where ? ": " : "";
  if (nearest) return because(STATUS_BAD, "%s%sunknown key %s; did you mean %s?", a, b, name, nearest);
  return because(STATUS_BAD, "%s%sunknown key %s; the sections are dataset, model, training, checkpoint, sampling, fid",
                 a, b, name);
}

int settings_set(struct settings *s, const char *key, const char *value, const char *where) {
  const struct key *k = settings_keys_find(key);
  if (!k) return unknown(key, where);
  if (!set(s, k, authors_value(key, value))) return wrong(k, where, value);
  keep_name_true(s, k);
  for (size_t i = 0; i < sizeof net_keys / sizeof *net_keys; i++) net_named |= !strcmp(k->name, net_keys[i]);
  return STATUS_OK;
}

int settings_name_a_net(void) {
  return net_named ? STATUS_OK
                   : because(STATUS_BAD, "no net is named: expected preset=NAME (pmf help presets lists them), config=FILE.yml with the"
                                         " sizes of one, or model.model_str=NAME");
}

void settings_default(struct settings *s) {
  memset(s, 0, sizeof *s);
  for (int i = 0; i < settings_keys_count; i++) {
    const bool right = set(s, &settings_keys[i], settings_keys[i].preset);
    assert(right);
    (void)right;
  }
}

static int leave_unused(const struct yaml_entry *e, const char *where) {
  const size_t n = strlen(unused.names);
  if (!*e->value) return STATUS_OK;   /* a section, whose keys will be named, or nothing said */
  if (n + strlen(e->key) + 3 > sizeof unused.names) unused.left_out++;
  else snprintf(unused.names + n, sizeof unused.names - n, "%s%s", n ? ", " : "", e->key);
  return authors_check(e->key, e->value, where);
}

static int overlay(struct settings *s, const struct yaml_entry *e, const char *where) {
  const struct key *k = settings_keys_find(authors_key(e->key));
  if (!k) {
    if (authors_only(e->key)) return leave_unused(e, where);
    if (!settings_keys_section(e->key)) return unknown(e->key, where);
    if (e->kind == YAML_SECTION || e->kind == YAML_EMPTY) return STATUS_OK;
    return because(STATUS_BAD, "%s: %s is a section: expected keys below it; found a value", where, e->key);
  }
  if (e->kind == YAML_SECTION) return wrong(k, where, "a section");
  if (e->kind == YAML_NESTED) return because(STATUS_BAD, "%s: a list holds plain values only", where);
  if (e->kind == YAML_LIST && k->type != REALS) return wrong(k, where, "a list");
  if (e->kind == YAML_EMPTY && k->type != TEXT) return wrong(k, where, "nothing");
  return settings_set(s, k->name, e->value, where);
}

/* Two names of one key must not disagree. */
static int one_name_each(const struct yaml_entries *y, const char *where) {
  for (size_t i = 0; i < y->count; i++)
    for (size_t j = 0; j < i; j++) {
      const struct yaml_entry *a = &y->entries[j], *b = &y->entries[i];
      if (!strcmp(authors_key(a->key), authors_key(b->key)) && strcmp(a->value, b->value))
        return because(STATUS_BAD, "%s:%d: %s: %.100s, and in line %d %s: %.100s: the same setting under two names", where,
                       b->line, b->key, b->value, a->line, a->key, a->value);
    }
  return STATUS_OK;
}

/* *count: the entries that stand there. */
static int overlay_text(struct settings *s, const char *text, size_t length, const char *where, size_t *count) {
  struct yaml_entries y;
  int status = yaml_entries_read(&y, text, length, where);
  if (!status) status = one_name_each(&y, where);
  *count = y.count;
  /* The name of a net first: sizes given beside it win, wherever they stand. */
  for (int rest = 0; rest < 2; rest++)
    for (size_t i = 0; i < y.count && !status; i++) {
      char place[TEXT_MAX + 32];
      snprintf(place, sizeof place, "%.*s:%d", TEXT_MAX, where, y.entries[i].line);
      if (rest == !!strcmp(y.entries[i].key, "model.model_str")) status = overlay(s, &y.entries[i], place);
    }
  yaml_entries_free(&y);
  return status;
}

int settings_parse(struct settings *s, const char *text, size_t length, const char *where) {
  size_t count;
  return overlay_text(s, text, length, where, &count);
}

void settings_tell_unused(void) {
  if (!*unused.names) return;
  fprintf(stderr, "warning: of no use here and left out: %s", unused.names);
  if (unused.left_out) fprintf(stderr, " and %d more", unused.left_out);
  fputc('\n', stderr);
}

/* named: as the user did. */
static int load_file(struct settings *s, const char *path, const char *named) {
  char *text;
  size_t length, count;
  int status = preset_read(path, &text, &length);
  if (status) return status;
  status = overlay_text(s, text, length, path, &count);
  free(text);
  return status || count ? status : because(STATUS_BAD, "%s: empty", named);
}

static int load_preset(struct settings *s, const char *name) {
  char path[2 * TEXT_MAX];
  const int status = preset_find(name, path, sizeof path);
  return status ? status : load_file(s, path, path);
}

/* The words found[n]; as in a file, the name of a net comes first. */
static int load_words(struct settings *s, int n, char **found) {
  int status = STATUS_OK;
  for (int rest = 0; rest < 2; rest++)
    for (int i = 0; i < n && !status; i++) {
      char name[64];
      const size_t length = strcspn(found[i], "=");
      snprintf(name, sizeof name, "%.*s", (int)length, found[i]);
      if (rest == !!strcmp(name, "model.model_str")) status = settings_set(s, name, found[i] + length + 1, NULL);
    }
  return status;
}

int settings_load(struct settings *s, int argc, char **argv, struct word *words, size_t n_words,
                  char **bare, int bare_max) {
  char preset[TEXT_MAX] = "", config[TEXT_MAX] = "", data[TEXT_MAX] = "", named[TEXT_MAX + 8];
  const struct word ours[] = {
    { .name = "preset", .value = preset }, { .name = "config", .value = config }, { .name = "data", .value = data },
  };
  enum { OURS = sizeof ours / sizeof *ours };
  struct word all[WORDS_MAX];
  const char *names[SETTINGS_KEYS_MAX];
  assert(n_words + OURS <= WORDS_MAX);
  if (n_words) memcpy(all, words, n_words * sizeof *words);
  memcpy(all + n_words, ours, sizeof ours);   /* WORD_TEXT is 0 */
  for (int i = 0; i < settings_keys_count; i++) names[i] = settings_keys[i].name;
  struct others others = { .names = names, .count = (size_t)settings_keys_count, .found = malloc(((size_t)argc + 1) * sizeof *argv) };
  if (!others.found) return because(STATUS_NOMEM, "no memory for the words");

  settings_default(s);
  unused.names[0] = '\0', unused.left_out = 0, net_named = false;
  int status = words_match(argc, argv, all, n_words + OURS, bare, bare_max, &others);
  if (n_words) memcpy(words, all, n_words * sizeof *words);
  if (!status && *preset && *config)
    status = because(STATUS_BAD, "preset=%s and config=%s: expected one of them", preset, config);
  if (!status && *preset) status = load_preset(s, preset);
  snprintf(named, sizeof named, "config=%s", config);
  if (!status && *config) status = load_file(s, config, named);
  if (!status && *data) status = settings_set(s, "dataset.root", data, NULL);
  if (!status) status = load_words(s, others.n_found, others.found);
  if (!status && *data && strcmp(data, s->dataset.root))
    status = because(STATUS_BAD, "data=%s and dataset.root=%s: expected one of them", data, s->dataset.root);
  free(others.found);
  return status;
}
