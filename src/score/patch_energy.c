#include "src/score/patch_energy.h"

/* The variances of one channel are added to the sums. Sums of bytes are whole numbers and exact in a double. */
static void add(const uint8_t *x, size_t N, size_t channels, size_t p, double *folded, double *whole) {
  const double along = (double)N / (double)p, patches = along * along, offsets = (double)p * (double)p;
  double sum = 0, squares = 0, sums = 0;   /* of x, x^2, and (patches f)^2 */
  for (size_t k = 0; k < p; k++)
    for (size_t l = 0; l < p; l++) {
      double s = 0;
      for (size_t i = k; i < N; i += p)
        for (size_t j = l; j < N; j += p) {
          const double pixel = x[(i * N + j) * channels];
          s += pixel;
          squares += pixel * pixel;
        }
      sum += s;
      sums += s * s;
    }
  const double mean = sum / (patches * offsets);
  *folded += sums / (patches * patches * offsets) - mean * mean;
  *whole += squares / (patches * offsets) - mean * mean;
}

double patch_energy(const uint8_t *u8, size_t n, size_t N, size_t channels, size_t p) {
  double folded = 0, whole = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < channels; c++) add(u8 + i * N * N * channels + c, N, channels, p, &folded, &whole);
  return whole > 0 ? folded / whole : 0;
}

int patch_energy_shows(double samples, double data) {
  const double times = 4, least = 0.02;   /* least: of sets that have next to none */
  return samples > times * data && samples > least;
}
