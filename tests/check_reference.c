/* check_reference - compares the program's mathematics with reference values.
 *   check_reference [FILE.h5[:GROUP] ...]     no argument: every .h5 file of tests/data
 * Prints a line for each comparison, then `N passed, N failed`; fails beyond a limit, on a file that yields no
 * comparison, and on a result in a checked group that it does not know. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/reference.h"

#ifndef TEST_DATA
#define TEST_DATA "tests/data"
#endif

static int passed, failed;

static void check_file(const char *word) {
  char path[1024];
  snprintf(path, sizeof path, "%s", word);
  char *colon = strrchr(path, ':');
  if (colon && !strchr(colon, '/')) *colon++ = 0;
  else colon = NULL;
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  struct reference r;
  if (reference_open(&r, path, name, colon)) {
    printf("FAIL %s cannot be opened as HDF5\n", path);
    failed++;
    return;
  }
  const int net = H5Lexists(r.file, "params", H5P_DEFAULT) > 0;
  const int optim = H5Lexists(r.file, "step0", H5P_DEFAULT) > 0 || H5Lexists(r.file, "schedules", H5P_DEFAULT) > 0;
  if (net) reference_net(&r);
  if (optim) reference_optim(&r);
  reference_scores(&r);
  reference_vision(&r);
  reference_crop(&r);
  const int compared = r.passed + r.failed;
  reference_close(&r);
  if (!compared) {
    printf("FAIL %s: no comparison%s%s: not a file of reference values, or no such group\n", name,
           colon ? " in group " : "", colon ? colon : "");
    failed++;
  }
  passed += r.passed;
  failed += r.failed;
}

static void check_folder(const char *folder) {
  struct dirent **list;
  const int n = scandir(folder, &list, NULL, alphasort);
  for (int i = 0; i < n; i++) {
    const char *dot = strrchr(list[i]->d_name, '.');
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
    if (dot && !strcmp(dot, ".h5")) check_file(path);
    free(list[i]);
  }
  if (n >= 0) free(list);
}

int main(int argc, char **argv) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  const char *data = getenv("TEST_DATA");
  if (argc < 2) check_folder(data ? data : TEST_DATA);
  for (int i = 1; i < argc; i++) check_file(argv[i]);
  printf("%d passed, %d failed\n", passed, failed);
  return failed || !passed;
}
