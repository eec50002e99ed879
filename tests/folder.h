/* folder.h - a folder of a test's own, in $TMPDIR or /tmp. Errors: a test that cannot have one ends. Ranks: local. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H
#include <stdio.h>
#include <stdlib.h>

static inline void new_folder(char folder[static 256]) {
  const char *where = getenv("TMPDIR");
  snprintf(folder, 256, "%.200s/pmf-test-XXXXXX", where && *where ? where : "/tmp");
  if (mkdtemp(folder)) return;
  fprintf(stderr, "%s cannot be made\n", folder);
  exit(EXIT_FAILURE);
}
#endif
