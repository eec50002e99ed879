/* Pictures in: each kind gives the pixels that were put in, what is not whole is refused with its reason. */
#include <png.h>
#include <unistd.h>
#include <zlib.h>

#include "io/picture.h"
#include "src/base/status.h"
#include "tests/folder.h"
#include "tests/harness.h"
#include "tests/pictures.h"

enum { W = 37, H = 21 };

/* Decodes and frees the file. */
static struct picture decoded(struct file f) {
  struct picture p;
  ck_assert_msg(picture_decode(f.n, f.bytes, &p) == STATUS_OK, "%s", status_reason());
  ck_assert(p.w == W && p.h == H && p.fault == PICTURE_GOOD);
  free(f.bytes);
  return p;
}

/* Every pixel is what expect says of (y, x, c), within `apart`. */
static void ck_pixels(struct picture p, int (*expect)(size_t y, size_t x, size_t c), int apart, const char *what) {
  for (size_t y = 0; y < p.h; y++)
    for (size_t x = 0; x < p.w; x++)
      for (size_t c = 0; c < 3; c++) {
        const int got = p.rgb[(y * p.w + x) * 3 + c], wanted = expect(y, x, c);
        ck_assert_msg(abs(got - wanted) <= apart, "%s: pixel %zu %zu, channel %zu: %d, expected %d", what, y, x, c, got,
                      wanted);
      }
  picture_free(&p);
}

static int colour(size_t y, size_t x, size_t c) { return picture_value(1, y, x, c); }
static int grey(size_t y, size_t x, size_t c) { return (void)c, picture_value(1, y, x, 0); }
static int depth;
static int coarse(size_t y, size_t x, size_t c) {   /* the high bits, spread over 0..255 */
  return (void)c, (picture_value(1, y, x, 0) >> (8 - depth)) * 255 / ((1 << depth) - 1);
}
static int colours;
static int looked_up(size_t y, size_t x, size_t c) {
  const int i = picture_value(1, y, x, 0) % colours;
  return c == 0 ? 7 * i % 256 : c == 1 ? 255 - i : 3 * i % 256;
}
/* Ink as Adobe stores it: 255 is none; light of each colour times that of black. */
static int inked(size_t y, size_t x, size_t c) {
  return (int)lround(picture_value(1, y, x, c) * (double)picture_value(1, y, x, 3) / 255);
}

START_TEST(png_of_every_kind) {
  for (int interlaced = 0; interlaced < 2; interlaced++) {
    for (int bits = 8; bits <= 16; bits += 8) {
      ck_pixels(decoded(picture_png(1, W, H, PNG_COLOR_TYPE_RGB, bits, 0, interlaced, 0)), colour, 0, "colour");
      ck_pixels(decoded(picture_png(1, W, H, PNG_COLOR_TYPE_RGBA, bits, 0, interlaced, 0)), colour, 0, "colour and alpha");
      ck_pixels(decoded(picture_png(1, W, H, PNG_COLOR_TYPE_GRAY, bits, 0, interlaced, 0)), grey, 0, "grey");
      ck_pixels(decoded(picture_png(1, W, H, PNG_COLOR_TYPE_GRAY_ALPHA, bits, 0, interlaced, 0)), grey, 0, "grey and alpha");
    }
    ck_pixels(decoded(picture_png(1, W, H, PNG_COLOR_TYPE_RGB, 8, 0, interlaced, 1)), colour, 0, "a transparent colour");
    ck_pixels(decoded(picture_png(1, W, H, PNG_COLOR_TYPE_GRAY, 8, 0, interlaced, 1)), grey, 0, "a transparent grey");
    for (depth = 1; depth < 8; depth *= 2) {
      ck_pixels(decoded(picture_png(1, W, H, PNG_COLOR_TYPE_GRAY, depth, 0, interlaced, 1)), coarse, 0, "coarse grey");
      colours = 1 << depth;
      ck_pixels(decoded(picture_png(1, W, H, PNG_COLOR_TYPE_PALETTE, depth, colours, interlaced, 1)), looked_up, 0,
                "few colours");
    }
    colours = 200;
    ck_pixels(decoded(picture_png(1, W, H, PNG_COLOR_TYPE_PALETTE, 8, colours, interlaced, 0)), looked_up, 0, "a palette");
  }
} END_TEST

START_TEST(sixteen_bits_of_grey_are_marked) {
  struct picture p = decoded(picture_png(1, W, H, PNG_COLOR_TYPE_GRAY, 16, 0, 0, 0));
  ck_assert_int_eq(p.grey16, 1);
  picture_free(&p);
  p = decoded(picture_png(1, W, H, PNG_COLOR_TYPE_RGB, 16, 0, 0, 0));
  ck_assert_int_eq(p.grey16, 0);
  picture_free(&p);
} END_TEST

START_TEST(jpeg_of_every_kind) {   /* at quality 100 without subsampling */
  for (int progressive = 0; progressive < 2; progressive++) {
    ck_pixels(decoded(picture_jpeg(1, W, H, 1, progressive, 0)), grey, 2, "grey");
    ck_pixels(decoded(picture_jpeg(1, W, H, 3, progressive, 0)), colour, 4, "colour");
    ck_pixels(decoded(picture_jpeg(1, W, H, 4, progressive, 0)), inked, 4, "four inks");
  }
} END_TEST

START_TEST(exif_turns_nothing_and_is_told) {
  for (int orientation = 0; orientation <= 9; orientation++) {
    const struct picture p = decoded(picture_jpeg(1, W, H, 3, 0, orientation));
    ck_assert_int_eq(p.orientation, orientation >= 1 && orientation <= 8 ? orientation : 1);
    ck_pixels(p, colour, 4, "turned");
  }
} END_TEST

/* Refused for that fault, with that text. */
static void ck_refused(size_t n, const uint8_t *bytes, enum picture_fault fault, const char *text) {
  struct picture p;
  ck_assert_msg(picture_decode(n, bytes, &p) == STATUS_BAD, "taken, expected: %s", text);
  ck_assert_int_eq(p.fault, fault);
  ck_assert_msg(strstr(status_reason(), text) != NULL, "\"%s\" lacks \"%s\"", status_reason(), text);
  picture_free(&p);
}

START_TEST(a_picture_cut_anywhere_is_refused) {
  const struct file files[] = { picture_png(1, W, H, PNG_COLOR_TYPE_RGB, 8, 0, 0, 0),
                                picture_png(1, W, H, PNG_COLOR_TYPE_GRAY, 8, 0, 1, 0),
                                picture_jpeg(1, W, H, 3, 0, 6), picture_jpeg(1, W, H, 1, 1, 0) };
  for (int i = 0; i < 4; i++) {
    ck_refused(0, files[i].bytes, PICTURE_EMPTY, "empty");
    for (size_t n = 8; n < files[i].n; n += 1 + files[i].n / 97) ck_refused(n, files[i].bytes, PICTURE_DAMAGED, "damaged");
    for (size_t n = files[i].n - 9; n < files[i].n; n++) ck_refused(n, files[i].bytes, PICTURE_DAMAGED, "damaged");
    free(files[i].bytes);
  }
} END_TEST

START_TEST(a_png_with_a_changed_byte_is_refused) {   /* every critical chunk has a checksum */
  const struct file f = picture_png(1, W, H, PNG_COLOR_TYPE_PALETTE, 8, 9, 0, 0);
  const size_t pixels = f.n - 12 - 12;   /* the last of them, before IEND */
  f.bytes[pixels] ^= 4;
  ck_refused(f.n, f.bytes, PICTURE_DAMAGED, "damaged PNG");
  f.bytes[pixels] ^= 4;
  f.bytes[30] ^= 1;   /* IHDR's checksum */
  ck_refused(f.n, f.bytes, PICTURE_DAMAGED, "CRC");
  free(f.bytes);
} END_TEST

static void put_number(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

START_TEST(a_colour_outside_of_the_palette_is_refused) {   /* of 200 colours all but 9 are taken away */
  enum { KEPT = 3 * 9, WAS = 3 * 200 };
  struct file f = picture_png(1, W, H, PNG_COLOR_TYPE_PALETTE, 8, 200, 0, 0);
  size_t at = 0;
  while (memcmp(f.bytes + at, "PLTE", 4)) at++;
  put_number(f.bytes + at - 4, KEPT);
  put_number(f.bytes + at + 4 + KEPT, (uint32_t)crc32(0, f.bytes + at, 4 + KEPT));
  memmove(f.bytes + at + 8 + KEPT, f.bytes + at + 8 + WAS, f.n - at - 8 - WAS);
  ck_refused(f.n - WAS + KEPT, f.bytes, PICTURE_DAMAGED, "not in its palette");
  free(f.bytes);
} END_TEST

START_TEST(stray_bytes_of_a_jpeg_do_no_harm) {   /* before the last marker and behind it; ImageNet has such files */
  const struct file f = picture_jpeg(1, W, H, 3, 0, 0);
  enum { STRAY = 50 };   /* more than libjpeg reads ahead */
  struct file g = { malloc(f.n + STRAY + 2), f.n + STRAY + 2 };
  memcpy(g.bytes, f.bytes, f.n - 2);
  memset(g.bytes + f.n - 2, 'x', STRAY + 4);
  memcpy(g.bytes + f.n - 2 + STRAY, "\xff\xd9", 2);
  ck_pixels(decoded(g), colour, 4, "with stray bytes");
  free(f.bytes);
} END_TEST

START_TEST(too_large_a_claim_costs_no_memory) {   /* 20000 x 20000 pixels in the header of a small file */
  struct file f = picture_jpeg(1, W, H, 3, 0, 0);
  for (size_t i = 0; i + 8 < f.n; i++)
    if (f.bytes[i] == 0xff && f.bytes[i + 1] == 0xc0) {
      f.bytes[i + 5] = f.bytes[i + 7] = 20000 >> 8, f.bytes[i + 6] = f.bytes[i + 8] = 20000 & 255;
      break;
    }
  ck_refused(f.n, f.bytes, PICTURE_UNSUPPORTED, "20000 x 20000 pixels are too many");
  free(f.bytes);
} END_TEST

START_TEST(what_is_no_picture_is_refused) {
  static const char text[] = "This is a text, whatever its name says.\n";
  struct picture p;
  ck_refused(sizeof text, (const uint8_t *)text, PICTURE_UNKNOWN, "neither PNG nor JPEG");
  ck_refused(1, (const uint8_t *)text, PICTURE_UNKNOWN, "neither PNG nor JPEG");
  ck_assert_int_eq(picture_read("/nowhere/at all.png", &p), STATUS_BAD);
  ck_assert_int_eq(p.fault, PICTURE_UNREADABLE);
  ck_assert_int_eq(picture_read("/", &p), STATUS_BAD);
  ck_assert_int_eq(p.fault, PICTURE_UNREADABLE);
} END_TEST

START_TEST(a_file_is_read_whole) {
  char folder[256], path[300];
  struct picture p;
  new_folder(folder);
  snprintf(path, sizeof path, "%s/a.png", folder);
  picture_save(path, picture_png(1, W, H, PNG_COLOR_TYPE_RGB, 8, 0, 0, 0));
  ck_assert_int_eq(picture_read(path, &p), STATUS_OK);
  ck_pixels(p, colour, 0, "from a file");
  unlink(path);
  rmdir(folder);
} END_TEST

int main(void) {
  return run_tests("picture", (const TTest *[]) {
    png_of_every_kind, sixteen_bits_of_grey_are_marked, jpeg_of_every_kind, exif_turns_nothing_and_is_told,
    a_picture_cut_anywhere_is_refused, a_png_with_a_changed_byte_is_refused,
    a_colour_outside_of_the_palette_is_refused, stray_bytes_of_a_jpeg_do_no_harm, too_large_a_claim_costs_no_memory,
    what_is_no_picture_is_refused, a_file_is_read_whole, NULL });
}
