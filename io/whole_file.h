/* whole_file.h - small files read at once.
 * Memory: malloc'ed, the caller's. Errors: NULL, where there is no such file, or it is empty, has more bytes than `most`, or cannot
 * be read. Ranks: local. */
#ifndef IO_WHOLE_FILE_H
#define IO_WHOLE_FILE_H
#include <stddef.h>

enum { WHOLE_FILE_MOST = 8 << 20 };
/* Its bytes and a 0 behind them; *length: without that. */
char *whole_file(const char *path, size_t most, size_t *length);
/* folder/name as text, of up to WHOLE_FILE_MOST bytes. */
char *whole_file_in(const char *folder, const char *name);
#endif
