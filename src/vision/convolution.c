#include "src/vision/convolution.h"

#include <assert.h>
#include <string.h>

#include "src/base/matmul.h"

enum { TILE = 1 << 16 };   /* numbers side by side at once: half of a second-level cache */

static size_t steps(size_t n, size_t pad, size_t k, size_t s) {
  assert(n + 2 * pad >= k && pad < k && s > 0);
  return (n + 2 * pad - k) / s + 1;
}
size_t convolution_rows(const struct convolution *l) { return steps(l->H, l->ph, l->kh, l->s); }
size_t convolution_columns(const struct convolution *l) { return steps(l->W, l->pw, l->kw, l->s); }

static size_t kernel_size(const struct convolution *l) { return l->kh * l->kw * l->I; }

/* Rows of output whose pixels make a tile. */
static size_t tile_rows(const struct convolution *l) {
  const size_t rows = convolution_rows(l), fit = TILE / (convolution_columns(l) * kernel_size(l));
  return fit < 1 ? 1 : fit < rows ? fit : rows;
}
size_t convolution_work(const struct convolution *l) { return tile_rows(l) * convolution_columns(l) * kernel_size(l); }

void convolution_pack(const struct convolution *l, const real *w, real *kernel) {
  const size_t taps = l->kh * l->kw;
  for (size_t o = 0; o < l->O; o++, w += taps * l->I)
    for (size_t k = 0; k < taps; k++)
      for (size_t c = 0; c < l->I; c++) *kernel++ = w[c * taps + k];
}
void convolution_unpack(const struct convolution *l, const real *kernel_bar, real *w_bar) {
  const size_t taps = l->kh * l->kw;
  for (size_t o = 0; o < l->O; o++, w_bar += taps * l->I)
    for (size_t k = 0; k < taps; k++)
      for (size_t c = 0; c < l->I; c++) w_bar[c * taps + k] += *kernel_bar++;
}

/* The pixels under row u of the kernel at output (i,j): those [first, first + count) of kw lie in the image, from x on. */
struct span { size_t first, count, x; };
static struct span span(const struct convolution *l, size_t i, size_t j, size_t u) {
  const size_t row = i * l->s + u, left = j * l->s;   /* counted from the first zero */
  if (row < l->ph || row >= l->ph + l->H || left >= l->pw + l->W) return (struct span){ 0 };
  const size_t first = left < l->pw ? l->pw - left : 0, room = l->pw + l->W - left, end = room < l->kw ? room : l->kw;
  if (first >= end) return (struct span){ 0 };
  return (struct span){ first, end - first, (row - l->ph) * l->W + left + first - l->pw };
}

/* pixels[n,columns,kh,kw,I]: what the kernel sees from n rows of output on. */
static void gather(const struct convolution *l, size_t row, size_t n, const real *x, real *pixels) {
  const size_t columns = convolution_columns(l), I = l->I, width = l->kw * I;
  for (size_t i = row; i < row + n; i++)
    for (size_t j = 0; j < columns; j++)
      for (size_t u = 0; u < l->kh; u++, pixels += width) {
        const struct span p = span(l, i, j, u);
        if (p.count < l->kw) memset(pixels, 0, width * sizeof *pixels);
        memcpy(pixels + p.first * I, x + p.x * I, p.count * I * sizeof *pixels);
      }
}
/* Its transpose: each pixel takes back what every place of the kernel has for it. */
static void scatter(const struct convolution *l, size_t row, size_t n, const real *pixels, real *x_bar) {
  const size_t columns = convolution_columns(l), I = l->I, width = l->kw * I;
  for (size_t i = row; i < row + n; i++)
    for (size_t j = 0; j < columns; j++)
      for (size_t u = 0; u < l->kh; u++, pixels += width) {
        const struct span p = span(l, i, j, u);
        const real *from = pixels + p.first * I;
        real *to = x_bar + p.x * I;
        for (size_t k = 0; k < p.count * I; k++) to[k] += from[k];
      }
}

void convolution_forward(const struct convolution *l, const real *x, real *y, real *work) {
  const size_t rows = convolution_rows(l), columns = convolution_columns(l), K = kernel_size(l), O = l->O, tile = tile_rows(l);
  for (size_t row = 0; row < rows; row += tile) {
    const size_t n = rows - row < tile ? rows - row : tile, M = n * columns;
    real *to = y + row * columns * O;
    gather(l, row, n, x, work);
    if (l->bias)
      for (size_t m = 0; m < M; m++) memcpy(to + m * O, l->bias, O * sizeof *to);
    matmul_nt(M, O, K, 1, work, K, l->kernel, K, l->bias != NULL, to, O);
  }
}

void convolution_backward(const struct convolution *l, const real *y_bar, real *x_bar, real *work) {
  const size_t rows = convolution_rows(l), columns = convolution_columns(l), K = kernel_size(l), O = l->O, tile = tile_rows(l);
  for (size_t row = 0; row < rows; row += tile) {
    const size_t n = rows - row < tile ? rows - row : tile;
    matmul_nn(n * columns, K, O, 1, y_bar + row * columns * O, O, l->kernel, K, 0, work, K);
    scatter(l, row, n, work, x_bar);
  }
}

void convolution_backward_kernel(const struct convolution *l, const real *x, const real *y_bar, real *kernel_bar,
                                 real *bias_bar, real *work) {
  const size_t rows = convolution_rows(l), columns = convolution_columns(l), K = kernel_size(l), O = l->O, tile = tile_rows(l);
  for (size_t row = 0; row < rows; row += tile) {
    const size_t n = rows - row < tile ? rows - row : tile;
    gather(l, row, n, x, work);
    matmul_tn(O, K, n * columns, 1, y_bar + row * columns * O, O, work, K, 1, kernel_bar, K);
  }
  if (bias_bar)
    for (size_t m = 0; m < rows * columns; m++)
      for (size_t o = 0; o < O; o++) bias_bar[o] += y_bar[m * O + o];
}
