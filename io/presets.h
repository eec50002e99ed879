/* presets.h - where presets are: NAME.yml in $PMF_PRESETS, then in PRESETDIR (installed), then in SOURCE_PRESETDIR (the
 * source tree); the build defines the last two. Ranks: local; ranks that see different files find different things. */
#ifndef IO_PRESETS_H
#define IO_PRESETS_H
#include <stddef.h>

/* path[size]: the preset's file. Errors: STATUS_BAD; lists the presets there are, with "did you mean". */
int preset_find(const char *name, char *path, size_t size);
/* The whole of a settings file, malloc'ed (free it), with a zero after its end.
 * Errors: STATUS_BAD (not there, not a readable file, above 1 MiB), STATUS_NOMEM. */
int preset_read(const char *path, char **text, size_t *length);
/* Prints the presets there are, each with the first line of its file, for --help. */
void presets_help(void);
#endif
