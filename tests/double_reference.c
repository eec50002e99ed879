/* double_reference FILE.h5[:GROUP] - what networks see in images, as tests/check_reference compares it, but in double. */
#include <stdio.h>

#include "tests/reference.h"

int main(int argc, char **argv) {
  struct reference r;
  if (argc != 2) return fputs("usage: double_reference FILE.h5[:GROUP]\n", stderr), 64;
  if (reference_open(&r, argv[1])) return printf("FAIL %s cannot be opened as HDF5\n", argv[1]), 1;
  reference_resample(&r);
  reference_vision(&r);
  printf("%d passed, %d failed\n", r.passed, r.failed);
  return r.failed || !r.passed;
}
