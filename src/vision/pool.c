#include "src/vision/pool.h"

#include <string.h>

enum { NONE = 4 };

void pool_forward(const struct pool *l, const real *x, real *y, uint8_t *from) {
  const size_t C = l->C, next = l->W * C;   /* from one row to the next */
  for (size_t i = 0; i < l->H / 2; i++)
    for (size_t j = 0; j < l->W / 2; j++, y += C, from += C) {
      const real *a = x + 2 * i * next + 2 * j * C, *b = a + C, *c = a + next, *d = c + C;
      for (size_t k = 0; k < C; k++) {
        const real upper = b[k] > a[k] ? b[k] : a[k], lower = d[k] > c[k] ? d[k] : c[k];
        const real most = lower > upper ? lower : upper;
        const uint8_t right = lower > upper ? 2 + (d[k] > c[k]) : b[k] > a[k];
        y[k] = most > 0 ? most : 0;
        from[k] = most > 0 ? right : NONE;
      }
    }
}

void pool_backward(const struct pool *l, const uint8_t *from, const real *y_bar, real *x_bar) {
  const size_t C = l->C, next = l->W * C;
  if (l->H % 2 || l->W % 2) memset(x_bar, 0, l->H * next * sizeof *x_bar);
  for (size_t i = 0; i < l->H / 2; i++)
    for (size_t j = 0; j < l->W / 2; j++, y_bar += C, from += C) {
      real *a = x_bar + 2 * i * next + 2 * j * C, *b = a + C, *c = a + next, *d = c + C;
      for (size_t k = 0; k < C; k++) {
        a[k] = from[k] == 0 ? y_bar[k] : 0;
        b[k] = from[k] == 1 ? y_bar[k] : 0;
        c[k] = from[k] == 2 ? y_bar[k] : 0;
        d[k] = from[k] == 3 ? y_bar[k] : 0;
      }
    }
}
