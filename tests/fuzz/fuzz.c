/* fuzz.c - libFuzzer's side of the readers: $READER names the one that gets the bytes. Built by `make fuzz` with clang. */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/checkpoint_made.h"
#include "tests/fuzz/readers.h"

static const struct reader *reader;

/* Instead of io/checkpoint_made.c, which asks OpenMP and OpenBLAS. */
int checkpoint_made_write(hid_t file, int ranks) {
  (void)file, (void)ranks;
  return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  const char *name = getenv("READER");
  reader = reader_named(name ? name : "");
  if (reader) return 0;
  fprintf(stderr, "READER=NAME is missing, or no reader of tests/fuzz/readers.c\n");
  exit(EXIT_FAILURE);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  reader->read(n, bytes);
  return 0;
}
