/* folder.h - the folder of a run: made when missing, and small text files in it that are never half-written.
 * Errors: STATUS_IO with the reason; STATUS_BAD where the name is taken by something else. Ranks: local; rank 0 writes. */
#ifndef IO_FOLDER_H
#define IO_FOLDER_H

/* Makes the folder and those above it. */
int folder_make(const char *path);
/* Writes text as FOLDER/name, by FOLDER/name.tmp and rename. */
int folder_write(const char *folder, const char *name, const char *text);
#endif
