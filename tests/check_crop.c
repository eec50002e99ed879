/* The crop of SPEC 10 by its own laws; its bytes are compared in check_reference with tests/data/crop.h5. */
#include "src/vision/crop.h"
#include "src/base/status.h"
#include "tests/harness.h"

static uint8_t *new_bytes(uint32_t which, size_t n) {
  uint32_t *bits = malloc((n / 4 + 1) * sizeof *bits);
  random_bits((struct purpose) { .seed = 1, .stream = STREAM_TEST, .sample = which }, n / 4 + 1, bits);
  return (uint8_t *)bits;
}

START_TEST(a_picture_of_the_right_size_stays) {
  enum { S = 24 };
  uint8_t *u8 = new_bytes(1, S * S * 3), out[S * S * 3];
  ck_assert_int_eq(crop_square(S, S, 3, u8, S, out), STATUS_OK);
  ck_assert_mem_eq(out, u8, sizeof out);
  free(u8);
} END_TEST

START_TEST(the_centre_is_what_remains) {   /* the rest split evenly, the odd pixel below or to the right */
  enum { S = 8, H = S + 3, W = S + 6 };
  uint8_t *u8 = new_bytes(2, H * W * 3), out[S * S * 3];
  for (int tall = 0; tall < 2; tall++) {
    const size_t h = tall ? H : S, w = tall ? S : W, top = tall ? 1 : 0, left = tall ? 0 : 3;
    ck_assert_int_eq(crop_square(h, w, 3, u8, S, out), STATUS_OK);
    for (size_t y = 0; y < S; y++) ck_assert_mem_eq(out + y * S * 3, u8 + ((top + y) * w + left) * 3, S * 3);
  }
  free(u8);
} END_TEST

START_TEST(halving_rounds_each_pass_half_up) {   /* 2S x 2S: pairs along the row first, then pairs of rows */
  enum { S = 16, D = 2 * S };
  uint8_t *u8 = new_bytes(3, D * D), out[S * S];
  ck_assert_int_eq(crop_square(D, D, 1, u8, S, out), STATUS_OK);
  for (size_t y = 0; y < S; y++)
    for (size_t x = 0; x < S; x++) {
      const uint8_t *a = u8 + 2 * y * D + 2 * x, *b = a + D;
      ck_assert_int_eq(out[y * S + x], ((a[0] + a[1] + 1) / 2 + (b[0] + b[1] + 1) / 2 + 1) / 2);
    }
  free(u8);
} END_TEST

/* Of an odd side the middle pixel lies on the filter's edge, where the last bit of the doubles decides. What Pillow does: */
START_TEST(the_middle_of_an_odd_side_goes_where_pillow_puts_it) {
  static const struct { size_t side; int place; } pillow[] = {
    { 5, 0 }, { 13, -1 }, { 33, 7 }, { 37, 9 }, { 41, -1 }, { 53, 13 }, { 81, 20 }, { 105, 26 } };
  for (size_t i = 0; i < sizeof pillow / sizeof *pillow; i++) {
    const size_t n = pillow[i].side, S = n / 2;
    uint8_t *u8 = calloc(n, n), *out = malloc(S * S);
    for (size_t y = 0; y < n; y++) u8[y * n + n / 2] = 255;
    ck_assert_int_eq(crop_square(n, n, 1, u8, S, out), STATUS_OK);
    for (size_t x = 0; x < S; x++)
      ck_assert_msg(out[x] == ((int)x == pillow[i].place ? 85 : 0), "side %zu: output %zu is %d", n, x, out[x]);
    free(u8), free(out);
  }
} END_TEST

START_TEST(bicubic_follows_its_kernel) {   /* in exact arithmetic from its definition; a byte apart at most, after two passes */
  enum { S = 9, H = 13, W = 15 };
  uint8_t *u8 = new_bytes(4, H * W), out[S * S];
  const double s = (double)H / S;
  ck_assert_int_eq(crop_square(H, W, 1, u8, S, out), STATUS_OK);
  const size_t wide = (size_t)rint(W / s), left = (wide - S) / 2;
  const double t = (double)W / (double)wide;
  double worst = 0;
  for (size_t y = 0; y < S; y++)
    for (size_t x = 0; x < S; x++) {
      double sum = 0, all = 0;
      for (int i = 0; i < H; i++)
        for (int j = 0; j < W; j++) {
          const double d[2] = { fabs(i + 0.5 - ((double)y + 0.5) * s) / s,
                                fabs(j + 0.5 - ((double)(left + x) + 0.5) * t) / t };
          double weight = 1;
          for (int k = 0; k < 2; k++)
            weight *= d[k] < 1 ? 1.5 * pow(d[k], 3) - 2.5 * d[k] * d[k] + 1
                               : d[k] < 2 ? -0.5 * pow(d[k], 3) + 2.5 * d[k] * d[k] - 4 * d[k] + 2 : 0;
          sum += weight * u8[i * W + j], all += weight;
        }
      worst = fmax(worst, fabs(fmin(fmax(sum / all, 0), 255) - out[y * S + x]));
    }
  ck_assert_double_le(worst, 1.6);   /* clipping between the passes of noise adds to the roundings */
  free(u8);
} END_TEST

START_TEST(one_colour_stays_one_colour) {   /* whatever the sizes: the weights sum to one */
  static const size_t sizes[][3] = {
    { 1, 1, 5 }, { 7, 100, 3 }, { 300, 31, 10 }, { 97, 89, 64 }, { 1, 400, 2 }, { 65, 64, 31 } };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const size_t h = sizes[i][0], w = sizes[i][1], S = sizes[i][2];
    uint8_t *u8 = malloc(h * w * 3), *out = malloc(S * S * 3);
    for (size_t p = 0; p < h * w; p++) u8[3 * p] = 255, u8[3 * p + 1] = 0, u8[3 * p + 2] = 77;
    ck_assert_int_eq(crop_square(h, w, 3, u8, S, out), STATUS_OK);
    for (size_t p = 0; p < S * S; p++)
      ck_assert(out[3 * p] == 255 && out[3 * p + 1] == 0 && out[3 * p + 2] == 77);
    free(u8), free(out);
  }
} END_TEST

START_TEST(channels_do_not_mix) {   /* colour is three greys */
  enum { S = 10, H = 37, W = 29 };
  uint8_t *u8 = new_bytes(5, H * W * 3), *plane = malloc(H * W), out[S * S * 3], grey[S * S];
  ck_assert_int_eq(crop_square(H, W, 3, u8, S, out), STATUS_OK);
  for (size_t c = 0; c < 3; c++) {
    for (size_t p = 0; p < H * W; p++) plane[p] = u8[3 * p + c];
    ck_assert_int_eq(crop_square(H, W, 1, plane, S, grey), STATUS_OK);
    for (size_t p = 0; p < S * S; p++) ck_assert_int_eq(out[3 * p + c], grey[p]);
  }
  free(u8), free(plane);
} END_TEST

START_TEST(grey_is_the_rounded_luma) {
  uint8_t rgb[] = { 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 1, 2, 3, 200, 100, 50 };
  const uint8_t expected[] = { 255, 0, 76, 150, 29, 2, 124 };   /* 0.299 R + 0.587 G + 0.114 B */
  crop_grey(sizeof expected, rgb, rgb);
  ck_assert_mem_eq(rgb, expected, sizeof expected);
} END_TEST

int main(void) {
  return run_tests("crop", (const TTest *[]) {
    a_picture_of_the_right_size_stays, the_centre_is_what_remains, halving_rounds_each_pass_half_up,
    the_middle_of_an_odd_side_goes_where_pillow_puts_it, bicubic_follows_its_kernel,
    one_colour_stays_one_colour, channels_do_not_mix, grey_is_the_rounded_luma, NULL });
}
