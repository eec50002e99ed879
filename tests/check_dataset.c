/* Image sets: what is packed is what is read, damage of every kind is refused by name, and the loader's order. */
#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/dataset.h"
#include "io/loader.h"
#include "tests/folder.h"
#include "tests/reason.h"

enum { TRAIN = 1500, HELDOUT = 37, SIDE = 16, C = 3, CLASSES = 5, BYTES = SIDE * SIDE * C };   /* train: 2 blocks */
static char folder[256];
static char path[300], temporary[320];
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

/* Every training image is in one of the halves, under its label, and each class is shared out evenly, though classes take turns. */
START_TEST(halves_share_no_image_and_each_class) {
  struct dataset d, half;
  enum { FEWER = 4, EACH = TRAIN / FEWER };   /* 375 of each class */
  static uint8_t seen[TRAIN], u8[BYTES];
  for (int i = 0; i < TRAIN; i++) train_labels[i] = i % FEWER;
  write_set();
  ck_assert_int_eq(dataset_open(&d, path), STATUS_OK);
  for (int which = 0; which < 2; which++) {
    size_t of_class[FEWER] = { 0 }, i = 0;
    ck_assert_int_eq(dataset_half(&half, &d, which), STATUS_OK);
    const size_t each = which ? EACH / 2 : EACH - EACH / 2;
    ck_assert_uint_eq(half.count[SPLIT_TRAIN], FEWER * each);
    for (size_t k = 0; k < half.count[SPLIT_TRAIN]; k++, i++) {
      ck_assert_int_eq(dataset_read(&half, SPLIT_TRAIN, k, u8), STATUS_OK);
      while (i < TRAIN && memcmp(u8, train_pixels + i * BYTES, BYTES)) i++;
      ck_assert_uint_lt(i, TRAIN);
      ck_assert_int_eq(half.labels[SPLIT_TRAIN][k], train_labels[i]);
      of_class[train_labels[i]]++;
      seen[i]++;
    }
    for (int c = 0; c < FEWER; c++) ck_assert_uint_eq(of_class[c], each);
    ck_assert_int_eq(dataset_read(&half, SPLIT_HELDOUT, 3, u8), STATUS_OK);
    ck_assert_mem_eq(u8, heldout_pixels + 3 * BYTES, BYTES);
    dataset_half_close(&half);
  }
  for (size_t i = 0; i < TRAIN; i++) ck_assert_uint_eq(seen[i], 1);
  d.count[SPLIT_TRAIN] = 1;
  ck_assert_int_eq(dataset_half(&half, &d, 1), STATUS_BAD);
  ck_reason(path, "too few training images to halve");
  dataset_close(&d);
  fill();
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
    { "/train/sums", 8 * TRAIN - 1, "/train/sums, block 0 of 1" },
    { "/checksums/heldout_sums", 0, "/heldout/sums, block 0 of 1" },
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

static uint64_t offset_of(const char *name) {
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, name, H5P_DEFAULT);
  const uint64_t offset = H5Dget_offset(set);
  H5Dclose(set), H5Fclose(file);
  return offset;
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
  flip_byte((off_t)offset_of("train/labels"));   /* 0 becomes 1 */
  ck_refused("/train/labels, block 0 of 1");
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

/* The file as programs before images had sums of their own wrote it. */
static void make_early(void) {
  delete_from_file(NULL, "train/sums");
  delete_from_file(NULL, "heldout/sums");
}

static void ck_flaw(const struct dataset_flaw *f, int split, uint64_t first, uint64_t end, const char *why) {
  ck_assert_msg(f->split == split && f->first == first && f->end == end && strstr(f->why, why), "split %d, %llu to %llu: %s", f->split,
                (unsigned long long)f->first, (unsigned long long)f->end, f->why);
}

/* Two neighbours, one alone, a label; and the block that the images lie in. Two shares find what one does. */
START_TEST(all_that_is_wrong_is_listed) {
  write_set();
  const uint64_t images = offset_of("train/images"), labels = offset_of("heldout/labels");
  flip_byte((off_t)(images + 10 * BYTES)), flip_byte((off_t)(images + 11 * BYTES)), flip_byte((off_t)(images + 13 * BYTES));
  const int fd = open(path, O_WRONLY);
  ck_assert_int_eq(pwrite(fd, &(int32_t){ CLASSES + 2 }, 4, (off_t)(labels + 4 * 6)), 4);
  close(fd);
  struct dataset_flaws f = { 0 };
  ck_assert_int_eq(dataset_check(path, 0, 1, &f), STATUS_OK);
  ck_assert_uint_eq(f.images, TRAIN + HELDOUT);
  ck_assert_uint_eq(f.count, 5);
  ck_flaw(&f.item[0], SPLIT_TRAIN, 10, 12, "differs from its checksum");
  ck_flaw(&f.item[1], SPLIT_TRAIN, 13, 14, "differs from its checksum");
  ck_flaw(&f.item[2], SPLIT_HELDOUT, 6, 7, "label 7 is out of range, expected 0 to 4");
  ck_flaw(&f.item[3], -1, 0, 0, "/train/images, block 0 of 2");
  ck_flaw(&f.item[4], -1, 0, 0, "/heldout/labels, block 0 of 1");
  struct dataset_flaws part[2] = { { 0 }, { 0 } };
  for (int k = 0; k < 2; k++) ck_assert_int_eq(dataset_check(path, k, 2, &part[k]), STATUS_OK);
  ck_assert_uint_eq(part[0].images + part[1].images, TRAIN + HELDOUT);
  ck_assert_uint_eq(part[0].count + part[1].count, 5);
  for (int k = 0; k < 2; k++) free(part[k].item);
  free(f.item);
} END_TEST

/* It trains, unchecked; a check doubts every image that the block has a part of. */
START_TEST(a_file_of_an_earlier_program_is_read) {
  struct dataset d;
  uint8_t u8[BYTES];
  enum { FIRST = (1 << 20) / BYTES };   /* image FIRST lies in both blocks */
  write_set();
  make_early();
  flip_byte((off_t)(offset_of("train/images") + (TRAIN - 1) * BYTES));
  ck_assert_int_eq(dataset_open(&d, path), STATUS_OK);
  ck_assert_ptr_null(d.sums[SPLIT_TRAIN]);
  ck_assert_int_eq(dataset_read(&d, SPLIT_TRAIN, TRAIN - 1, u8), STATUS_OK);
  dataset_close(&d);
  struct dataset_flaws f = { 0 };
  ck_assert_int_eq(dataset_check(path, 0, 1, &f), STATUS_OK);
  ck_assert_uint_eq(f.count, 2);
  ck_flaw(&f.item[0], SPLIT_TRAIN, FIRST, TRAIN, "in a block that differs from its checksum");
  ck_flaw(&f.item[1], -1, 0, 0, "/train/images, block 1 of 2");
  free(f.item);
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

/* Image 700 and the three after it are damaged while the set is open, and the last one too, whose place the first takes. Shares of
 * the batch say the same as the whole, and no other image is touched. */
START_TEST(an_image_that_goes_bad_gives_way_to_the_next_good_one) {
  static const size_t ends[] = { 0, B / 3, B };
  struct dataset d = open_set();
  struct loader *l;
  uint8_t u8[BYTES];
  for (size_t i = 700; i < 704; i++) flip_byte((off_t)(d.offset[SPLIT_TRAIN] + i * BYTES + i % 7));
  flip_byte((off_t)(d.offset[SPLIT_TRAIN] + TRAIN * BYTES - 1));
  ck_assert_int_eq(dataset_read(&d, SPLIT_TRAIN, 702, u8), STATUS_BAD);
  ck_reason(path, "image 702 of /train differs from its checksum");
  for (size_t r = 0, bad = 0; r < 3; r++) {
    const size_t first = r < 2 ? ends[r] : 0, end = r < 2 ? ends[r + 1] : B;
    if (r == 2) ck_assert_uint_eq(bad, 5);   /* the two shares, together, found all */
    ck_assert_int_eq(loader_start(&l, &d, 3, false, B, first, end - first, 0), STATUS_OK);
    for (uint64_t step = 0; step < STEPS; step++) {
      const struct replaced *list;
      ck_assert_int_eq(loader_next(l, x, y, number), STATUS_OK);
      const size_t n = loader_replaced(l, &list);
      for (size_t j = 0, k = 0; j < end - first; j++) {
        const uint64_t image = loader_image(&d, 3, B, step, first + j);
        const int damaged = (image >= 700 && image < 704) || image == TRAIN - 1;
        const uint64_t by = !damaged ? image : image == TRAIN - 1 ? 0 : 704;
        ck_assert_uint_eq(number[j], by);
        ck_assert_int_eq(y[j], train_labels[by]);
        size_t other = 0;
        for (size_t p = 0; p < BYTES; p++) other += x[j * BYTES + p] != ((float)train_pixels[by * BYTES + p] / 255 - 0.5f) / 0.5f;
        ck_assert_uint_eq(other, 0);
        if (!damaged) continue;
        ck_assert(k < n && list[k].image == image && list[k].by == by && list[k].status == STATUS_BAD);
        ck_assert_ptr_nonnull(strstr(list[k++].why, "differs from its checksum"));
        bad++;
      }
    }
    loader_stop(l);
  }
  dataset_close(&d);
} END_TEST

START_TEST(a_file_that_goes_bad_is_said_by_loader_next) {
  struct dataset d = open_set();
  struct loader *l;
  ck_assert_int_eq(truncate(path, 1000), 0);
  ck_assert_int_eq(loader_start(&l, &d, 1, false, B, 0, B, 0), STATUS_OK);
  because(STATUS_OK, "nothing yet");
  ck_assert_int_eq(loader_next(l, x, y, NULL), STATUS_IO);
  ck_reason(path, "1500 images from image ");
  ck_reason(path, "it was cut since it was opened");
  ck_assert_int_eq(loader_next(l, x, y, NULL), STATUS_IO);
  loader_stop(l);
  dataset_close(&d);
} END_TEST

int main(void) {
  new_folder(folder);
  snprintf(path, sizeof path, "%s/set.h5", folder);
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  fill();
  const int code = run_tests("dataset", (const TTest *[]) {
    what_is_packed_is_read, halves_share_no_image_and_each_class, an_empty_held_out_part_is_fine, splits_share_no_image,
    a_flipped_byte_is_found_and_named, a_cut_file_is_refused_at_any_length, what_is_not_an_image_set_is_refused, labels_that_do_not_fit_are_refused,
    a_failed_write_leaves_the_old_file, loader_follows_the_stated_order, shares_make_up_the_batch_from_any_step,
    bytes_span_minus_one_to_one, a_batch_larger_than_the_set_is_refused, an_image_that_goes_bad_gives_way_to_the_next_good_one,
    all_that_is_wrong_is_listed, a_file_of_an_earlier_program_is_read, a_file_that_goes_bad_is_said_by_loader_next,
    NULL });
  unlink(path);
  rmdir(folder);
  return code;
}
