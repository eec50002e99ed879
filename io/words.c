#include "io/words.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/status.h"

enum { LETTERS = 63, HELP_COLUMN = 38, HELP_WIDTH = 100 };

bool words_integer(const char *text, long *value) {
  char *end;
  if (!isdigit((unsigned char)text[text[0] == '-' || text[0] == '+'])) return false;
  errno = 0;
  *value = strtol(text, &end, 10);
  return *end == '\0' && !errno;
}

bool words_real(const char *text, double *value) {
  char *end;
  if (!*text || strspn(text, "+-.0123456789eE") != strlen(text)) return false;   /* no blanks, hexadecimals, inf, nan */
  *value = strtod(text, &end);
  return *end == '\0' && isfinite(*value);
}

/* Restricted Damerau-Levenshtein distance; names longer than LETTERS are cut. Row i of the usual table is d[i % 3]. */
static int distance(const char *a, const char *b) {
  const int n = (int)strnlen(a, LETTERS), m = (int)strnlen(b, LETTERS);
  int d[3][LETTERS + 1];
  for (int j = 0; j <= m; j++) d[0][j] = j;
  for (int i = 1; i <= n; i++) {
    int *row = d[i % 3], *above = d[(i - 1) % 3], *above2 = d[(i + 1) % 3];
    row[0] = i;
    for (int j = 1; j <= m; j++) {
      const int p = tolower((unsigned char)a[i - 1]), q = tolower((unsigned char)b[j - 1]);
      int best = above[j - 1] + (p != q);
      if (above[j] + 1 < best) best = above[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      if (i > 1 && j > 1 && p == tolower((unsigned char)b[j - 2]) && q == tolower((unsigned char)a[i - 2]) &&
          above2[j - 2] + 1 < best)
        best = above2[j - 2] + 1;
      row[j] = best;
    }
  }
  return d[n % 3][m];
}

static const char *last_part(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot ? dot + 1 : name;
}

/* Near enough: a third of the letters. */
static bool near(int d, const char *word) { return 3 * (size_t)d <= strlen(word) + 1; }

const char *words_nearest(const char *word, const char *const *names, size_t count) {
  const char *best = NULL;
  int best_score = 1 << 20;
  for (size_t i = 0; i < count; i++) {
    const int whole = distance(word, names[i]), last = distance(last_part(word), last_part(names[i]));
    const bool whole_near = near(whole, word), last_near = near(last, last_part(word));
    if (!whole_near && !last_near) continue;
    /* The nearer of the two decides, the whole name where that is equal. */
    const int score = LETTERS * (whole_near && (!last_near || whole < last) ? whole : last) + whole;
    if (score < best_score) {
      best_score = score;
      best = names[i];
    }
  }
  return best;
}

static bool is_flag(const struct word *w) { return w->name[0] == '-'; }

/* The length of the name in "name=value", 0 for a bare word: what stands before '=' must look like a name, so that
 * a file runs/a=1/x.h5 is a bare word. */
static size_t name_length(const char *word) {
  const size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
  return word[n] == '=' ? n : 0;
}

static const char *range_text(const struct word *w, char *text, size_t size) {
  const char *kind = w->type == WORD_INTEGER ? "an integer" : "a number";
  if (w->type == WORD_TEXT) snprintf(text, size, "a text");
  else if (w->min <= -1e15 && w->max >= 1e15) snprintf(text, size, "%s", kind);
  else if (w->max >= 1e15) snprintf(text, size, "%s, at least %.10g", kind, w->min);
  else snprintf(text, size, "%s from %.10g to %.10g", kind, w->min, w->max);
  return text;
}

static int take_value(struct word *w, const char *word, const char *value) {
  char range[96];
  bool right = *value != '\0';
  if (w->type == WORD_TEXT) {
    if (strlen(value) >= TEXT_MAX)
      return because(STATUS_BAD, "%s=: longer than %d characters", w->name, TEXT_MAX - 1);
    if (right) strcpy(w->value, value);
  } else if (w->type == WORD_INTEGER) {
    long v;
    right = words_integer(value, &v) && (double)v >= w->min && (double)v <= w->max;
    if (right) *(long *)w->value = v;
  } else {
    double v;
    right = words_real(value, &v) && v >= w->min && v <= w->max;
    if (right) *(double *)w->value = v;
  }
  return right ? STATUS_OK : because(STATUS_BAD, "%s: expected %s", word, range_text(w, range, sizeof range));
}

static int unknown(const char *word, size_t length, const struct word *words, size_t n_words, const struct others *o) {
  const size_t n = n_words + (o ? o->count : 0);
  const char **names = malloc((n + 1) * sizeof *names);
  if (!names) return because(STATUS_NOMEM, "no memory to match the words");
  for (size_t i = 0; i < n_words; i++) names[i] = words[i].name;
  for (size_t i = n_words; i < n; i++) names[i] = o->names[i - n_words];
  char name[LETTERS + 1];
  snprintf(name, sizeof name, "%.*s", (int)(length < LETTERS ? length : LETTERS), word);
  const char *nearest = words_nearest(name, names, n);
  free(names);
  const char *what = word[0] == '-' ? "flag" : "word";
  if (!nearest) return because(STATUS_BAD, "%s: unknown %s; --help lists them", word, what);
  return because(STATUS_BAD, "%s: unknown %s; did you mean %s%s?", word, what, nearest, nearest[0] == '-' ? "" : "=");
}

/* Sets a word of the others aside; *mine tells whether it is one. */
static int set_aside(char *word, size_t length, struct others *o, bool *mine) {
  *mine = false;
  for (size_t i = 0; o && i < o->count && !*mine; i++)
    *mine = strlen(o->names[i]) == length && !strncmp(o->names[i], word, length);
  if (!*mine) return STATUS_OK;
  for (int i = 0; i < o->n_found; i++)
    if (!strncmp(o->found[i], word, length + 1))   /* with its '=' */
      return because(STATUS_BAD, "%s: given twice (%s before)", word, o->found[i]);
  o->found[o->n_found++] = word;
  return STATUS_OK;
}

static int match_one(char *word, struct word *words, size_t n_words, struct others *o, bool *bare) {
  const size_t name = name_length(word), length = name ? name : strlen(word);
  *bare = false;
  for (size_t i = 0; i < n_words; i++) {
    struct word *w = &words[i];
    if (strlen(w->name) != length || strncmp(w->name, word, length)) continue;
    if (!name && !is_flag(w)) return because(STATUS_BAD, "%s: expected %s=VALUE", word, w->name);
    if (name && is_flag(w)) return because(STATUS_BAD, "%s: %s takes no value", word, w->name);
    if (w->given) return because(STATUS_BAD, "%s: given twice", word);
    w->given = true;
    return name ? take_value(w, word, word + name + 1) : STATUS_OK;
  }
  if (name) {
    bool mine;
    const int status = set_aside(word, name, o, &mine);
    if (status || mine) return status;
  }
  *bare = !name && word[0] != '-';
  return *bare ? STATUS_OK : unknown(word, length, words, n_words, o);
}

int words_match(int argc, char **argv, struct word *words, size_t n_words, char **bare, int bare_max,
                struct others *others) {
  int n_bare = 0;
  for (size_t i = 0; i < n_words; i++) words[i].given = false;
  for (int i = 0; i < bare_max; i++) bare[i] = NULL;
  for (int i = 0; i < argc; i++) {
    bool is_bare;
    const int status = match_one(argv[i], words, n_words, others, &is_bare);
    if (status) return status;
    if (!is_bare) continue;
    if (n_bare == bare_max)
      return because(STATUS_BAD, "%s: %s", argv[i],
                     bare_max ? "one word too many" : "expected a word of the form name=value");
    bare[n_bare++] = argv[i];
  }
  return STATUS_OK;
}

int words_parse(int argc, char **argv, struct word *words, size_t n_words, char **bare, int bare_max) {
  return words_match(argc, argv, words, n_words, bare, bare_max, NULL);
}

void words_wrap(const char *text, int left) {
  for (int column = left; *text;) {
    const int n = (int)strcspn(text, " ");
    if (column + n > HELP_WIDTH && column > left) {
      printf("\n%*s", left, "");
      column = left;
    }
    printf("%.*s", n, text);
    text += n;
    column += n + 1;
    if (*text == ' ' && *++text && column + (int)strcspn(text, " ") <= HELP_WIDTH) putchar(' ');
  }
  putchar('\n');
}

void words_help(const struct word *words, size_t n_words) {
  for (size_t i = 0; i < n_words; i++) {
    const struct word *w = &words[i];
    char range[96], left[192];
    if (is_flag(w)) snprintf(left, sizeof left, "%s", w->name);
    else if (w->type == WORD_TEXT) snprintf(left, sizeof left, "%s=TEXT", w->name);
    else snprintf(left, sizeof left, "%s=  %s", w->name, range_text(w, range, sizeof range));
    printf("  %-*s ", HELP_COLUMN, left);
    if (strlen(left) > HELP_COLUMN) printf("\n%*s", HELP_COLUMN + 3, "");
    words_wrap(w->help ? w->help : "", HELP_COLUMN + 3);
  }
}

bool words_ends(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n > m && !strcmp(text + n - m, end);
}
