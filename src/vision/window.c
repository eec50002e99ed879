#include "src/vision/window.h"

#include <string.h>

/* The pixels [top, bottom) x [left, right) under output (i,j). */
struct box { size_t top, bottom, left, right; };
static size_t begin(size_t i, size_t s, size_t pad) { return i * s > pad ? i * s - pad : 0; }
static size_t end(size_t i, size_t s, size_t k, size_t pad, size_t n) { return i * s + k < n + pad ? i * s + k - pad : n; }
static struct box box(const struct window *l, size_t i, size_t j) {
  return (struct box){ begin(i, l->s, l->ph), end(i, l->s, l->kh, l->ph, l->H), begin(j, l->s, l->pw),
                       end(j, l->s, l->kw, l->pw, l->W) };
}
static size_t rows(const struct window *l) { return (l->H + 2 * l->ph - l->kh) / l->s + 1; }
static size_t columns(const struct window *l) { return (l->W + 2 * l->pw - l->kw) / l->s + 1; }

void window_maximum(const struct window *l, const real *x, real *y) {
  const size_t C = l->C;
  for (size_t i = 0; i < rows(l); i++)
    for (size_t j = 0; j < columns(l); j++, y += l->ldy) {
      const struct box b = box(l, i, j);
      memcpy(y, x + (b.top * l->W + b.left) * C, C * sizeof *y);
      for (size_t u = b.top; u < b.bottom; u++)
        for (size_t v = b.left; v < b.right; v++) {
          const real *from = x + (u * l->W + v) * C;
          for (size_t c = 0; c < C; c++) y[c] = from[c] > y[c] ? from[c] : y[c];
        }
    }
}

/* The pixels that are the maximum, from the last to the first, so that the first of equals has the last word. */
void window_maximum_backward(const struct window *l, const real *x, const real *y, const real *y_bar, real *x_bar) {
  const size_t C = l->C;
  for (size_t i = 0; i < rows(l); i++)
    for (size_t j = 0; j < columns(l); j++, y += l->ldy, y_bar += l->ldy) {
      const struct box b = box(l, i, j);
      for (size_t c = 0; c < C; c++) {
        size_t at = 0;
        for (size_t u = b.bottom; u-- > b.top;)
          for (size_t v = b.right; v-- > b.left;)
            if (x[(u * l->W + v) * C + c] == y[c]) at = u * l->W + v;
        x_bar[at * C + c] += y_bar[c];
      }
    }
}

void window_mean(const struct window *l, const real *x, real *y) {
  const size_t C = l->C;
  for (size_t i = 0; i < rows(l); i++)
    for (size_t j = 0; j < columns(l); j++, y += l->ldy) {
      const struct box b = box(l, i, j);
      const real share = 1 / (real)((b.bottom - b.top) * (b.right - b.left));
      memset(y, 0, C * sizeof *y);
      for (size_t u = b.top; u < b.bottom; u++)
        for (size_t v = b.left; v < b.right; v++) {
          const real *from = x + (u * l->W + v) * C;
          for (size_t c = 0; c < C; c++) y[c] += from[c];
        }
      for (size_t c = 0; c < C; c++) y[c] *= share;
    }
}

void window_mean_backward(const struct window *l, const real *y_bar, real *x_bar) {
  const size_t C = l->C;
  for (size_t i = 0; i < rows(l); i++)
    for (size_t j = 0; j < columns(l); j++, y_bar += l->ldy) {
      const struct box b = box(l, i, j);
      const real share = 1 / (real)((b.bottom - b.top) * (b.right - b.left));
      for (size_t u = b.top; u < b.bottom; u++)
        for (size_t v = b.left; v < b.right; v++) {
          real *to = x_bar + (u * l->W + v) * C;
          for (size_t c = 0; c < C; c++) to[c] += share * y_bar[c];
        }
    }
}
