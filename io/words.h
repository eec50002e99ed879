/* words.h - the words of the command line: name=value, --flag and bare words, matched against what a job takes.
 * A word named "--name" in the job's table is a flag: it takes no value, and only `given` tells that it was there.
 * Errors: STATUS_BAD with one line that starts with the word: unknown (with "did you mean"), given twice, wrong type,
 * out of range, empty, one bare word too many. Memory: values go to the caller's variables; nothing is kept.
 * Ranks: local; the same words give the same outcome on every rank. */
#ifndef IO_WORDS_H
#define IO_WORDS_H
#include <stdbool.h>
#include <stddef.h>

#include "io/settings.h"

/* For jobs that take no settings (those that do call settings_load). Fills in words[n_words]: value and given.
 * bare[bare_max]: the words without a name, in their order (pointers into argv), then NULL. */
int words_parse(int argc, char **argv, struct word *words, size_t n_words, char **bare, int bare_max);
/* Prints text from column `left`, where the cursor is, broken between words so that no row is wider than 100 columns. */
void words_wrap(const char *text, int left);
/* Prints the words, their types and their help in columns, for NAME_help. */
void words_help(const struct word *words, size_t n_words);

/* Names that are not in a job's table but known elsewhere, and what was found of them. */
struct others {
  const char **names;   /* [count] */
  size_t count;
  char **found;         /* [argc] words "name=value" with such a name, in their order (pointers into argv) */
  int n_found;
};
/* As words_parse; words with a name in `others` (may be NULL) are set aside there. */
int words_match(int argc, char **argv, struct word *words, size_t n_words, char **bare, int bare_max,
                struct others *others);

/* Exactly one number in text: no blanks, no rest, finite. False otherwise. */
bool words_integer(const char *text, long *value);
bool words_real(const char *text, double *value);
/* Does the text, a name of a file, end so? */
bool words_ends(const char *text, const char *end);
/* The name nearest to `word` by insertions, deletions, changes and swapped neighbours (Damerau-Levenshtein, case
 * ignored), also with everything up to the last '.' left out on both sides. NULL where none is near enough. */
const char *words_nearest(const char *word, const char *const *names, size_t count);
#endif
