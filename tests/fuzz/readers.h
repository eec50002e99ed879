/* readers.h - every reader of files as a function of bytes: what fuzzing (fuzz.c) and its replay (check_readers.c) share.
 * The law: whatever the bytes, a reader comes back, with STATUS_OK, or with another status and one line that says why; what it then
 * offers can be read. A reader that breaks it ends the program by abort, the sanitizers do for what they see.
 * Files lie in a folder of their own in memory (/dev/shm, else TMPDIR), removed at the end. Ranks: local. */
#ifndef TESTS_FUZZ_READERS_H
#define TESTS_FUZZ_READERS_H
#include <stddef.h>
#include <stdint.h>

struct reader {
  const char *name;                               /* of its folders in seeds/ and finds/ */
  void (*read)(size_t n, const uint8_t *bytes);
};
extern const struct reader readers[];             /* the last one has no name */
const struct reader *reader_named(const char *name);   /* NULL if there is none */

/* Files in HDF5 as a sound one with edits (readers_hdf.c): one byte says which file, then each edit takes what it needs. */
void read_hdf(size_t n, const uint8_t *bytes);

/* Writes the file of that name into the folder and returns its path, which stays until the next call. */
const char *scratch_put(const char *name, size_t n, const void *bytes);
/* Its path alone. */
const char *scratch_path(const char *name);
/* Ends the program where the law is broken. */
void scratch_judge(int status);
#endif
