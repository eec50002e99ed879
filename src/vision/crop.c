#include "src/vision/crop.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "src/base/status.h"

enum { BITS = 32 - 8 - 2 };   /* of a weight's fraction: a sum of 8-bit pixels stays within 32 */

struct filter { double support, (*weight)(double x); };

/* Pillow's doubles are rounded after each operation, and at the filter's edge the last bit decides whether a pixel
 * counts: the compiler must not contract a * b + c here. */
static double rounded(double x) {
  const volatile double stored = x;
  return stored;
}

static double box(double x) { return x > -0.5 && x <= 0.5; }

static double bicubic(double x) {   /* a = -0.5 */
  const double a = -0.5;
  x = fabs(x);
  if (x < 1) return rounded(rounded((rounded((a + 2) * x) - (a + 3)) * x) * x) + 1;
  if (x < 2) return (rounded((rounded((x - 5) * x) + 8) * x) - 4) * a;
  return 0;
}

static const struct filter box_filter = { 0.5, box }, bicubic_filter = { 2, bicubic };

/* Outputs j = 0..n-1 of an axis: sum over i < count[j] of weight[j * room + i] in[first[j] + i], in units of 2^-BITS. */
struct axis { size_t n, room, *first, *count; int32_t *weight; };

static void axis_free(struct axis *a) { free(a->first), free(a->count), free(a->weight); }

/* The n outputs from number `from` on, of an axis of `in` pixels that becomes one of `out`. */
static int axis_init(struct axis *a, const struct filter *f, size_t in, size_t out, size_t from, size_t n) {
  const double scale = (double)in / (double)out, stretch = scale < 1 ? 1 : scale, support = f->support * stretch;
  *a = (struct axis) { .n = n, .room = (size_t)ceil(support) * 2 + 1 };
  a->first = malloc(n * sizeof *a->first), a->count = malloc(n * sizeof *a->count);
  a->weight = malloc(n * a->room * sizeof *a->weight);
  double *w = malloc(a->room * sizeof *w);
  const int good = a->first && a->count && a->weight && w;
  for (size_t j = 0; good && j < n; j++) {
    const double center = rounded(((double)(from + j) + 0.5) * scale), low = center - support + 0.5, squeeze = 1 / stretch;
    const size_t first = low > 0 ? (size_t)low : 0, high = (size_t)(center + support + 0.5), end = high < in ? high : in;
    double sum = 0;
    for (size_t i = 0; i < end - first; i++)
      sum += w[i] = f->weight(rounded(((double)(i + first) - center + 0.5) * squeeze));
    for (size_t i = 0; i < end - first; i++) {
      const double share = (sum != 0 ? w[i] / sum : w[i]) * (1 << BITS);
      a->weight[j * a->room + i] = (int32_t)(share < 0 ? share - 0.5 : share + 0.5);
    }
    a->first[j] = first, a->count[j] = end - first;
  }
  free(w);
  if (!good) axis_free(a);
  return good ? STATUS_OK : STATUS_NOMEM;
}

static uint8_t to_byte(int32_t sum) {
  const int32_t byte = sum >> BITS;   /* downwards, also below zero */
  return (uint8_t)(byte < 0 ? 0 : byte > 255 ? 255 : byte);
}

/* The inputs that an axis needs: from `first` on, up to `end`. */
struct span { size_t first, end; };
static struct span needed(const struct axis *a) {
  return (struct span) { a->first[0], a->first[a->n - 1] + a->count[a->n - 1] };
}

/* out[rows,a->n,C] of in[rows,width,C], whose column 0 is column `left` of the axis. */
static void pass_width(const struct axis *a, size_t rows, size_t left, size_t width, size_t C, const uint8_t *in,
                       uint8_t *out) {
  for (size_t y = 0; y < rows; y++, in += width * C)
    for (size_t j = 0; j < a->n; j++)
      for (size_t c = 0; c < C; c++) {
        const uint8_t *x = in + (a->first[j] - left) * C + c;
        const int32_t *w = a->weight + j * a->room;
        int32_t sum = 1 << (BITS - 1);
        for (size_t i = 0; i < a->count[j]; i++) sum += w[i] * x[i * C];
        *out++ = to_byte(sum);
      }
}

/* out[a->n,row] of rows of `row` bytes, `stride` apart, the first of which is row `top` of the axis; sum[row] is scratch. */
static void pass_height(const struct axis *a, size_t top, size_t row, size_t stride, const uint8_t *in, int32_t *sum,
                        uint8_t *out) {
  for (size_t j = 0; j < a->n; j++, out += row) {
    for (size_t x = 0; x < row; x++) sum[x] = 1 << (BITS - 1);
    for (size_t i = 0; i < a->count[j]; i++) {
      const uint8_t *line = in + (a->first[j] - top + i) * stride;
      const int32_t w = a->weight[j * a->room + i];
      for (size_t x = 0; x < row; x++) sum[x] += w * line[x];
    }
    for (size_t x = 0; x < row; x++) out[x] = to_byte(sum[x]);
  }
}

/* A picture of H x W, of which rows x cols pixels from (top, left) on are wanted. */
struct window { size_t H, W, top, left, rows, cols; };

/* Width first, but for pictures that lose much more height than width; bytes depend on it. So does Pillow since 13. */
static int height_first(size_t h, size_t w, struct window v) { return h > v.H && h + 2 * v.W > v.H + 2 * w; }

static int two_passes(const struct axis *down, const struct axis *across, int height, size_t w, size_t C, const uint8_t *in,
                      uint8_t *out) {
  const struct span y = needed(down), x = needed(across);
  const size_t rows = y.end - y.first, cols = x.end - x.first, row = (height ? cols : across->n) * C;
  uint8_t *between = malloc((height ? down->n : rows) * row);
  int32_t *sum = malloc(row * sizeof *sum);
  const int status = between && sum ? STATUS_OK : STATUS_NOMEM;
  in += y.first * w * C;
  if (!status && height) {
    pass_height(down, y.first, row, w * C, in + x.first * C, sum, between);
    pass_width(across, down->n, x.first, cols, C, between, out);
  } else if (!status) {
    pass_width(across, rows, 0, w, C, in, between);
    pass_height(down, y.first, row, row, between, sum, out);
  }
  free(between), free(sum);
  return status;
}

/* out[rows,cols,C]: the window of in[h,w,C] resized; nothing outside of it is computed. */
static int resize(const struct filter *f, size_t h, size_t w, size_t C, const uint8_t *in, struct window v, uint8_t *out) {
  struct axis across, down;
  int status = axis_init(&across, f, w, v.W, v.left, v.cols);
  if (status) return status;
  status = axis_init(&down, f, h, v.H, v.top, v.rows);
  if (!status) {
    status = two_passes(&down, &across, height_first(h, w, v), w, C, in, out);
    axis_free(&down);
  }
  axis_free(&across);
  return status;
}

static size_t shorter(size_t h, size_t w) { return h < w ? h : w; }

int crop_square(size_t h, size_t w, size_t C, const uint8_t *u8, size_t size, uint8_t *out) {
  assert(h > 0 && w > 0 && size > 0 && (C == 1 || C == 3));
  uint8_t *half = NULL;
  int status = STATUS_OK;
  while (shorter(h, w) / 2 >= size && !status) {
    uint8_t *next = malloc((h / 2) * (w / 2) * C);
    status = next ? resize(&box_filter, h, w, C, u8, (struct window) { h / 2, w / 2, 0, 0, h / 2, w / 2 }, next)
                  : STATUS_NOMEM;
    free(half);
    u8 = half = next;
    h /= 2, w /= 2;
  }
  if (!status) {
    const double scale = (double)size / (double)shorter(h, w);
    struct window v = { .H = (size_t)rint((double)h * scale), .W = (size_t)rint((double)w * scale), .rows = size,
                        .cols = size };
    v.top = (v.H - size) / 2, v.left = (v.W - size) / 2;
    status = resize(&bicubic_filter, h, w, C, u8, v, out);
  }
  free(half);
  return status ? because(status, "no memory to resize a picture of %zu x %zu pixels", w, h) : STATUS_OK;
}

void crop_grey(size_t n, const uint8_t *rgb, uint8_t *grey) {
  for (size_t i = 0; i < n; i++, rgb += 3)
    grey[i] = (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}
