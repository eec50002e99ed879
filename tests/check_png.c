#include <limits.h>
#include <png.h>
#include <string.h>
#include <unistd.h>

#include "io/png.h"
#include "src/base/status.h"
#include "tests/folder.h"
#include "tests/harness.h"

enum { W = 13, H = 7 };
static char folder[256];
static char path[300], other[320];

static void random_bytes(uint32_t which, size_t n, uint8_t *u8) {
  uint32_t bits;
  for (size_t i = 0; i < n; i++) {
    random_bits((struct purpose) { 1, STREAM_TEST, i, which }, 1, &bits);
    u8[i] = (uint8_t)bits;
  }
}

/* Reads a PNG with libpng's own reader; malloc'ed. */
static uint8_t *read_back(const char *name, size_t channels, size_t *w, size_t *h) {
  png_image image = { .version = PNG_IMAGE_VERSION };
  ck_assert(png_image_begin_read_from_file(&image, name));
  ck_assert_uint_eq(image.format, channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB);
  uint8_t *u8 = malloc(PNG_IMAGE_SIZE(image));
  ck_assert(png_image_finish_read(&image, NULL, u8, 0, NULL));
  *w = image.width, *h = image.height;
  return u8;
}

static size_t file_bytes(const char *name, uint8_t *bytes, size_t room) {
  FILE *f = fopen(name, "rb");
  ck_assert_ptr_nonnull(f);
  const size_t n = fread(bytes, 1, room, f);
  fclose(f);
  return n;
}

START_TEST(what_is_written_is_read_back) {
  for (size_t channels = 1; channels <= 3; channels += 2) {
    uint8_t u8[W * H * 3];
    size_t w, h;
    random_bytes((uint32_t)channels, W * H * channels, u8);
    ck_assert_int_eq(png_write(path, W, H, channels, u8), STATUS_OK);
    uint8_t *back = read_back(path, channels, &w, &h);
    ck_assert_uint_eq(w, W);
    ck_assert_uint_eq(h, H);
    ck_assert_mem_eq(back, u8, W * H * channels);
    free(back);
    ck_assert_int_ne(access(other, F_OK), 0);   /* no .tmp stays */
  }
} END_TEST

START_TEST(more_than_a_million_rows_are_a_picture) {
  enum { ROWS = 1000001 };   /* libpng's own limit is a million */
  uint8_t *u8 = calloc(ROWS, 1), head[24];
  ck_assert_int_eq(png_write(path, 1, ROWS, 1, u8), STATUS_OK);
  ck_assert_uint_eq(file_bytes(path, head, sizeof head), sizeof head);
  ck_assert_uint_eq((head[20] << 24) + (head[21] << 16) + (head[22] << 8) + head[23], ROWS);
  free(u8);
} END_TEST

START_TEST(equal_pixels_give_equal_bytes) {
  uint8_t u8[W * H * 3], first[4096], second[4096];
  random_bytes(5, sizeof u8, u8);
  ck_assert_int_eq(png_write(path, W, H, 3, u8), STATUS_OK);
  const size_t n = file_bytes(path, first, sizeof first);
  ck_assert_int_eq(png_write(path, W, H, 3, u8), STATUS_OK);
  ck_assert_uint_eq(file_bytes(path, second, sizeof second), n);
  ck_assert_mem_eq(first, second, n);
} END_TEST

START_TEST(a_grid_places_each_image_enlarged_between_gaps) {
  enum { SIZE = 5, SCALE = 3, ROWS = 2, COLS = 4, COUNT = 7, CELL = SIZE * SCALE + 2 };
  for (size_t C = 1; C <= 3; C += 2) {
    uint8_t u8[COUNT * SIZE * SIZE * 3];
    size_t w, h;
    random_bytes(7, sizeof u8, u8);
    const struct png_grid grid = { ROWS, COLS, SIZE, C, SCALE, COUNT, u8 };
    ck_assert_int_eq(png_write_grid(path, &grid), STATUS_OK);
    uint8_t *back = read_back(path, C, &w, &h);
    ck_assert_uint_eq(w, COLS * CELL + 2);
    ck_assert_uint_eq(h, ROWS * CELL + 2);
    for (size_t y = 0; y < h; y++)
      for (size_t x = 0; x < w; x++) {
        const size_t n = y / CELL * COLS + x / CELL, v = y % CELL, u = x % CELL;
        const int gap = v < 2 || u < 2 || n >= COUNT;
        const size_t pixel = gap ? 0 : (n * SIZE * SIZE + (v - 2) / SCALE * SIZE + (u - 2) / SCALE) * C;
        for (size_t c = 0; c < C; c++)
          ck_assert_uint_eq(back[(y * w + x) * C + c], gap ? 235 : u8[pixel + c]);
      }
    free(back);
  }
} END_TEST

START_TEST(small_images_are_enlarged_by_themselves) {
  uint8_t u8[28 * 28] = { 0 };
  size_t w, h;
  ck_assert_int_eq(png_write_grid(path, &(struct png_grid) { 1, 1, 28, 1, 0, 1, u8 }), STATUS_OK);
  free(read_back(path, 1, &w, &h));
  ck_assert_uint_eq(w, 3 * 28 + 4);
} END_TEST

START_TEST(no_grid_is_longer_than_the_most) {   /* noise does not compress */
  enum { SIZE = 48, COUNT = 6 };
  static uint8_t u8[COUNT * SIZE * SIZE * 3], file[1 << 17];
  random_bytes(9, sizeof u8, u8);
  const struct png_grid grid = { 2, 3, SIZE, 3, 1, COUNT, u8 };
  ck_assert_int_eq(png_write_grid(path, &grid), STATUS_OK);
  const size_t n = file_bytes(path, file, sizeof file);
  ck_assert_uint_ge(n, sizeof u8);
  ck_assert_uint_le(n, png_grid_most(&grid));
} END_TEST

START_TEST(a_place_that_cannot_be_written_is_named) {
  char nowhere[300];
  const uint8_t u8[1] = { 0 };
  snprintf(nowhere, sizeof nowhere, "%s/no/such.png", folder);
  ck_assert_int_eq(png_write(nowhere, 1, 1, 1, u8), STATUS_IO);
  ck_assert_ptr_nonnull(strstr(status_reason(), nowhere));
  ck_assert_int_eq(png_write(folder, 1, 1, 1, u8), STATUS_IO);   /* a folder does not give way to a file */
  ck_assert_ptr_nonnull(strstr(status_reason(), "cannot be renamed"));
  snprintf(nowhere, sizeof nowhere, "%s.tmp", folder);
  ck_assert_int_ne(access(nowhere, F_OK), 0);
  char endless[2 * PATH_MAX];
  memset(endless, 'x', sizeof endless - 1);
  endless[sizeof endless - 1] = 0;
  ck_assert_int_eq(png_write(endless, 1, 1, 1, u8), STATUS_IO);
  ck_assert_ptr_nonnull(strstr(status_reason(), "the name is too long"));
} END_TEST

int main(void) {
  new_folder(folder);
  snprintf(path, sizeof path, "%s/a.png", folder);
  snprintf(other, sizeof other, "%s.tmp", path);
  const int code = run_tests("png", (const TTest *[]) {
    what_is_written_is_read_back, more_than_a_million_rows_are_a_picture, equal_pixels_give_equal_bytes,
    a_grid_places_each_image_enlarged_between_gaps,
    small_images_are_enlarged_by_themselves, no_grid_is_longer_than_the_most,
    a_place_that_cannot_be_written_is_named, NULL });
  unlink(path);
  rmdir(folder);
  return code;
}
