/* The readers on what fuzzing begins with (tests/fuzz/seeds) and on what it has found (tests/fuzz/finds), as they are, cut at
 * every length, and with bits turned over: each comes back, well or with one line that says why (tests/fuzz/readers.h). */
#include <dirent.h>
#include <hdf5.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tests/fuzz/readers.h"
#include "tests/harness.h"

enum { MOST = 1 << 16, CUTS = 200, FLIPS = 400 };

static uint8_t bytes[MOST];
static size_t files;

static size_t slurp(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) ck_abort_msg("%s cannot be read", path);
  const size_t n = fread(bytes, 1, MOST, f);
  fclose(f);
  ck_assert_msg(n < MOST, "%s is too large for a test", path);
  return n;
}

/* At most CUTS lengths and FLIPS bits of a file, spread evenly, the same ones each time. */
static void try_file(const struct reader *r, const char *path) {
  const size_t n = slurp(path), cut = 1 + n / CUTS, flip = 1 + 8 * n / FLIPS;
  files++;
  r->read(n, bytes);
  for (size_t length = 0; length < n; length += cut) r->read(length, bytes);
  for (size_t bit = 0; bit < 8 * n; bit += flip) {
    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    r->read(n, bytes);
    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
}

/* How many files the folder of that reader has; none is no error. */
static size_t try_folder(const char *which, const struct reader *r) {
  const char *data = getenv("TEST_DATA");
  char folder[2048], path[2400];
  size_t n = 0;
  snprintf(folder, sizeof folder, "%s/../fuzz/%s/%s", data ? data : TEST_DATA, which, r->name);
  DIR *d = opendir(folder);
  if (!d) return 0;
  for (const struct dirent *f; (f = readdir(d));) {
    if (f->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%.255s", folder, f->d_name);
    try_file(r, path);
    n++;
  }
  closedir(d);
  return n;
}

START_TEST(every_seed_is_read_or_refused) {
  for (const struct reader *r = readers; r->name; r++) ck_assert_msg(try_folder("seeds", r) > 0, "no seeds for %s", r->name);
} END_TEST

START_TEST(every_find_is_read_or_refused) {
  for (const struct reader *r = readers; r->name; r++) try_folder("finds", r);
  ck_assert_uint_gt(files, 0);
} END_TEST

START_TEST(none_takes_much_memory) {   /* what a file claims is not what it is given */
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  if (!SANITIZED) ck_assert_int_lt(used.ru_maxrss >> 10, 512);   /* MiB */
} END_TEST

int main(void) {
  return run_tests("readers", (const TTest *[]){ every_seed_is_read_or_refused, every_find_is_read_or_refused,
                                                 none_takes_much_memory, NULL });
}
