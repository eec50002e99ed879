/* check_reference - compares the program's mathematics with reference values.
 *   check_reference [FILE[:GROUP] | FOLDER ...]     no argument: tests/data
 * A FILE is HDF5 or, as the authors release their weights, .pt or .safetensors. Those are compared with the parameters of the .h5
 * beside them that has their name, or its beginning: pmf_square_legacy.pt with pmf_square.h5. A FOLDER stands for all such files.
 * Prints a line for each comparison, then `N passed, N failed`; fails beyond a limit, on a file that yields no
 * comparison, and on a result in a checked group that it does not know. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/weights.h"
#include "src/base/status.h"
#include "tests/reference.h"

#ifndef TEST_DATA
#define TEST_DATA "tests/data"
#endif

struct counts { int passed, failed; };

static void failure(struct counts *c, const char *word, const char *why, const char *reason) {
  printf("FAIL %s %s%s\n", word, why, reason);
  c->failed++;
}

static void close_counted(struct reference *r, struct counts *c) {
  const int compared = r->passed + r->failed;
  reference_close(r);
  if (!compared) reference_fail(r, r->group ? r->group : "", "no comparison: not a file of reference values, or no such group");
  c->passed += r->passed;
  c->failed += r->failed;
}

static void judge_values(struct reference *r) {
  reference_net(r);
  reference_optim(r);
  reference_schedules(r);
  reference_scores(r);
  reference_resample(r);
  reference_vision(r);
  reference_crop(r);
}

/* Finds the HDF5 file that weights belong to: their path with .h5 for its end, from which words behind a '_' may be missing. */
static int open_partner(struct reference *r, const char *path) {
  char stem[PATH_MAX], partner[PATH_MAX + 4];
  snprintf(stem, sizeof stem, "%s", path);
  char *slash = strrchr(stem, '/'), *name = slash ? slash + 1 : stem;
  for (char *end = strrchr(name, '.'); end; end = strrchr(name, '_')) {
    *end = 0;
    snprintf(partner, sizeof partner, "%s.h5", stem);
    if (!reference_open(r, partner)) return 0;
  }
  return 1;
}

static void judge(const char *word, struct counts *c) {
  struct reference r;
  struct weights w;
  if (!reference_open(&r, word)) {
    judge_values(&r);
    close_counted(&r, c);
    return;
  }
  const int other = weights_open(&w, word);
  weights_close(&w);
  if (H5Fis_hdf5(r.path) > 0) {
    failure(c, word, "is HDF5 that cannot be opened", "");
  } else if (other) {
    failure(c, word, "cannot be opened as HDF5, nor as weights: ", status_reason());
  } else if (open_partner(&r, word)) {
    failure(c, word, "holds weights, but no HDF5 file of its name is beside it to be compared with", "");
  } else {
    const char *slash = strrchr(word, '/');
    r.name = slash ? slash + 1 : word;
    r.group = "params";
    reference_weights(&r, word);
    close_counted(&r, c);
  }
}

/* Judges in a process of its own: what ends that is one failure, and the next file is judged. */
static void judge_apart(const char *word, struct counts *total) {
  struct counts c = { 0 };
  int ends[2], status = -1;
  if (pipe(ends)) abort();
  fflush(stdout);
  const pid_t child = fork();
  if (!child) {
    judge(word, &c);
    exit(fflush(stdout) || write(ends[1], &c, sizeof c) != sizeof c);
  }
  close(ends[1]);
  const int whole = child > 0 && read(ends[0], &c, sizeof c) == sizeof c;
  close(ends[0]);
  if (child > 0) waitpid(child, &status, 0);
  total->passed += c.passed;
  total->failed += c.failed;
  if (!whole || status) failure(total, word, "ended the judge", "");
}

static int is_judged(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot && (!strcmp(dot, ".h5") || !strcmp(dot, ".pt") || !strcmp(dot, ".safetensors"));
}

static void judge_folder(const char *folder, struct counts *total) {
  struct dirent **list;
  const int n = scandir(folder, &list, NULL, alphasort);
  for (int i = 0; i < n; i++) {
    char path[PATH_MAX + 300];
    snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
    if (is_judged(list[i]->d_name)) judge_apart(path, total);
    free(list[i]);
  }
  if (n >= 0) free(list);
}

static void judge_word(const char *word, struct counts *total) {
  struct stat facts;
  if (!stat(word, &facts) && S_ISDIR(facts.st_mode)) judge_folder(word, total);
  else judge_apart(word, total);
}

int main(int argc, char **argv) {
  struct counts total = { 0 };
  const char *data = getenv("TEST_DATA");
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  if (argc < 2) judge_word(data ? data : TEST_DATA, &total);
  for (int i = 1; i < argc; i++) judge_word(argv[i], &total);
  printf("%d passed, %d failed\n", total.passed, total.failed);
  return total.failed || !total.passed;
}
