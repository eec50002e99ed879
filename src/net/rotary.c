#include "src/net/rotary.h"

#include <math.h>

void rotary_angles(size_t side, size_t d, real *cosine, real *sine) {
  const size_t quarter = d / 4;
  for (size_t n = 0; n < side * side; n++)
    for (size_t i = 0; i < d / 2; i++) {
      const size_t place = i < quarter ? n / side : n % side;
      const double angle = (double)place * pow(10000, -2.0 * (double)(i % quarter) / (double)(d / 2));
      cosine[n * (d / 2) + i] = (real)cos(angle);
      sine[n * (d / 2) + i] = (real)sin(angle);
    }
}

/* way: +1 forward, -1 back. */
static void turn(const struct rotary *l, size_t B, size_t A, size_t ld, real *x, real way) {
  const size_t N = l->side * l->side, T = l->prefix + N, half = l->d / 2;
#pragma omp parallel for collapse(2)
  for (size_t b = 0; b < B; b++)
    for (size_t n = 0; n < N; n++) {
      const real *cosine = l->cosine + n * half, *sine = l->sine + n * half;
      for (size_t h = 0; h < A; h++) {
        real *p = x + (b * T + l->prefix + n) * ld + h * l->d;
        for (size_t i = 0; i < half; i++) {
          const real a = p[2 * i], c = p[2 * i + 1], s = way * sine[i];
          p[2 * i] = a * cosine[i] - c * s;
          p[2 * i + 1] = a * s + c * cosine[i];
        }
      }
    }
}

void rotary_forward(const struct rotary *l, size_t B, size_t A, size_t ld, real *x) { turn(l, B, A, ld, x, 1); }

void rotary_backward(const struct rotary *l, size_t B, size_t A, size_t ld, real *x) { turn(l, B, A, ld, x, -1); }
