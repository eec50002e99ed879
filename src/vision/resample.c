#include "src/vision/resample.h"

#include <math.h>
#include <string.h>

static void *take(struct arena *a, size_t n, size_t size) {
  return arena_take(a, (n * size + sizeof(real) - 1) / sizeof(real));
}

/* Inputs under a kernel that is as wide as the whole axis asks for. */
static size_t most(size_t in, size_t n) {
  const size_t stretch = in > n ? (in + n - 1) / n : 1, wide = 4 * stretch + 2;
  return wide < in ? wide : in;
}

static void axis_layout(struct arena *a, size_t in, size_t n, struct resample_axis *x) {
  x->room = most(in, n);
  x->first = take(a, n, sizeof *x->first);
  x->count = take(a, n, sizeof *x->count);
  x->weight = arena_take(a, n * x->room);
}

void resample_layout(struct arena *a, size_t H, size_t W, size_t C, size_t n, struct resample *r) {
  *r = (struct resample){ .H = H, .W = W, .C = C, .n = n };
  axis_layout(a, H, n, &r->rows);
  axis_layout(a, W, n, &r->columns);
  r->between = arena_take(a, n * W * C);
}

static double keys(double x) {
  x = fabs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

/* `size` pixels from `begin` on of an axis of `in`, to n. */
static void axis_cubic(struct resample_axis *a, size_t in, size_t begin, size_t size, size_t n) {
  const double scale = (double)size / (double)n, stretch = scale > 1 ? scale : 1;
  for (size_t i = 0; i < n; i++) {
    const double center = (double)begin + ((double)i + 0.5) * scale - 0.5;
    const double low = ceil(center - 2 * stretch), high = floor(center + 2 * stretch);
    const size_t first = low > 0 ? (size_t)low : 0, last = high < (double)(in - 1) ? (size_t)high : in - 1;
    real *w = a->weight + i * a->room;
    double sum = 0;
    for (size_t j = first; j <= last; j++) sum += keys(((double)j - center) / stretch);
    for (size_t j = first; j <= last; j++) w[j - first] = (real)(keys(((double)j - center) / stretch) / sum);
    a->first[i] = first;
    a->count[i] = last - first + 1;
  }
}

static void axis_linear(struct resample_axis *a, size_t in, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double at = fmax(0, ((double)i + 0.5) * (double)in / (double)n - 0.5);
    const size_t first = (size_t)at;
    real *w = a->weight + i * a->room;
    a->first[i] = first;
    a->count[i] = first + 1 < in ? 2 : 1;
    w[0] = a->count[i] == 2 ? (real)(1 - (at - (double)first)) : 1;
    if (a->count[i] == 2) w[1] = (real)(at - (double)first);
  }
}

void resample_cubic(struct resample *r, struct resample_crop crop) {
  axis_cubic(&r->rows, r->H, crop.top, crop.h, r->n);
  axis_cubic(&r->columns, r->W, crop.left, crop.w, r->n);
}
void resample_linear(struct resample *r) {
  axis_linear(&r->rows, r->H, r->n);
  axis_linear(&r->columns, r->W, r->n);
}

static void add(size_t n, real w, const real *x, real *y) {
  for (size_t i = 0; i < n; i++) y[i] += w * x[i];
}

void resample_forward(const struct resample *r, const real *x, real *y) {
  const size_t C = r->C, row = r->W * C, n = r->n;
  memset(r->between, 0, n * row * sizeof *x);
  memset(y, 0, n * n * C * sizeof *y);
  for (size_t i = 0; i < n; i++) {
    const struct resample_axis *a = &r->rows, *b = &r->columns;
    real *line = r->between + i * row;
    for (size_t k = 0; k < a->count[i]; k++) add(row, a->weight[i * a->room + k], x + (a->first[i] + k) * row, line);
    for (size_t j = 0; j < n; j++, y += C)
      for (size_t k = 0; k < b->count[j]; k++) add(C, b->weight[j * b->room + k], line + (b->first[j] + k) * C, y);
  }
}

void resample_backward(const struct resample *r, const real *y_bar, real *x_bar) {
  const size_t C = r->C, row = r->W * C, n = r->n;
  memset(r->between, 0, n * row * sizeof *x_bar);
  for (size_t i = 0; i < n; i++) {
    const struct resample_axis *a = &r->rows, *b = &r->columns;
    real *line = r->between + i * row;
    for (size_t j = 0; j < n; j++, y_bar += C)
      for (size_t k = 0; k < b->count[j]; k++) add(C, b->weight[j * b->room + k], y_bar, line + (b->first[j] + k) * C);
    for (size_t k = 0; k < a->count[i]; k++) add(row, a->weight[i * a->room + k], line, x_bar + (a->first[i] + k) * row);
  }
}

/* Half to even, and clipped to 1..n. */
static size_t side(double x, size_t n) {
  const double v = rint(x);
  return v < 1 ? 1 : v > (double)n ? n : (size_t)v;
}

/* 0..n, each as likely. */
static size_t offset(real u, size_t n) {
  const size_t at = (size_t)((double)u * (double)(n + 1));
  return at > n ? n : at;
}

struct resample_crop resample_draw(size_t H, size_t W, const real u[4]) {
  const double least = 0.08, area = (double)(H * W) * (least + (1 - least) * (double)u[0]), edge = log(4.0 / 3.0);
  const double q = exp(edge * (2 * (double)u[1] - 1));
  const size_t w = side(sqrt(area * q), W), h = side(sqrt(area / q), H);
  return (struct resample_crop){ offset(u[2], H - h), offset(u[3], W - w), h, w };
}
