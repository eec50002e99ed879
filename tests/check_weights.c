/* Files of weights as others write them: the fixtures' bits come back from all three forms; hostile and damaged files are
 * refused with a line, in little memory. */
#include "io/weights.h"

#include <fcntl.h>
#include <hdf5.h>
#include <sys/resource.h>
#include <unistd.h>

#include "src/base/status.h"
#include "tests/harness.h"

static const char *const forms[] = { "pmf_square.pt", "pmf_square_legacy.pt", "pmf_square.safetensors" };
enum { FORMS = 3 };
static char path[300];

/* The whole of a file of tests/data; the caller frees it. */
static unsigned char *slurp(const char *name, size_t *size) {
  char full[1200];
  const char *data = getenv("TEST_DATA");
  snprintf(full, sizeof full, "%s/%s", data ? data : TEST_DATA, name);
  FILE *f = fopen(full, "rb");
  if (!f) ck_abort_msg("%s is missing", full);
  unsigned char *all = malloc(1 << 20);
  *size = fread(all, 1, 1 << 20, f);
  fclose(f);
  return all;
}

static void put(const void *data, size_t size) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ck_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
  close(fd);
}

/* Opens the file at path and reads all that can be read; the worst status. What it says of itself is true in any case. */
static int read_whole(void) {
  struct weights w;
  int status = weights_open(&w, path);
  for (size_t i = 0; i < w.count && !status; i++) {
    const struct weights_tensor *t = &w.tensors[i];
    ck_assert(t->bytes <= w.size && t->size <= t->bytes / t->kind->bytes);
    if (t->kind->number == NUMBER_OTHER) continue;
    float *x = malloc((t->size + 1) * sizeof *x);
    status = weights_read(&w, t, x);
    free(x);
  }
  weights_close(&w);
  return status;
}

static void check_refused(const char *name, const char *reason) {
  const int status = read_whole();
  if (status != STATUS_BAD || !strstr(status_reason(), reason) || strncmp(status_reason(), path, strlen(path)))
    ck_abort_msg("%s: status %d, '%s', expected '%s'", name, status, status_reason(), reason);
}

/* A tensor of the fixture's HDF5 file has the same bits. */
static int differs(hid_t params, const char *name, const float *x, size_t size) {
  const hid_t set = H5Dopen2(params, name, H5P_DEFAULT);
  if (set < 0) return 1;
  float *y = calloc(size, sizeof *y);
  const hid_t space = H5Dget_space(set);
  const int bad = H5Sget_simple_extent_npoints(space) != (hssize_t)size
                  || H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, y) < 0 || memcmp(x, y, size * sizeof *x);
  H5Sclose(space);
  H5Dclose(set);
  free(y);
  return bad;
}

START_TEST(all_three_forms_give_the_fixtures_bits) {
  char full[1200];
  const char *data = getenv("TEST_DATA");
  snprintf(full, sizeof full, "%s/pmf_square.h5", data ? data : TEST_DATA);
  const hid_t file = H5Fopen(full, H5F_ACC_RDONLY, H5P_DEFAULT), params = H5Gopen2(file, "params", H5P_DEFAULT);
  for (int k = 0; k < FORMS; k++) {
    struct weights w;
    size_t size;
    unsigned char *all = slurp(forms[k], &size);
    put(all, size);
    free(all);
    if (weights_open(&w, path)) ck_abort_msg("%s", status_reason());
    ck_assert_uint_eq(w.count, 82);
    for (size_t i = 0; i < w.count; i++) {
      const struct weights_tensor *t = &w.tensors[i];
      float *x = malloc(t->size * sizeof *x);
      ck_assert_int_eq(weights_read(&w, t, x), STATUS_OK);
      ck_assert(!strncmp(t->name, "net.", 4) && weights_find(&w, "net.", t->name + 4) == t);
      if (differs(params, t->name + 4, x, t->size)) ck_abort_msg("%s: %s differs", forms[k], t->name);
      free(x);
    }
    ck_assert_ptr_null(weights_find(&w, "", "pos_embed"));
    weights_close(&w);
  }
  H5Gclose(params);
  H5Fclose(file);
} END_TEST

/* header as safetensors, and so many bytes 0, 1, 2, ... behind it */
static void put_safetensors(const char *header, size_t bytes) {
  const size_t n = strlen(header);
  unsigned char *all = calloc(8 + n + bytes + 1, 1);
  for (int i = 0; i < 8; i++) all[i] = (unsigned char)((uint64_t)n >> 8 * i);
  memcpy(all + 8, header, n);
  for (size_t i = 0; i < bytes; i++) all[8 + n + i] = (unsigned char)i;
  put(all, 8 + n + bytes);
  free(all);
}
#define TENSOR(name, dtype, shape, begin, end) \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end "]}"

START_TEST(numbers_of_sixteen_bits_are_exact) {
  static const uint16_t bits[] = { 0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x83ff, 0x8000, 0x3555 };   /* float16 */
  static const float half[] = { 1, -2, 65504, 0x1p-14f, 0x1p-24f, -1023 * 0x1p-24f, -0.0f, 0x1.554p-2f };
  char *header = "{" TENSOR("a", "F16", "2,4", 0, 16) "," TENSOR("b", "BF16", "2", 16, 20) "}", all[200];
  const size_t n = strlen(header);
  memset(all, 0, 8);
  all[0] = (char)n;
  memcpy(all + 8, header, n);
  memcpy(all + 8 + n, bits, 16);
  memcpy(all + 24 + n, (uint16_t[]){ 0x3fc0, 0xff80 }, 4);
  put(all, 28 + n);
  struct weights w;
  float x[8];
  ck_assert_int_eq(weights_open(&w, path), STATUS_OK);
  ck_assert_int_eq(weights_read(&w, weights_find(&w, "", "a"), x), STATUS_OK);
  ck_assert_mem_eq(x, half, sizeof half);
  ck_assert_int_eq(weights_read(&w, weights_find(&w, "", "b"), x), STATUS_OK);
  ck_assert(x[0] == 1.5f && x[1] == -INFINITY);
  weights_close(&w);
} END_TEST

START_TEST(a_hostile_header_is_refused) {
  static const struct { const char *header; size_t bytes; const char *reason; } bad[] = {
    { "{" TENSOR("a", "F32", "2", 0, 8) "}", 7, "data_offsets outside the file" },
    { "{" TENSOR("a", "F32", "2", 0, 8) "}", 9, "bytes behind its tensors" },
    { "{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "2", 4, 12) "}", 12, "lies over another" },
    { "{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "2", 0, 8) "}", 8, "lies over another" },
    { "{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "1", 12, 16) "}", 16, "a gap before it" },
    { "{" TENSOR("a", "F32", "2", 8, 0) "}", 8, "data_offsets outside the file" },
    { "{" TENSOR("a", "F32", "2", -8, 0) "}", 8, "data_offsets outside the file" },
    { "{" TENSOR("a", "F32", "2", 0, 1e300) "}", 8, "data_offsets outside the file" },
    { "{" TENSOR("a", "F32", "2", 0.5, 8.5) "}", 8, "data_offsets outside the file" },
    { "{" TENSOR("a", "F32", "3", 0, 8) "}", 8, "do not fit its shape" },
    { "{" TENSOR("a", "F32", "4294967296,4294967296", 0, 8) "}", 8, "a shape that cannot be" },
    { "{" TENSOR("a", "F32", "4611686018427387904", 0, 0) "}", 0, "a shape that cannot be" },
    { "{" TENSOR("a", "F32", "9007199254740992,512", 0, 0) "}", 0, "do not fit its shape" },
    { "{" TENSOR("a", "F32", "-2", 0, 8) "}", 8, "a shape that cannot be" },
    { "{" TENSOR("a", "F32", "1,1,1,1,1,1,1,1,2", 0, 8) "}", 8, "a shape that cannot be" },
    { "{" TENSOR("a", "F31", "2", 0, 8) "}", 8, "an unknown dtype" },
    { "{" TENSOR("a", "F32", "1", 0, 4) "," TENSOR("a", "F32", "1", 4, 8) "}", 8, "two tensors with the name a" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "shape or data_offsets are missing" },
    { "{\"a\":7}", 8, "an unknown dtype" }, { "{}", 0, "no tensors in it" }, { "{\"__metadata__\":{}}", 0, "no tensors in it" },
    { "{\"a\":", 8, "no JSON object" }, { "{}x", 8, "no JSON object" },
    { "{\"a\":[[[[", 8, "no JSON object" },
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    put_safetensors(bad[i].header, bad[i].bytes);
    check_refused(bad[i].header, bad[i].reason);
  }
  put_safetensors("{" TENSOR("a", "F64", "1", 0, 8) "}  ", 8);   /* blanks pad a header; other kinds are listed, not read */
  ck_assert_int_eq(read_whole(), STATUS_OK);
  char deep[4096];
  memset(deep, '[', sizeof deep - 1);
  deep[sizeof deep - 1] = 0;
  memcpy(deep, "{\"a\":", 5);
  put_safetensors(deep, 8);
  check_refused("deep nesting", "no JSON object");
  put("\377\377\377\377\377\377\377\177{}", 10);
  check_refused("a length past the end", "a header of 9223372036854775807 bytes in a file of 10");
  put("\13\0\0\0\0\0\0\0{}", 10);
  check_refused("a length past the end", "a header of 11 bytes in a file of 10");
} END_TEST

/* The older form with one tensor `a`, whose storage `k` holds the four numbers 1, 2, 3, 4. The rest is pickled: */
struct one {
  const char *elements;        /* of the storage, as the pickle says */
  const char *first, *shape, *strides;
  size_t n[4];                 /* their bytes */
};
#define PICKLED(elements, first, shape, strides) \
  { elements, first, shape, strides, { sizeof(elements) - 1, sizeof(first) - 1, sizeof(shape) - 1, sizeof(strides) - 1 } }

static void add(char *all, size_t *used, const void *bytes, size_t n) {
  memcpy(all + *used, bytes, n);
  *used += n;
}
#define ADD(text) add(all, &used, text, sizeof(text) - 1)

static void put_one(const struct one *o, bool little, const char *kind) {
  char all[1024];
  size_t used = 0;
  const float x[4] = { 1, 2, 3, 4 };
  ADD("\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}X\x0d\0\0\0little_endian");
  add(all, &used, little ? "\x88s." : "\x89s.", 3);
  ADD("\x80\2}X\1\0\0\0a");
  ADD("ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n");
  add(all, &used, kind, strlen(kind));
  ADD("\nX\1\0\0\0kX\3\0\0\0cpu");
  add(all, &used, o->elements, o->n[0]);
  ADD("tQ");
  add(all, &used, o->first, o->n[1]);
  add(all, &used, o->shape, o->n[2]);
  add(all, &used, o->strides, o->n[3]);
  ADD("\x89""ccollections\nOrderedDict\n)RtRs.\x80\2]X\1\0\0\0ka.\4\0\0\0\0\0\0\0");
  add(all, &used, x, sizeof x);
  put(all, used);
}

START_TEST(shapes_and_strides_stay_inside_their_storage) {
  static const struct { struct one one; const char *reason; } bad[] = {
    { PICKLED("K\4", "K\1", "K\4\x85", "K\1\x85"), "does not lie inside its 16 bytes" },
    { PICKLED("K\4", "K\5", "K\0\x85", "K\1\x85"), "does not lie inside its 16 bytes" },
    { PICKLED("K\4", "K\0", "K\2\x85", "K\4\x85"), "does not lie inside its 16 bytes" },
    { PICKLED("K\4", "K\0", "J\0\0\0\x40K\4\x86", "K\0K\1\x86"), "does not lie inside its 16 bytes" },   /* expanded */
    { PICKLED("K\4", "K\0", "\x8a\x08\0\0\0\0\0\0\0\x40K\4\x86", "K\0K\0\x86"), "does not lie inside its 16 bytes" },
    { PICKLED("K\4", "K\0", "K\3\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85"), "does not lie inside its 16 bytes" },
    { PICKLED("K\4", "J\xff\xff\xff\xff", "K\4\x85", "K\1\x85"), "a tensor is not as torch.save writes it" },
    { PICKLED("K\4", "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85"), "a tensor is not as torch.save writes it" },
    { PICKLED("K\4", "K\0", "K\4\x85", "K\1K\1\x86"), "a tensor is not as torch.save writes it" },
    { PICKLED("K\4", "K\0", "K\4", "K\1"), "a tensor is not as torch.save writes it" },
    { PICKLED("K\3", "K\0", "K\3\x85", "K\1\x85"), "storage 0 has 4 elements, its pickle says 3" },
    { PICKLED("J\xff\xff\xff\x7f", "K\0", "K\4\x85", "K\1\x85"), "is larger than the file" },
    { PICKLED("X\1\0\0\0k", "K\0", "K\4\x85", "K\1\x85"), "a storage is not as torch.save writes it" },
  };
  const struct one transposed = PICKLED("K\4", "K\0", "K\2K\2\x86", "K\1K\2\x86");
  put_one(&transposed, true, "FloatStorage");
  struct weights w;
  float x[4];
  ck_assert_int_eq(weights_open(&w, path), STATUS_OK);
  ck_assert_int_eq(weights_read(&w, &w.tensors[0], x), STATUS_OK);
  ck_assert(x[0] == 1 && x[1] == 3 && x[2] == 2 && x[3] == 4);
  weights_close(&w);
  put_one(&transposed, false, "FloatStorage");
  check_refused("big-endian", "big-endian; expected little");
  put_one(&transposed, true, "QInt8Storage");
  check_refused("kind", "asks for torch.QInt8Storage");
  put_one(&transposed, true, "LongStorage");
  check_refused("kind", "cut in storage 0");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    put_one(&bad[i].one, true, "FloatStorage");
    check_refused(bad[i].reason, bad[i].reason);
  }
} END_TEST

START_TEST(other_files_are_refused) {
  put("", 0);
  check_refused("empty", "neither .safetensors nor");
  put("hello, this is no file of weights", 33);
  check_refused("text", "neither .safetensors nor");
  put("\211HDF\r\n\032\n", 8);
  check_refused("HDF5", "is an HDF5 file");
  put("PK\3\4 and nothing else", 20);
  check_refused("half a zip", "cannot be read as a zip");
  put("\x80\2K\1.", 5);
  check_refused("a pickle", "a pickle, but not one of torch.save");
  put("\x80\2cposix\nsystem\n(X\2\0\0\0id\x85R.", 27);
  check_refused("a call", "asks for posix.system");
  char there[300];
  snprintf(there, sizeof there, "%s", path);
  snprintf(path, sizeof path, "%.250s.none", there);
  check_refused("missing", "cannot be opened: No such file");
  snprintf(path, sizeof path, "%s", there);
} END_TEST

START_TEST(a_cut_file_is_refused_at_every_twentieth) {
  for (int k = 0; k < FORMS; k++) {
    size_t size;
    unsigned char *all = slurp(forms[k], &size);
    put(all, size);
    ck_assert_int_eq(read_whole(), STATUS_OK);
    for (size_t i = 0; i < 20; i++) {
      put(all, size * i / 20);
      check_refused(forms[k], ": ");
      put(all, size - 1 - i);   /* and near the end */
      check_refused(forms[k], ": ");
    }
    free(all);
  }
} END_TEST

START_TEST(a_damaged_storage_of_a_zip_is_found) {   /* by the zip's checksum; the other forms have none */
  size_t size;
  unsigned char *all = slurp(forms[0], &size);
  all[size / 2] ^= 1;
  put(all, size);
  check_refused(forms[0], "are damaged or cannot be read");
  free(all);
} END_TEST

/* Bytes changed at random in what describes the tensors: a file is read, or refused, and takes little memory. */
START_TEST(a_damaged_file_is_read_or_refused) {
  for (int k = 0; k < FORMS; k++) {
    size_t size;
    unsigned char *all = slurp(forms[k], &size);
    put(all, size);
    const int fd = open(path, O_WRONLY);
    for (uint32_t i = 0; i < 1000; i++) {
      uint32_t bits[12];
      off_t at[4];
      random_bits((struct purpose){ .seed = 4, .stream = STREAM_TEST, .sample = i }, 12, bits);
      for (uint32_t j = 0; j <= bits[0] % 4; j++) {
        const unsigned char byte = (unsigned char)bits[3 * j + 1];
        const size_t head = bits[3 * j + 2] % 12400;
        at[j] = (off_t)(k == 0 && bits[3 * j + 2] >> 31 ? size - 1 - head : head);   /* a zip's list is at its end */
        ck_assert(pwrite(fd, &byte, 1, at[j]) == 1);
      }
      const int status = read_whole();
      ck_assert(status == STATUS_OK || (status == STATUS_BAD && !strncmp(status_reason(), path, strlen(path))));
      for (uint32_t j = 0; j <= bits[0] % 4; j++) ck_assert(pwrite(fd, all + at[j], 1, at[j]) == 1);
    }
    close(fd);
    free(all);
  }
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  ck_assert_int_lt(used.ru_maxrss, 1 << 20);   /* KiB */
} END_TEST

int main(void) {
  const char *scratch = getenv("TMPDIR");
  snprintf(path, sizeof path, "%.200s/check_weights.%ld", scratch ? scratch : "/tmp", (long)getpid());
  const int failed = run_tests("weights", (const TTest *[]){ all_three_forms_give_the_fixtures_bits,
    numbers_of_sixteen_bits_are_exact, a_hostile_header_is_refused,
    shapes_and_strides_stay_inside_their_storage, other_files_are_refused,
    a_cut_file_is_refused_at_every_twentieth, a_damaged_storage_of_a_zip_is_found,
    a_damaged_file_is_read_or_refused, NULL });
  unlink(path);
  return failed;
}
