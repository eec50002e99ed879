/* The patches' share of the contrast: by the spectrum itself, on noise with a grid of known strength, and of pictures. */
#include "src/score/patch_energy.h"

#include <complex.h>

#include "io/shapes.h"
#include "tests/harness.h"

enum { N = 16, P = 4, CHANNELS = 3, IMAGES = 5, ALL = IMAGES * N * N * CHANNELS };
static uint8_t u8[ALL];

/* Noise of so many steps of brightness, and a bright line along each patch. */
static void fill(real amplitude, int grid) {
  real *x = malloc(ALL * sizeof *x);
  random_uniform((struct purpose){ .seed = 7, .stream = STREAM_TEST }, ALL, x);
  for (size_t i = 0; i < ALL; i++) u8[i] = (uint8_t)(100 + (int)(x[i] * amplitude) + (i / CHANNELS % N % P ? 0 : grid));
  free(x);
}

/* Over all frequencies of all images: what lies at multiples of N/P, the mean left out. */
static double by_spectrum(void) {
  const double pi = acos(-1);
  double harmonics = 0, all = 0;
  for (size_t image = 0; image < IMAGES; image++)
    for (size_t c = 0; c < CHANNELS; c++)
      for (size_t u = 0; u < N; u++)
        for (size_t v = u ? 0 : 1; v < N; v++) {
          double complex s = 0;
          for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++)
              s += u8[((image * N + i) * N + j) * CHANNELS + c] * cexp(-2 * pi * I * (double)(u * i + v * j) / N);
          const double energy = creal(s * conj(s));
          all += energy;
          if (u % (N / P) == 0 && v % (N / P) == 0) harmonics += energy;
        }
  return harmonics / all;
}

START_TEST(it_is_the_spectrum_at_the_patch_period) {
  for (int grid = 0; grid < 60; grid += 20) {
    fill(90, grid);
    ck_assert_double_eq_tol(patch_energy(u8, IMAGES, N, CHANNELS, P), by_spectrum(), 1e-12);
  }
} END_TEST

START_TEST(no_contrast_is_none_and_a_pattern_of_patches_is_all) {
  memset(u8, 200, ALL);
  ck_assert_double_eq(patch_energy(u8, IMAGES, N, CHANNELS, P), 0);
  fill(0, 30);
  ck_assert_double_eq_tol(patch_energy(u8, IMAGES, N, CHANNELS, P), 1, 1e-12);
  const double one = patch_energy(u8, IMAGES, N, CHANNELS, N);   /* one patch: it is the image */
  ck_assert_double_eq_tol(one, 1, 1e-12);
} END_TEST

/* White noise has (P^2 - 1) / (N^2 - 1) of its energy there; a brightness is none. */
START_TEST(noise_has_its_part_and_brightness_none) {
  enum { MANY = 400, PIXELS = MANY * N * N };
  uint8_t *x = malloc(PIXELS);
  real *noise = malloc(PIXELS * sizeof *noise);
  random_uniform((struct purpose){ .seed = 3, .stream = STREAM_TEST }, PIXELS, noise);
  for (size_t i = 0; i < PIXELS; i++) x[i] = (uint8_t)(noise[i] * 200);
  const double share = patch_energy(x, MANY, N, 1, P);
  ck_assert_double_eq_tol(share, 15.0 / 255, 0.004);
  for (size_t i = 0; i < PIXELS; i++) x[i] = (uint8_t)(x[i] + 50);
  ck_assert_double_eq_tol(patch_energy(x, MANY, N, 1, P), share, 1e-12);
  free(x);
  free(noise);
} END_TEST

/* Pictures, and the same with a line of a tenth of the range along each patch. */
START_TEST(a_grid_over_pictures_shows) {
  enum { SIDE = 64, SET = 32, IMAGE = SIDE * SIDE * SHAPES_CHANNELS };
  uint8_t *x = malloc((size_t)SET * IMAGE);
  for (uint64_t i = 0; i < SET; i++) shapes_draw(1, i, SIDE, x + i * IMAGE);
  const double data = patch_energy(x, SET, SIDE, SHAPES_CHANNELS, 8);
  ck_assert(!patch_energy_shows(data, data) && !patch_energy_shows(2 * data, data));
  for (size_t i = 0; i < (size_t)SET * IMAGE; i++)
    if (i / SHAPES_CHANNELS % SIDE % 8 == 0) x[i] = (uint8_t)(x[i] > 229 ? 255 : x[i] + 26);
  const double grid = patch_energy(x, SET, SIDE, SHAPES_CHANNELS, 8);
  ck_assert_msg(patch_energy_shows(grid, data), "%g of %g", grid, data);
  ck_assert(!patch_energy_shows(0.01, 0) && !patch_energy_shows(1, NAN));   /* not known: no alarm */
  free(x);
} END_TEST

int main(void) {
  return run_tests("patch energy", (const TTest *[]){ it_is_the_spectrum_at_the_patch_period,
                                                     no_contrast_is_none_and_a_pattern_of_patches_is_all,
                                                     noise_has_its_part_and_brightness_none, a_grid_over_pictures_shows, NULL });
}
