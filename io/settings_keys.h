/* settings_keys.h - the table of all settings: what settings.c sets and settings_text.c shows. Ranks: local. Memory: none. */
#ifndef IO_SETTINGS_KEYS_H
#define IO_SETTINGS_KEYS_H
#include <float.h>
#include <stdbool.h>
#include <stddef.h>

enum key_type { INTEGER, REAL, TRUTH, CHOICE, TEXT, REALS };
#define ABOVE_0 DBL_MIN   /* the least of numbers that must not be 0 */
#define MANY    1e9       /* an upper limit from here on is not worth a word in the help */

struct key {
  const char *name;
  enum key_type type;
  size_t offset, size;       /* in struct settings */
  double min, max;           /* of numbers; of each number of a list */
  const char *choices;       /* a|b|c: a CHOICE is the index; of a TEXT, what it may be if it is not empty */
  const char *preset;        /* the default */
  const char *unit, *help;
};
/* In the order of settings_text and of the help; the keys of a section stand together, model.model_str before the sizes. */
extern const struct key settings_keys[];
extern const int settings_keys_count;
extern const char *const settings_sections[];
enum { SETTINGS_SECTIONS = 6, SETTINGS_KEYS_MAX = 128 };

/* NULL: there is none of that name. */
const struct key *settings_keys_find(const char *name);
/* Is it the name of a section? */
bool settings_keys_section(const char *name);
/* The place of `text` in "a|b|c", -1 if it has none. */
int settings_keys_choice(const char *choices, const char *text);
/* "a|b|c" with another separator, cut to `size`. */
void settings_keys_separated(const char *choices, const char *separator, char *text, size_t size);
/* "1 to 100", "above 0, up to 1" and, if `brief`, "at least 1", "above 0": what a number may be. */
void settings_keys_range(const struct key *k, bool brief, char *text, size_t size);
#endif
