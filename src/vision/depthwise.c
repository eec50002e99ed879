#include "src/vision/depthwise.h"

#include <assert.h>
#include <string.h>

enum { LANES = 32 };   /* channels whose sums stay in registers */

void depthwise_pack(size_t C, size_t k, real *w, real *scratch) {
  memcpy(scratch, w, C * k * k * sizeof *w);
  for (size_t c = 0; c < C; c++)
    for (size_t t = 0; t < k * k; t++) w[t * C + c] = scratch[c * k * k + t];
}

/* Which places u of the kernel at pixel i of n lie inside: first <= u < end. */
struct range { size_t first, end; };
static struct range inside(size_t i, size_t n, size_t k) {
  const size_t half = k / 2, room = n + half - i;
  return (struct range){ i < half ? half - i : 0, room < k ? room : k };
}

/* sum[m] over the places of one pixel, m <= LANES channels from c on. step 1: the kernel as it is; -1: turned round, which is
 * the transpose. */
static void pixel(const struct depthwise *l, const real *x, size_t i, size_t j, size_t c, size_t m, int step, real *sum) {
  const size_t k = l->k, half = k / 2;
  const struct range a = inside(i, l->H, k), b = inside(j, l->W, k);
  for (size_t u = a.first; u < a.end; u++)
    for (size_t v = b.first; v < b.end; v++) {
      const size_t place = u * k + v, tap = step > 0 ? place : k * k - 1 - place;
      const real *from = x + ((i + u - half) * l->W + j + v - half) * l->C + c, *w = l->kernel + tap * l->C + c;
      if (m == LANES)
        for (size_t n = 0; n < LANES; n++) sum[n] += w[n] * from[n];
      else
        for (size_t n = 0; n < m; n++) sum[n] += w[n] * from[n];
    }
}

static void correlate(const struct depthwise *l, const real *x, int step, real *y) {
  const size_t C = l->C;
  assert(l->k % 2 == 1);
  for (size_t i = 0; i < l->H; i++)
    for (size_t j = 0; j < l->W; j++, y += C)
      for (size_t c = 0; c < C; c += LANES) {
        const size_t m = C - c < LANES ? C - c : LANES;
        real sum[LANES] = { 0 };
        pixel(l, x, i, j, c, m, step, sum);
        for (size_t n = 0; n < m; n++) y[c + n] += sum[n];
      }
}

void depthwise_forward(const struct depthwise *l, const real *x, real *y) {
  for (size_t p = 0; p < l->H * l->W; p++) memcpy(y + p * l->C, l->bias, l->C * sizeof *y);
  correlate(l, x, 1, y);
}

void depthwise_backward(const struct depthwise *l, const real *y_bar, real *x_bar) { correlate(l, y_bar, -1, x_bar); }
