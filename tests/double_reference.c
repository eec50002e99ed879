/* double_reference FILE.h5[:GROUP] - what networks see in images, as tests/check_reference compares it, but in double. */
#include <stdio.h>
#include <string.h>

#include "tests/reference.h"

int main(int argc, char **argv) {
  struct reference r;
  char path[1024];
  if (argc != 2) return fputs("usage: double_reference FILE.h5[:GROUP]\n", stderr), 64;
  snprintf(path, sizeof path, "%s", argv[1]);
  char *colon = strrchr(path, ':');
  if (colon && !strchr(colon, '/')) *colon++ = 0;
  else colon = NULL;
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  if (reference_open(&r, path, name, colon)) return printf("FAIL %s cannot be opened as HDF5\n", path), 1;
  reference_vision(&r);
  printf("%d passed, %d failed\n", r.passed, r.failed);
  return r.failed || !r.passed;
}
