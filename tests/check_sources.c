/* Where packed images come from: IDX files, plain and packed, with damage of every kind refused by name; shapes. */
#include <unistd.h>
#include <zlib.h>

#include "io/idx.h"
#include "io/shapes.h"
#include "tests/folder.h"
#include "tests/reason.h"

static char folder[256];

/* ---- IDX files ---- */

static const char *const idx_name[4] = {
  "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte" };
enum { IDX_TRAIN = 20, IDX_HELDOUT = 6, IDX_SIDE = 4, IDX_MAX = 16 + IDX_TRAIN * IDX_SIDE * IDX_SIDE + 8 };

struct file { uint8_t bytes[IDX_MAX]; size_t size; };

static size_t put_header(uint8_t *to, int n, const uint32_t *words) {
  for (int i = 0; i < 4 * n; i++) to[i] = (uint8_t)(words[i / 4] >> (24 - 8 * (i % 4)));
  return 4 * (size_t)n;
}

/* A good set of four files; labels are i mod 3. */
static void make_idx(struct file f[4]) {
  for (int i = 0; i < 4; i++) {
    const uint32_t count = i < 2 ? IDX_TRAIN : IDX_HELDOUT;
    f[i].size = i % 2 ? put_header(f[i].bytes, 2, (uint32_t[]) { 0x801, count })
                      : put_header(f[i].bytes, 4, (uint32_t[]) { 0x803, count, IDX_SIDE, IDX_SIDE });
    for (uint32_t k = 0; k < count * (i % 2 ? 1 : IDX_SIDE * IDX_SIDE); k++)
      f[i].bytes[f[i].size++] = (uint8_t)(i % 2 ? k % 3 : 7 * k + (uint32_t)i);
  }
}

static void idx_path(int i, const char *end, char *to, size_t n) { snprintf(to, n, "%s/%s%s", folder, idx_name[i], end); }

static void remove_idx(void) {
  char name[300];
  for (int i = 0; i < 8; i++) idx_path(i / 2, i % 2 ? ".gz" : "", name, sizeof name), unlink(name);
}

static void store_idx(const struct file f[4], int packed) {
  char name[300];
  remove_idx();
  for (int i = 0; i < 4; i++) {
    idx_path(i, packed ? ".gz" : "", name, sizeof name);
    gzFile to = gzopen(name, packed ? "wb" : "wbT");
    ck_assert_int_eq(gzwrite(to, f[i].bytes, (unsigned)f[i].size), (int)f[i].size);
    gzclose(to);
  }
}

START_TEST(idx_is_read_plain_and_packed) {
  struct file f[4];
  struct idx idx;
  make_idx(f);
  for (int packed = 0; packed < 2; packed++) {
    store_idx(f, packed);
    ck_assert_int_eq(idx_read(&idx, folder, 0), STATUS_OK);
    for (int split = 0; split < 2; split++) {
      const struct images *m = &idx.part[split];
      ck_assert_uint_eq(m->count, split ? IDX_HELDOUT : IDX_TRAIN);
      ck_assert(m->size == IDX_SIDE && m->channels == 1 && m->classes == 3);
      ck_assert_mem_eq(m->pixels, f[2 * split].bytes + 16, m->count * IDX_SIDE * IDX_SIDE);
      for (size_t i = 0; i < m->count; i++) ck_assert_int_eq(m->labels[i], (int)(i % 3));
    }
    idx_free(&idx);
  }
} END_TEST

/* Spoils file `which` in one way and expects the reason. */
static void ck_spoilt(const struct file f[4], int which, const char *reason, size_t classes) {
  struct idx idx;
  for (int packed = 0; packed < 2; packed++) {
    store_idx(f, packed);
    ck_assert_msg(idx_read(&idx, folder, classes) == STATUS_BAD, "read although: %s", reason);
    ck_reason(which < 0 ? folder : idx_name[which], reason);
    idx_free(&idx);
  }
}

START_TEST(bad_idx_files_are_refused_by_name) {
  struct file f[4];
  for (int i = 0; i < 4; i++) {
    make_idx(f), f[i].size--;
    ck_spoilt(f, i, "cut short", 0);
    make_idx(f), f[i].size = 6;
    ck_spoilt(f, i, "cut short: 6 bytes", 0);
    make_idx(f), f[i].bytes[f[i].size++] = 0;
    ck_spoilt(f, i, "too long", 0);
    make_idx(f), f[i].bytes[2] = 0x0d;
    ck_spoilt(f, i, "expected 0000080", 0);
    make_idx(f), f[i].bytes[4] = 0xff;   /* some 4 billion */
    ck_spoilt(f, i, i % 2 ? "labels for" : "cut short", 0);
  }
  make_idx(f), f[2].bytes[11]++;
  ck_spoilt(f, 2, "images of 5 x 4 pixels, expected square ones", 0);
  make_idx(f), f[0].bytes[9] = f[0].bytes[13] = 1;
  ck_spoilt(f, 0, "expected 1 to 4096 a side", 0);
  make_idx(f), put_header(f[0].bytes + 8, 2, (uint32_t[]) { 0, 0 });
  ck_spoilt(f, 0, "images of 0 x 0", 0);
  make_idx(f), put_header(f[0].bytes + 4, 1, (uint32_t[]) { 0 });
  ck_spoilt(f, 0, "holds no images", 0);
  make_idx(f), f[3].bytes[7]--, f[3].size--;
  ck_spoilt(f, 3, "5 labels for 6 images", 0);
  make_idx(f), f[3].bytes[8] = 3;
  ck_spoilt(f, 3, "label 3 of image 0 is out of range, expected 0 to 2", 0);
  make_idx(f), f[1].bytes[8] = 200;
  ck_spoilt(f, -1, "a training label is 200 but none is 3", 0);
  ck_spoilt(f, 1, "label 200 of image 0 is out of range, expected 0 to 9", 10);
  make_idx(f), f[2].size = 16, put_header(f[2].bytes + 8, 2, (uint32_t[]) { 2, 2 });
  f[2].size += 4 * IDX_HELDOUT;
  ck_spoilt(f, 2, "images of 2 pixels a side, those of train-images-idx3-ubyte have 4", 0);
} END_TEST

START_TEST(missing_and_damaged_idx_files_are_named) {
  struct file f[4];
  struct idx idx;
  char name[300];
  make_idx(f);
  for (int i = 0; i < 4; i++) {
    store_idx(f, 0);
    idx_path(i, "", name, sizeof name), unlink(name);
    ck_assert_int_eq(idx_read(&idx, folder, 0), STATUS_BAD);
    ck_reason(idx_name[i], "missing");
    idx_free(&idx);
    store_idx(f, 1);
    idx_path(i, ".gz", name, sizeof name);
    ck_assert_int_eq(truncate(name, 24), 0);
    ck_assert_int_eq(idx_read(&idx, folder, 0), STATUS_BAD);
    ck_reason(name, "cut short");
    idx_free(&idx);
  }
  ck_assert_int_eq(idx_read(&idx, "/no/such/folder", 0), STATUS_BAD);
  ck_reason("/no/such/folder", "no such folder");
  idx_free(&idx);
  remove_idx();
} END_TEST

/* ---- shapes ---- */

START_TEST(shapes_are_a_function_of_seed_and_index) {
  enum { SIZE = 24 };
  uint8_t a[SIZE * SIZE * 3], b[SIZE * SIZE * 3];
  for (uint64_t i = 0; i < 4 * SHAPES; i++) {
    ck_assert_int_eq(shapes_draw(3, i, SIZE, a), (int)(i % SHAPES));
    shapes_draw(3, i + 1, SIZE, b);
    ck_assert_mem_ne(a, b, sizeof a);
    shapes_draw(4, i, SIZE, b);
    ck_assert_mem_ne(a, b, sizeof a);
    shapes_draw(3, i, SIZE, b);
    ck_assert_mem_eq(a, b, sizeof a);
  }
} END_TEST

START_TEST(a_shape_stands_out_from_its_ground) {   /* at the smallest size too: pixels far from the corner's colour */
  for (size_t size = 8; size <= 64; size *= 2)
    for (uint64_t i = 0; i < 200; i++) {
      static uint8_t u8[64 * 64 * 3];
      size_t far = 0;
      shapes_draw(1, i, size, u8);
      for (size_t p = 0; p < size * size; p++) {
        int d = 0;
        for (int c = 0; c < 3; c++) d += abs(u8[3 * p + (size_t)c] - u8[c]);
        far += d > 60;
      }
      ck_assert_msg(far * 100 > size * size * 2, "image %u of size %zu", (unsigned)i, size);
    }
} END_TEST

int main(void) {
  new_folder(folder);
  const int code = run_tests("sources", (const TTest *[]) {
    idx_is_read_plain_and_packed, bad_idx_files_are_refused_by_name, missing_and_damaged_idx_files_are_named,
    shapes_are_a_function_of_seed_and_index, a_shape_stands_out_from_its_ground, NULL });
  rmdir(folder);
  return code;
}
