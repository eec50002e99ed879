/* An .npz is a zip of .npy files: what goes in comes out, by libzip's reader and by the letters of numpy's format; equal
 * arrays give equal bytes; what fails leaves nothing. */
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zip.h>

#include "io/npz.h"
#include "src/base/status.h"
#include "tests/folder.h"
#include "tests/harness.h"

static char folder[256];
static char path[300];

/* Bytes 0, 1, 2 ... mod 251 in pieces of another size each; fails where `bad` of them have come. */
struct source { size_t all, came, bad; unsigned char piece[40000]; };
static int next(void *context, const void **data, size_t *bytes) {
  struct source *s = context;
  static const size_t sizes[] = { 1, 4000, 17, 8192, 40000, 64 };
  if (s->bad && s->came >= s->bad) return because(STATUS_NOMEM, "the source is dry");
  const size_t left = s->all - s->came, piece = sizes[s->came % 6];
  *bytes = piece < left ? piece : left;
  for (size_t i = 0; i < *bytes; i++) s->piece[i] = (unsigned char)((s->came + i) % 251);
  s->came += *bytes;
  *data = s->piece;
  return STATUS_OK;
}
static struct source images = { .all = 5 * 30 * 30 * 3 }, labels = { .all = 5 * 8 }, odd = { .all = 7 };
static int write_all(void) {
  const struct npz_array arrays[] = { { "arr_0", "|u1", 4, { 5, 30, 30, 3 }, next, &images },
                                      { "arr_1", "<i8", 1, { 5 }, next, &labels },
                                      { "a", "|u1", 2, { 7, 1 }, next, &odd } };
  images.came = labels.came = odd.came = 0;
  return npz_write(path, 3, arrays);
}

static size_t files(void) {
  size_t count = 0;
  DIR *d = opendir(folder);
  ck_assert_ptr_nonnull(d);
  for (const struct dirent *f; (f = readdir(d));) count += f->d_name[0] != '.';
  closedir(d);
  return count;
}

/* The entry's bytes, malloc'ed. */
static unsigned char *entry(zip_t *zip, const char *name, size_t *size) {
  zip_stat_t stat;
  ck_assert_int_eq(zip_stat(zip, name, 0, &stat), 0);
  ck_assert_int_eq(stat.comp_method, ZIP_CM_STORE);
  unsigned char *bytes = malloc(stat.size + 1);
  zip_file_t *f = zip_fopen(zip, name, 0);
  ck_assert(bytes && f);
  ck_assert_int_eq(zip_fread(f, bytes, stat.size), (zip_int64_t)stat.size);
  ck_assert_int_eq(zip_fclose(f), 0);   /* checks the sum */
  *size = stat.size;
  return bytes;
}

START_TEST(what_is_written_is_read_back) {
  static const struct { const char *file, *header; const struct source *source; } all[] = {
    { "arr_0.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (5, 30, 30, 3), }", &images },
    { "arr_1.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (5,), }", &labels },
    { "a.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (7, 1), }", &odd } };
  ck_assert_int_eq(write_all(), STATUS_OK);
  ck_assert_uint_eq(files(), 1);
  zip_t *zip = zip_open(path, ZIP_CHECKCONS, NULL);
  ck_assert_ptr_nonnull(zip);
  ck_assert_int_eq(zip_get_num_entries(zip, 0), 3);
  for (size_t k = 0; k < 3; k++) {
    size_t size, wrong = 0;
    unsigned char *bytes = entry(zip, all[k].file, &size);
    const size_t header = 10 + bytes[8] + 256 * (size_t)bytes[9], text = strlen(all[k].header);
    ck_assert_mem_eq(bytes, "\x93NUMPY\x01\x00", 8);
    ck_assert_uint_eq(header % 64, 0);
    ck_assert_mem_eq(bytes + 10, all[k].header, text);
    for (size_t i = 10 + text; i < header; i++) wrong += bytes[i] != (i + 1 < header ? ' ' : '\n');
    ck_assert_uint_eq(size, header + all[k].source->all);
    for (size_t i = header; i < size; i++) wrong += bytes[i] != (i - header) % 251;
    ck_assert_uint_eq(wrong, 0);
    free(bytes);
  }
  zip_discard(zip);
} END_TEST

static size_t file_bytes(unsigned char *bytes, size_t room) {
  FILE *f = fopen(path, "rb");
  ck_assert_ptr_nonnull(f);
  const size_t n = fread(bytes, 1, room, f);
  fclose(f);
  return n;
}
START_TEST(equal_arrays_give_equal_bytes) {
  static unsigned char first[20000], second[20000];
  ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
  ck_assert_int_eq(write_all(), STATUS_OK);
  const size_t n = file_bytes(first, sizeof first);
  sleep(2);   /* a zip's times count by two seconds */
  ck_assert_int_eq(setenv("TZ", "Asia/Kolkata", 1), 0);
  ck_assert_int_eq(write_all(), STATUS_OK);
  ck_assert_uint_eq(file_bytes(second, sizeof second), n);
  ck_assert_mem_eq(first, second, n);
} END_TEST

/* A file that is there stays as it was. */
START_TEST(what_fails_leaves_nothing) {
  static unsigned char before[20000], after[20000];
  ck_assert_int_eq(write_all(), STATUS_OK);
  const size_t n = file_bytes(before, sizeof before);

  images.bad = 9000;
  ck_assert_int_eq(write_all(), STATUS_NOMEM);
  ck_assert_str_eq(status_reason(), "the source is dry");
  images.bad = 0;
  ck_assert_uint_eq(files(), 1);

  struct rlimit limit, small;
  ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
  small = limit;
  small.rlim_cur = 9000;   /* as a full disk, but for the word */
  signal(SIGXFSZ, SIG_IGN);
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
  const int status = write_all();
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ck_assert_int_eq(status, STATUS_IO);
  ck_assert_ptr_nonnull(strstr(status_reason(), "x.npz.tmp: cannot be written: File too large"));
  ck_assert_uint_eq(files(), 1);
  ck_assert_uint_eq(file_bytes(after, sizeof after), n);
  ck_assert_mem_eq(before, after, n);
} END_TEST

START_TEST(rests_of_killed_jobs_are_removed) {
  static const char *const names[] = { "x.npz.tmp.Ab12Cd", "x.npz.tmp.short", "y.npz.tmp.Ab12Cd" };
  char name[600];
  for (int i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "%s/%s", folder, names[i]);
    FILE *f = fopen(name, "w");
    ck_assert_ptr_nonnull(f);
    fclose(f);
  }
  ck_assert_int_eq(write_all(), STATUS_OK);
  ck_assert_uint_eq(files(), 3);   /* x.npz and the two that were never ours */
  for (int i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "%s/%s", folder, names[i]);
    ck_assert_int_eq(unlink(name), i ? 0 : -1);
  }
} END_TEST

START_TEST(a_folder_that_is_not_there_is_said) {
  const struct npz_array a = { "a", "|u1", 2, { 7, 1 }, next, &odd };
  odd.came = 0;
  ck_assert_int_eq(npz_write("/tmp/no/such/folder/x.npz", 1, &a), STATUS_IO);
  ck_assert_ptr_nonnull(strstr(status_reason(), "cannot be written: No such file or directory"));
  ck_assert_uint_eq(odd.came, 0);   /* before the work */
} END_TEST

int main(void) {
  new_folder(folder);
  snprintf(path, sizeof path, "%s/x.npz", folder);
  const int code = run_tests("npz", (const TTest *[]){
    what_is_written_is_read_back, equal_arrays_give_equal_bytes, what_fails_leaves_nothing, rests_of_killed_jobs_are_removed,
    a_folder_that_is_not_there_is_said, NULL });
  unlink(path);
  rmdir(folder);
  return code;
}
