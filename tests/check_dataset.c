/* Image sets: what is packed is what is read, damage of every kind is refused by name, and the loader's order. */
#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "io/dataset.h"
#include "io/idx.h"
#include "io/loader.h"
#include "io/shapes.h"
#include "src/base/status.h"
#include "tests/harness.h"

enum { TRAIN = 1500, HELDOUT = 37, SIDE = 16, C = 3, CLASSES = 5, BYTES = SIDE * SIDE * C };   /* train: 2 blocks */
static char folder[] = "/tmp/check_dataset.XXXXXX";
static char path[128], temporary[160];
static uint8_t train_pixels[TRAIN * BYTES], heldout_pixels[HELDOUT * BYTES];
static int32_t train_labels[TRAIN], heldout_labels[HELDOUT];
static char names[CLASSES][CLASS_NAME_MAX] = { "ant", "bee", "cow", "dog", "eel" };
static struct images train = { TRAIN, SIDE, C, CLASSES, train_pixels, train_labels };
static struct images heldout = { HELDOUT, SIDE, C, CLASSES, heldout_pixels, heldout_labels };

/* Random images; the first held-out ones are what a test plants there. */
static void fill(void) {
  uint32_t bits;
  for (size_t i = 0; i < TRAIN * BYTES + HELDOUT * BYTES; i++) {
    random_bits((struct purpose) { 1, STREAM_TEST, i, 0 }, 1, &bits);
    if (i < TRAIN * BYTES) train_pixels[i] = (uint8_t)bits;
    else heldout_pixels[i - TRAIN * BYTES] = (uint8_t)bits;
  }
  for (int i = 0; i < TRAIN; i++) train_labels[i] = i % CLASSES;
  for (int i = 0; i < HELDOUT; i++) heldout_labels[i] = (i + 1) % CLASSES;
}

static size_t write_set(void) {
  size_t dropped;
  ck_assert_int_eq(dataset_write(path, &train, &heldout, names, "a test", "pmf pack", &dropped), STATUS_OK);
  ck_assert_int_ne(access(temporary, F_OK), 0);
  return dropped;
}

/* The reason must be one line that names the file and holds `text`. */
static void ck_reason(const char *file, const char *text) {
  ck_assert_msg(strstr(status_reason(), file) != NULL, "'%s' does not name %s", status_reason(), file);
  ck_assert_msg(strstr(status_reason(), text) != NULL, "'%s' lacks '%s'", status_reason(), text);
  ck_assert_ptr_null(strchr(status_reason(), '\n'));
}

static void ck_refused(const char *text) {
  struct dataset d;
  ck_assert_msg(dataset_open(&d, path) == STATUS_BAD, "opened although: %s", text);
  ck_reason(path, text);
}

static void flip_byte(off_t at) {
  const int fd = open(path, O_RDWR);
  uint8_t byte;
  ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
  byte ^= 1;
  ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
  close(fd);
}

START_TEST(what_is_packed_is_read) {
  struct dataset d;
  uint8_t u8[BYTES];
  ck_assert_uint_eq(write_set(), 0);
  ck_assert_int_eq(dataset_open(&d, path), STATUS_OK);
  ck_assert(d.image_size == SIDE && d.channels == C && d.classes == CLASSES);
  ck_assert(d.count[SPLIT_TRAIN] == TRAIN && d.count[SPLIT_HELDOUT] == HELDOUT);
  ck_assert_mem_eq(d.labels[SPLIT_TRAIN], train_labels, sizeof train_labels);
  ck_assert_mem_eq(d.labels[SPLIT_HELDOUT], heldout_labels, sizeof heldout_labels);
  ck_assert_mem_eq(d.class_names, names, sizeof names);
  for (size_t i = 0; i < TRAIN; i++) {
    ck_assert_int_eq(dataset_read(&d, SPLIT_TRAIN, i, u8), STATUS_OK);
    ck_assert_mem_eq(u8, train_pixels + i * BYTES, BYTES);
  }
  for (size_t i = 0; i < HELDOUT; i++) {
    ck_assert_int_eq(dataset_read(&d, SPLIT_HELDOUT, i, u8), STATUS_OK);
    ck_assert_mem_eq(u8, heldout_pixels + i * BYTES, BYTES);
  }
  dataset_close(&d);
  ck_assert_int_eq(dataset_verify(path), STATUS_OK);
} END_TEST

START_TEST(an_empty_held_out_part_is_fine) {
  struct dataset d;
  heldout.count = 0;
  write_set();
  heldout.count = HELDOUT;
  ck_assert_int_eq(dataset_open(&d, path), STATUS_OK);
  ck_assert_uint_eq(d.count[SPLIT_HELDOUT], 0);
  dataset_close(&d);
  ck_assert_int_eq(dataset_verify(path), STATUS_OK);
} END_TEST

START_TEST(splits_share_no_image) {   /* planted: two of train, one twice in held-out */
  struct dataset d;
  uint8_t u8[BYTES];
  memcpy(heldout_pixels, train_pixels + 7 * BYTES, BYTES);
  memcpy(heldout_pixels + 5 * BYTES, train_pixels + (TRAIN - 1) * BYTES, BYTES);
  memcpy(heldout_pixels + 36 * BYTES, heldout_pixels + 9 * BYTES, BYTES);
  ck_assert_uint_eq(write_set(), 3);
  ck_assert_int_eq(dataset_open(&d, path), STATUS_OK);
  ck_assert_uint_eq(d.count[SPLIT_HELDOUT], HELDOUT - 3);
  for (size_t i = 0, from = 0; i < d.count[SPLIT_HELDOUT]; i++, from++) {   /* the others, in their order */
    while (from == 0 || from == 5) from++;
    ck_assert_int_eq(dataset_read(&d, SPLIT_HELDOUT, i, u8), STATUS_OK);
    ck_assert_mem_eq(u8, heldout_pixels + from * BYTES, BYTES);
    ck_assert_int_eq(d.labels[SPLIT_HELDOUT][i], heldout_labels[from]);
  }
  dataset_close(&d);
  ck_assert_int_eq(dataset_verify(path), STATUS_OK);
  fill();
} END_TEST

START_TEST(a_flipped_byte_is_found_and_named) {
  static const struct { const char *set; off_t byte; const char *named; } cases[] = {
    { "/train/images", 0, "/train/images, block 0 of 2" },
    { "/train/images", TRAIN * BYTES - 1, "/train/images, block 1 of 2" },
    { "/train/labels", 4 * (TRAIN - 1), "/train/labels, block 0 of 1" },
    { "/heldout/images", 1 << 10, "/heldout/images, block 0 of 1" },
    { "/heldout/labels", 0, "/heldout/labels, block 0 of 1" },
    { "/class_names", 1, "/class_names, block 0 of 1" },
    { "/checksums/train_images", 8, "/train/images, block 1 of 2" },
  };
  write_set();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, cases[i].set, H5P_DEFAULT);
    const off_t at = (off_t)H5Dget_offset(set) + cases[i].byte;
    H5Dclose(set), H5Fclose(file);
    flip_byte(at);
    ck_assert_int_eq(dataset_verify(path), STATUS_BAD);
    ck_reason(path, cases[i].named);
    flip_byte(at);
    ck_assert_int_eq(dataset_verify(path), STATUS_OK);
  }
} END_TEST

START_TEST(a_cut_file_is_refused_at_any_length) {
  struct stat facts;
  write_set();
  ck_assert_int_eq(stat(path, &facts), 0);
  const off_t cuts[] = { facts.st_size - 1, facts.st_size - 4096, facts.st_size / 2, 5000, 100, 8, 1, 0 };
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    ck_assert_int_eq(truncate(path, cuts[i]), 0);
    ck_refused(cuts[i] < 8 ? "not an HDF5 file" : "cut short");
    ck_assert_int_eq(dataset_verify(path), STATUS_BAD);
  }
} END_TEST

static void put_number(const char *name, long long value) {
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), a = H5Aopen(file, name, H5P_DEFAULT);
  ck_assert(H5Awrite(a, H5T_NATIVE_LLONG, &value) >= 0);
  H5Aclose(a), H5Fclose(file);
}

static void delete_from_file(const char *attribute, const char *set) {
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  if (attribute) ck_assert(H5Adelete(file, attribute) >= 0);
  if (set) ck_assert(H5Ldelete(file, set, H5P_DEFAULT) >= 0);
  H5Fclose(file);
}

START_TEST(what_is_not_an_image_set_is_refused) {
  unlink(path);
  ck_refused("no such file");
  mkdir(path, 0777);
  ck_refused("not a file");
  rmdir(path);
  FILE *f = fopen(path, "w");
  fputs("a text that is long enough to hold a signature\n", f);
  fclose(f);
  ck_refused("not an HDF5 file");
  H5Fclose(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  ck_refused("attribute format is \"\", expected \"pmf-dataset\"");
  write_set();
  put_number("version", 99);
  ck_refused("version 99");
  write_set();
  delete_from_file("complete", NULL);
  ck_refused("incomplete");
  write_set();
  delete_from_file(NULL, "heldout/images");
  ck_refused("lacks the dataset /heldout/images");
} END_TEST

START_TEST(labels_that_do_not_fit_are_refused) {
  train_labels[3] = CLASSES;
  write_set();
  ck_refused("label 5 of image 3 of /train is out of range, expected 0 to 4");
  train_labels[3] = 3, heldout_labels[1] = -1;
  write_set();
  ck_refused("label -1 of image 1 of /heldout");
  fill();
  write_set();
  delete_from_file(NULL, "train/labels");
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  H5Lcreate_hard(file, "heldout/labels", file, "train/labels", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  ck_refused("37 labels for 1500 images");
} END_TEST

START_TEST(a_failed_write_leaves_the_old_file) {
  struct rlimit before, small;
  size_t dropped;
  write_set();
  getrlimit(RLIMIT_FSIZE, &before);
  small = before, small.rlim_cur = 100000;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const int status = dataset_write(path, &train, &heldout, names, "a test", "pmf pack", &dropped);
  setrlimit(RLIMIT_FSIZE, &before);
  ck_assert_int_eq(status, STATUS_IO);
  ck_reason(path, "cannot be written");
  ck_assert_int_ne(access(temporary, F_OK), 0);
  ck_assert_int_eq(dataset_verify(path), STATUS_OK);
} END_TEST

/* ---- loader ---- */

enum { B = 64, STEPS = TRAIN / B };
static float x[B * BYTES];
static int32_t y[B];
static uint64_t number[B];

static struct dataset open_set(void) {
  struct dataset d;
  write_set();
  ck_assert_int_eq(dataset_open(&d, path), STATUS_OK);
  return d;
}

/* Place p of an image from left to right. */
static size_t mirrored(size_t p) { return (p / C / SIDE * SIDE + SIDE - 1 - p / C % SIDE) * C + p % C; }

START_TEST(loader_follows_the_stated_order) {   /* over the end of the first epoch; every image at most once in each */
  for (int use_flip = 0; use_flip < 2; use_flip++) {
    struct dataset d = open_set();
    struct loader *l;
    static int seen[TRAIN];
    int flips = 0;
    memset(seen, 0, sizeof seen);
    ck_assert_int_eq(loader_start(&l, &d, 11, use_flip, B, 0, B, 0), STATUS_OK);
    for (uint64_t step = 0; step < 2 * STEPS; step++) {
      ck_assert_int_eq(loader_next(l, x, y, number), STATUS_OK);
      for (uint32_t i = 0; i < B; i++) {
        uint32_t bits;
        const uint64_t n = random_permute(11, step / STEPS, TRAIN, step % STEPS * B + i);
        ck_assert_uint_eq(number[i], n);
        ck_assert_int_eq(y[i], train_labels[n]);
        random_bits((struct purpose) { 11, STREAM_FLIP, step, i }, 1, &bits);
        const int flip = use_flip && (bits & 1);
        for (size_t p = 0; p < BYTES; p++) {
          const uint8_t u8 = train_pixels[n * BYTES + (flip ? mirrored(p) : p)];
          if (x[i * BYTES + p] != ((float)u8 / 255 - 0.5f) / 0.5f) ck_abort_msg("image %u of step %u", i, (unsigned)step);
        }
        ck_assert_int_le(++seen[n], (int)(step / STEPS) + 1);
        flips += flip;
      }
    }
    if (use_flip) ck_assert(flips > STEPS * B * 9 / 10 && flips < STEPS * B * 11 / 10);
    loader_stop(l);
    dataset_close(&d);
  }
} END_TEST

START_TEST(shares_make_up_the_batch_from_any_step) {   /* ranks of 0, 1 and more images; started in the middle */
  static const size_t ends[] = { 0, 21, 21, 22, 63, B };
  static float whole[B * BYTES];
  struct dataset d = open_set();
  struct loader *l;
  int32_t labels[B];
  for (uint64_t step = STEPS - 1; step < STEPS + 2; step++) {
    ck_assert_int_eq(loader_start(&l, &d, 5, true, B, 0, B, STEPS - 2), STATUS_OK);
    for (uint64_t s = STEPS - 2; s <= step; s++) ck_assert_int_eq(loader_next(l, whole, labels, NULL), STATUS_OK);
    loader_stop(l);
    for (size_t r = 0; r + 1 < sizeof ends / sizeof *ends; r++) {
      const size_t first = ends[r], count = ends[r + 1] - ends[r];
      ck_assert_int_eq(loader_start(&l, &d, 5, true, B, first, count, step), STATUS_OK);
      ck_assert_int_eq(loader_next(l, x, y, NULL), STATUS_OK);
      if (count) ck_assert_mem_eq(x, whole + first * BYTES, count * BYTES * sizeof *x);
      if (count) ck_assert_mem_eq(y, labels + first, count * sizeof *y);
      loader_stop(l);
    }
  }
  dataset_close(&d);
} END_TEST

START_TEST(bytes_span_minus_one_to_one) {
  struct dataset d = open_set();
  struct loader *l;
  float least = 2, most = -2;
  ck_assert_int_eq(loader_start(&l, &d, 1, false, B, 0, B, 0), STATUS_OK);
  ck_assert_int_eq(loader_next(l, x, y, NULL), STATUS_OK);
  for (size_t i = 0; i < B * BYTES; i++) least = fminf(least, x[i]), most = fmaxf(most, x[i]);
  ck_assert(least == -1 && most == 1);
  loader_stop(l);
  dataset_close(&d);
  loader_stop(NULL);
} END_TEST

START_TEST(a_batch_larger_than_the_set_is_refused) {
  struct dataset d = open_set();
  struct loader *l;
  ck_assert_int_eq(loader_start(&l, &d, 1, false, TRAIN + 1, 0, 1, 0), STATUS_BAD);
  ck_reason(path, "1500 training images, expected at least training.batch_size = 1501");
  ck_assert_ptr_null(l);
  dataset_close(&d);
} END_TEST

START_TEST(a_file_that_goes_bad_is_said_by_loader_next) {
  struct dataset d = open_set();
  struct loader *l;
  ck_assert_int_eq(truncate(path, 5000), 0);
  ck_assert_int_eq(loader_start(&l, &d, 1, false, B, 0, B, 0), STATUS_OK);
  because(STATUS_OK, "nothing yet");
  ck_assert_int_eq(loader_next(l, x, y, NULL), STATUS_IO);
  ck_reason(path, "it was cut since it was opened");
  ck_assert_int_eq(loader_next(l, x, y, NULL), STATUS_IO);
  loader_stop(l);
  dataset_close(&d);
} END_TEST

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
  char name[160];
  for (int i = 0; i < 8; i++) idx_path(i / 2, i % 2 ? ".gz" : "", name, sizeof name), unlink(name);
}

static void store_idx(const struct file f[4], int packed) {
  char name[160];
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
  char name[160];
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
  if (!mkdtemp(folder)) return EXIT_FAILURE;
  snprintf(path, sizeof path, "%s/set.h5", folder);
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  fill();
  const int code = run_tests("dataset", (const TTest *[]) {
    what_is_packed_is_read, an_empty_held_out_part_is_fine, splits_share_no_image, a_flipped_byte_is_found_and_named,
    a_cut_file_is_refused_at_any_length, what_is_not_an_image_set_is_refused, labels_that_do_not_fit_are_refused,
    a_failed_write_leaves_the_old_file, loader_follows_the_stated_order, shares_make_up_the_batch_from_any_step,
    bytes_span_minus_one_to_one, a_batch_larger_than_the_set_is_refused, a_file_that_goes_bad_is_said_by_loader_next,
    idx_is_read_plain_and_packed, bad_idx_files_are_refused_by_name, missing_and_damaged_idx_files_are_named,
    shapes_are_a_function_of_seed_and_index, a_shape_stands_out_from_its_ground, NULL });
  unlink(path);
  rmdir(folder);
  return code;
}
