#include "src/net/patch.h"

#include <string.h>

void patch_split(const struct patch *l, size_t B, const real *image, real *rows) {
  const size_t H = l->H, p = l->p, C = l->C, side = H / p;
  for (size_t b = 0; b < B; b++)
    for (size_t n = 0; n < side * side; n++, rows += p * p * C)
      for (size_t c = 0; c < C; c++)
        for (size_t i = 0; i < p; i++)
          for (size_t j = 0; j < p; j++)
            rows[(c * p + i) * p + j] = image[((b * H + n / side * p + i) * H + n % side * p + j) * C + c];
}

void patch_split_out(const struct patch *l, size_t B, const real *image, real *rows) {
  const size_t H = l->H, p = l->p, C = l->C, side = H / p;
  for (size_t b = 0; b < B; b++)
    for (size_t n = 0; n < side * side; n++)
      for (size_t i = 0; i < p; i++, rows += p * C)
        memcpy(rows, image + ((b * H + n / side * p + i) * H + n % side * p) * C, p * C * sizeof *rows);
}

void patch_join(const struct patch *l, size_t B, const real *rows, real *image) {
  const size_t H = l->H, p = l->p, C = l->C, side = H / p;
  for (size_t b = 0; b < B; b++)
    for (size_t n = 0; n < side * side; n++)
      for (size_t i = 0; i < p; i++, rows += p * C)
        memcpy(image + ((b * H + n / side * p + i) * H + n % side * p) * C, rows, p * C * sizeof *rows);
}
