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
static size_t pixel_step(const struct convolution *l) { return l->ldy ? l->ldy : l->O; }

/* Is x itself the matrix of what the kernel sees? */
static int is_plain(const struct convolution *l) {
  const int point = l->kh == 1 && l->kw == 1 && l->s == 1, whole = l->kh == l->H && l->kw == l->W;
  return (point || whole) && !l->ph && !l->pw;
}

/* Rows of output whose pixels make a tile. */
static size_t tile_rows(const struct convolution *l) {
  const size_t rows = convolution_rows(l), fit = TILE / (convolution_columns(l) * kernel_size(l));
  return fit < 1 ? 1 : fit < rows ? fit : rows;
}
size_t convolution_work(const struct convolution *l) {
  return is_plain(l) ? 0 : tile_rows(l) * convolution_columns(l) * kernel_size(l);
}

void convolution_pack(const struct convolution *l, const real *w, real *kernel) {
  const size_t taps = l->kh * l->kw;
  for (size_t o = 0; o < l->O; o++, w += taps * l->I)
    for (size_t k = 0; k < taps; k++)
      for (size_t c = 0; c < l->I; c++) *kernel++ = w[c * taps + k];
}
void convolution_pack_here(const struct convolution *l, real *w, real *scratch) {
  struct convolution one = *l;
  const size_t n = kernel_size(l);
  one.O = 1;
  for (size_t o = 0; o < l->O; o++, w += n) {
    memcpy(scratch, w, n * sizeof *w);
    convolution_pack(&one, scratch, w);
  }
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

static void clip(size_t M, size_t O, size_t ldy, real *y) {
  for (size_t m = 0; m < M; m++, y += ldy)
    for (size_t o = 0; o < O; o++) y[o] = y[o] > 0 ? y[o] : 0;
}

/* M pixels y of those under the kernel. */
static void product(const struct convolution *l, size_t M, const real *pixels, real *y) {
  const size_t O = l->O, K = kernel_size(l), ldy = pixel_step(l);
  if (l->bias)
    for (size_t m = 0; m < M; m++) memcpy(y + m * ldy, l->bias, O * sizeof *y);
  matmul_nt(M, O, K, 1, pixels, K, l->kernel, K, l->bias != NULL, y, ldy);
  if (l->relu) clip(M, O, ldy, y);
}

void convolution_forward(const struct convolution *l, const real *x, real *y, real *work) {
  const size_t rows = convolution_rows(l), columns = convolution_columns(l), tile = tile_rows(l);
  if (is_plain(l)) {
    product(l, rows * columns, x, y);
    return;
  }
  for (size_t row = 0; row < rows; row += tile) {
    const size_t n = rows - row < tile ? rows - row : tile;
    gather(l, row, n, x, work);
    product(l, n * columns, work, y + row * columns * pixel_step(l));
  }
}

void convolution_backward(const struct convolution *l, const real *y_bar, real *x_bar, real *work) {
  const size_t rows = convolution_rows(l), columns = convolution_columns(l), K = kernel_size(l), tile = tile_rows(l);
  const size_t O = l->O, ldy = pixel_step(l);
  if (is_plain(l)) {
    matmul_nn(rows * columns, K, O, 1, y_bar, ldy, l->kernel, K, 1, x_bar, K);
    return;
  }
  for (size_t row = 0; row < rows; row += tile) {
    const size_t n = rows - row < tile ? rows - row : tile;
    matmul_nn(n * columns, K, O, 1, y_bar + row * columns * ldy, ldy, l->kernel, K, 0, work, K);
    scatter(l, row, n, work, x_bar);
  }
}

void convolution_backward_kernel(const struct convolution *l, const real *x, const real *y_bar, real *kernel_bar,
                                 real *bias_bar, real *work) {
  const size_t rows = convolution_rows(l), columns = convolution_columns(l), K = kernel_size(l), tile = tile_rows(l);
  const size_t O = l->O, ldy = pixel_step(l), pixels = rows * columns;
  if (is_plain(l)) matmul_tn(O, K, pixels, 1, y_bar, ldy, x, K, 1, kernel_bar, K);
  for (size_t row = 0; row < rows && !is_plain(l); row += tile) {
    const size_t n = rows - row < tile ? rows - row : tile;
    gather(l, row, n, x, work);
    matmul_tn(O, K, n * columns, 1, y_bar + row * columns * ldy, ldy, work, K, 1, kernel_bar, K);
  }
  if (bias_bar)
    for (size_t m = 0; m < pixels; m++)
      for (size_t o = 0; o < O; o++) bias_bar[o] += y_bar[m * ldy + o];
}
