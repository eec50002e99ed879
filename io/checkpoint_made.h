/* checkpoint_made.h - what the bits of a step depend on beside the state: ranks, threads, OpenBLAS's kernels, the libraries, the
 * program and how it was compiled.
 * The promise: where these are the same a run that was stopped and started again has the bits of a run in one go; where they are
 * not, it is the same within rounding (EXPECTATIONS C11). Each checkpoint keeps them, as attributes that `head` does not cover.
 * Ranks: local. Memory: the caller's. */
#ifndef IO_CHECKPOINT_MADE_H
#define IO_CHECKPOINT_MADE_H
#include <hdf5.h>
#include <stddef.h>

/* Into an open file. 0 or -1 (hdf.h). */
int checkpoint_made_write(hid_t file, int ranks);
/* text[room]: what is not now as it was when this file was saved, "2 ranks, now 4; ..."; empty where nothing is known to differ.
 * ranks, threads: 0 where their number changes nothing (threads: else 1). Errors: none; a file that cannot be read says nothing. */
void checkpoint_made_changes(const char *path, int ranks, int threads, char *text, size_t room);
#endif
