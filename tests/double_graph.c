/* The layers of the networks that only look, and the networks, in double:
 *   linear ones (depthwise, mean, resampling) and their backward functions are adjoint, to 1e-12;
 *   the others' backward functions are the transpose of what differences say, to 1e-8 (ReLU and maximum by steps of 1e-8, to 1e-6);
 *   a convolution that writes channels of a wider map leaves the others alone;
 *   a graph of every kind of node, with maps that several nodes write and read, has the gradient of its taps;
 *   the two distances and LPIPS, ConvNeXt and the shape of Inception: gradients, and that equal images are at distance 0. */
#include "src/base/status.h"
#include "src/vision/convnext.h"
#include "src/vision/convolution.h"
#include "src/vision/depthwise.h"
#include "src/vision/gelu.h"
#include "src/vision/grn.h"
#include "src/vision/inception.h"
#include "src/vision/layernorm.h"
#include "src/vision/lpips.h"
#include "src/vision/resample.h"
#include "src/vision/window.h"
#include "tests/formula.h"
#include "tests/laws.h"

static const double limit_adjoint = 1e-12, limit_difference = 1e-8, limit_kinks = 1e-6;

/* y[ny] of x[nx]; backward adds to x_bar, or overwrites it. */
struct map {
  size_t nx, ny;
  void (*forward)(const void *l, const real *x, real *y);
  void (*backward)(const void *l, const real *x, const real *y, const real *y_bar, real *x_bar);
  const void *l;
};
struct line { const struct map *m; const real *x, *x_dot; real *moved; };
static void along(void *context, double s, real *y) {
  struct line *c = context;
  move(c->m->nx, c->x, s, c->x_dot, c->moved);
  c->m->forward(c->m->l, c->moved, y);
}

/* |<y_bar, J x_dot> - <x_bar, x_dot>| of |y_bar| |J x_dot|; h = 0: the map is linear, J x_dot = f(x_dot) - f(0). */
static double gap(const struct map *m, double h) {
  real *x = new_normal(1, m->nx), *x_dot = new_normal(2, m->nx), *y = new_zeros(m->ny), *y_dot = new_zeros(m->ny);
  real *y_bar = new_normal(3, m->ny), *x_bar = new_normal(4, m->nx), *moved = new_zeros(m->nx), *zero = new_zeros(m->nx);
  struct line c = { m, x, x_dot, moved };
  if (h > 0) {
    differentiate(along, &c, h, m->ny, y_dot);
  } else {
    m->forward(m->l, zero, y);
    m->forward(m->l, x_dot, y_dot);
    for (size_t i = 0; i < m->ny; i++) y_dot[i] -= y[i];
  }
  const double before = dot(m->nx, x_bar, x_dot);
  m->forward(m->l, x, y);
  m->backward(m->l, x, y, y_bar, x_bar);
  const double back = dot(m->nx, x_bar, x_dot) - before, ahead = dot(m->ny, y_bar, y_dot);
  const double scale = sqrt(dot(m->ny, y_bar, y_bar) * dot(m->ny, y_dot, y_dot));
  free(x), free(x_dot), free(y), free(y_dot), free(y_bar), free(x_bar), free(moved), free(zero);
  return scale > 0 ? fabs(ahead - back) / scale : INFINITY;
}

/* ---- layers ---- */

static void depthwise_f(const void *l, const real *x, real *y) { depthwise_forward(l, x, y); }
static void depthwise_b(const void *l, const real *x, const real *y, const real *y_bar, real *x_bar) {
  (void)x, (void)y;
  depthwise_backward(l, y_bar, x_bar);
}
START_TEST(a_depthwise_convolution_is_its_sum_and_has_its_transpose) {
  static const size_t kinds[][4] = { { 9, 8, 3, 7 }, { 4, 5, 33, 7 }, { 6, 3, 70, 3 }, { 1, 2, 5, 5 } };   /* H W C k */
  for (int i = 0; i < 4; i++) {
    const size_t H = kinds[i][0], W = kinds[i][1], C = kinds[i][2], k = kinds[i][3], n = H * W * C, half = k / 2;
    real *w = new_normal(5, C * k * k), *turned = new_normal(5, C * k * k), *bias = new_normal(6, C), *scratch = new_zeros(C * k * k);
    real *x = new_normal(7, n), *y = new_zeros(n), *plain = new_zeros(n);
    depthwise_pack(C, k, turned, scratch);
    const struct depthwise l = { H, W, C, k, turned, bias };
    depthwise_forward(&l, x, y);
    for (size_t at = 0; at < n; at++) {
      const size_t r = at / C / W, q = at / C % W, c = at % C;
      plain[at] = bias[c];
      for (size_t u = 0; u < k; u++)
        for (size_t v = 0; v < k; v++)
          if (r + u >= half && r + u < H + half && q + v >= half && q + v < W + half)
            plain[at] += w[(c * k + u) * k + v] * x[((r + u - half) * W + q + v - half) * C + c];
    }
    ck_assert_double_lt(relative_error(n, y, plain), 1e-13);
    ck_assert_double_lt(gap(&(struct map){ n, n, depthwise_f, depthwise_b, &l }, 0), limit_adjoint);
    free(w), free(turned), free(bias), free(scratch), free(x), free(y), free(plain);
  }
} END_TEST

static void mean_f(const void *l, const real *x, real *y) { window_mean(l, x, y); }
static void mean_b(const void *l, const real *x, const real *y, const real *y_bar, real *x_bar) {
  (void)x, (void)y;
  window_mean_backward(l, y_bar, x_bar);
}
static void maximum_f(const void *l, const real *x, real *y) { window_maximum(l, x, y); }
static void maximum_b(const void *l, const real *x, const real *y, const real *y_bar, real *x_bar) {
  window_maximum_backward(l, x, y, y_bar, x_bar);
}
START_TEST(windows_have_their_transpose) {
  static const struct window kinds[] = { { 6, 8, 5, 2, 2, 2, 0, 0, 5 }, { 7, 5, 3, 3, 3, 1, 1, 1, 3 },
                                         { 9, 7, 4, 3, 3, 2, 0, 0, 4 }, { 3, 4, 6, 3, 4, 1, 0, 0, 6 } };
  for (int i = 0; i < 4; i++) {
    const struct window *l = &kinds[i];
    const size_t nx = l->H * l->W * l->C;
    const size_t ny = ((l->H + 2 * l->ph - l->kh) / l->s + 1) * ((l->W + 2 * l->pw - l->kw) / l->s + 1) * l->C;
    ck_assert_double_lt(gap(&(struct map){ nx, ny, mean_f, mean_b, l }, 0), limit_adjoint);
    ck_assert_double_lt(gap(&(struct map){ nx, ny, maximum_f, maximum_b, l }, 1e-8), limit_kinks);
  }
} END_TEST

/* A corner's mean is that of four pixels, not of nine: what lies outside is left out of the count. */
START_TEST(outside_does_not_count) {
  const struct window l = { 3, 3, 1, 3, 3, 1, 1, 1, 1 };
  const real x[9] = { 1, 2, -9, 4, 5, -9, -9, -9, -9 };
  real y[9];
  window_mean(&l, x, y);
  ck_assert_double_eq_tol(y[0], 3, 1e-15);
  ck_assert_double_eq_tol(y[4], (1 + 2 + 4 + 5 - 5 * 9) / 9.0, 1e-15);
  window_maximum(&l, (const real[9]){ -1, -2, -3, -4, -5, -6, -7, -8, -9 }, y);
  ck_assert_double_eq(y[8], -5);
} END_TEST

static void layernorm_f(const void *l, const real *x, real *y) { layernorm_forward(l, x, y); }
static void layernorm_b(const void *l, const real *x, const real *y, const real *y_bar, real *x_bar) {
  (void)y;
  layernorm_backward(l, x, y_bar, x_bar);
}
static void gelu_f(const void *l, const real *x, real *y) { gelu_forward(*(const size_t *)l, x, y); }
static void gelu_b(const void *l, const real *x, const real *y, const real *y_bar, real *x_bar) {
  (void)y;
  gelu_backward(*(const size_t *)l, x, y_bar, x_bar);
}
static real *grn_scratch;
static void grn_f(const void *l, const real *x, real *y) { grn_forward(l, x, y, grn_scratch); }
static void grn_b(const void *l, const real *x, const real *y, const real *y_bar, real *x_bar) {
  (void)y;
  grn_backward(l, x, y_bar, x_bar, grn_scratch);
}
START_TEST(norms_and_gelu_have_their_derivative) {
  const size_t n = 700;
  real *weight = new_normal(8, 40), *bias = new_normal(9, 40), x[1] = { 0.7 }, y[1];
  ck_assert_double_lt(gap(&(struct map){ n, n, gelu_f, gelu_b, &n }, 1e-3), limit_difference);
  gelu_forward(1, x, y);
  ck_assert_double_eq_tol(y[0], 0.7 * 0.5 * erfc(-0.7 / sqrt(2)), 1e-15);
  for (size_t C = 1; C <= 40; C += 13) {
    const struct layernorm l = { 5, C, weight, bias, 1e-6 };
    const struct grn g = { 37, C, weight, bias };
    grn_scratch = new_zeros(grn_work(&g));
    if (C > 1) ck_assert_double_lt(gap(&(struct map){ 5 * C, 5 * C, layernorm_f, layernorm_b, &l }, 1e-4), limit_difference);
    ck_assert_double_lt(gap(&(struct map){ 37 * C, 37 * C, grn_f, grn_b, &g }, 1e-3), limit_difference);
    free(grn_scratch);
  }
  free(weight), free(bias);
} END_TEST

START_TEST(a_convolution_writes_its_channels_only) {
  enum { H = 5, W = 6, I = 3, O = 4, WIDE = 9 };
  static const struct convolution kinds[] = {
    { .H = H, W, I, O, 3, 3, 1, 1, 1 }, { .H = H, W, I, O, 1, 1, 1, 0, 0 }, { .H = H, W, I, O, H, W, 1, 0, 0 },
  };
  for (int k = 0; k < 3; k++) {
    struct convolution l = kinds[k];
    const size_t pixels = convolution_rows(&l) * convolution_columns(&l), n = O * l.kh * l.kw * I;
    real *kernel = new_normal(1, n), *bias = new_normal(2, O), *x = new_normal(3, H * W * I);
    real *y = new_zeros(pixels * O), *wide = new_normal(4, pixels * WIDE), *before = new_normal(4, pixels * WIDE);
    real *x_bar = new_normal(5, H * W * I), *same = new_normal(5, H * W * I), *work = new_zeros(convolution_work(&l) + 1);
    l.kernel = kernel, l.bias = bias;
    convolution_forward(&l, x, y, work);
    for (size_t i = 0; i < pixels * O; i++) y[i] = y[i] > 0 ? y[i] : 0;
    convolution_backward(&l, y, same, work);
    l.ldy = WIDE, l.relu = 1;
    convolution_forward(&l, x, wide + 2, work);
    convolution_backward(&l, wide + 2, x_bar, work);
    for (size_t i = 0; i < pixels * WIDE; i++) {
      const size_t c = i % WIDE;
      if (c < 2 || c >= 2 + O) ck_assert_double_eq(wide[i], before[i]);
      else ck_assert_double_eq_tol(wide[i], y[i / WIDE * O + c - 2], 1e-13);
    }
    ck_assert_double_lt(relative_error(H * W * I, x_bar, same), 1e-13);
    free(kernel), free(bias), free(x), free(y), free(wide), free(before), free(x_bar), free(same), free(work);
  }
} END_TEST

/* ---- resampling ---- */

static void resample_f(const void *l, const real *x, real *y) { resample_forward(l, x, y); }
static void resample_b(const void *l, const real *x, const real *y, const real *y_bar, real *x_bar) {
  (void)x, (void)y;
  resample_backward(l, y_bar, x_bar);
}
START_TEST(resampling_has_its_transpose_and_keeps_what_is_flat) {
  static const struct resample_crop crops[] = { { 0, 0, 20, 17 }, { 3, 2, 9, 11 }, { 19, 16, 1, 1 }, { 0, 5, 20, 1 } };
  static const size_t sizes[] = { 5, 12, 40 };
  enum { H = 20, W = 17, C = 3 };
  for (int k = 0; k < 15; k++) {
    const size_t n = sizes[k % 3];
    struct arena a = { 0 };
    struct resample l;
    resample_layout(&a, H, W, C, n, &l);
    ck_assert_int_eq(arena_init(&a), STATUS_OK);
    resample_layout(&a, H, W, C, n, &l);
    if (k < 12) resample_cubic(&l, crops[k / 3]);
    else resample_linear(&l);
    ck_assert_double_lt(gap(&(struct map){ H * W * C, n * n * C, resample_f, resample_b, &l }, 0), limit_adjoint);
    real *x = new_zeros(H * W * C), *y = new_zeros(n * n * C);
    for (size_t i = 0; i < H * W * C; i++) x[i] = 0.75;
    resample_forward(&l, x, y);
    for (size_t i = 0; i < n * n * C; i++) ck_assert_double_eq_tol(y[i], 0.75, 1e-12);
    if (k < 3 && n == 12) {   /* a picture that is symmetric stays so */
      for (size_t i = 0; i < H * W; i++) x[i * C] = (real)((i / W) * (H - 1 - i / W));
      resample_forward(&l, x, y);
      for (size_t i = 0; i < n; i++) ck_assert_double_eq_tol(y[i * n * C], y[(n - 1 - i) * n * C], 1e-11);
    }
    free(x), free(y);
    arena_free(&a);
  }
} END_TEST

START_TEST(crops_lie_inside_and_are_drawn_as_they_should) {
  enum { N = 20000, H = 30, W = 20 };
  double area = 0, ratio = 0, place = 0;
  size_t free = 0, at_end[2] = { 0 };
  for (uint32_t i = 0; i < N; i++) {
    real u[4];
    random_uniform((struct purpose){ 1, STREAM_TEST, 0, i }, 4, u);
    const struct resample_crop c = resample_draw(H, W, u);
    ck_assert(c.h >= 1 && c.w >= 1 && c.top + c.h <= H && c.left + c.w <= W);
    area += (double)(c.h * c.w) / (H * W) / N;
    ratio += log((double)c.w / (double)c.h) / N;
    if (c.h == H) continue;
    free++;
    place += (double)c.top / (double)(H - c.h);
    at_end[0] += c.top == 0, at_end[1] += c.top == H - c.h;
  }
  ck_assert_double_gt(area, 0.4);   /* 0.54 but for what the clipping takes */
  ck_assert_double_lt(area, 0.55);
  ck_assert_double_lt(fabs(ratio), 0.15);
  ck_assert_double_eq_tol(place / (double)free, 0.5, 0.01);
  ck_assert_double_eq_tol((double)at_end[0] / (double)at_end[1], 1, 0.15);   /* both ends are included, and as likely */
  const struct resample_crop first = resample_draw(H, W, (const real[]){ 0x1p-24, 0.5, 0x1p-24, 0x1p-24 });
  const struct resample_crop last = resample_draw(H, W, (const real[]){ 0x1p-24, 0.5, 1 - 0x1p-24, 1 - 0x1p-24 });
  ck_assert(first.h == 7 && first.w == 7 && first.top == 0 && first.left == 0);   /* sqrt(600 0.08) = 6.93 */
  ck_assert(last.top == H - 7 && last.left == W - 7);
  const struct resample_crop all = resample_draw(16, 16, (const real[]){ 1 - 0x1p-24, 0.5, 0.5, 0.5 });
  ck_assert(all.h == 16 && all.w == 16 && all.top == 0 && all.left == 0);
} END_TEST

/* By hand, an area of 8 % of 300 x 200, 4800: sides at 3/4 and at 4/3, an offset for each side. */
START_TEST(a_crop_has_the_sides_and_the_place_of_its_numbers) {
  const struct resample_crop tall = resample_draw(300, 200, (const real[]){ 0x1p-24, 0x1p-24, 0.25, 0.75 });
  const struct resample_crop wide = resample_draw(300, 200, (const real[]){ 0x1p-24, 1 - 0x1p-24, 0.25, 0.75 });
  ck_assert(tall.w == 60 && tall.h == 80 && tall.top == 221 / 4 && tall.left == 3 * 141 / 4);
  ck_assert(wide.w == 80 && wide.h == 60 && wide.top == 241 / 4 && wide.left == 3 * 121 / 4);
} END_TEST

/* Of the smallest crops, which nothing clips: in each tenth of the logarithms of 3/4 to 4/3 as many, at places that have nothing to
 * do with each other or with the ratio. */
START_TEST(ratios_and_places_of_crops_are_independent) {
  enum { N = 20000, H = 3000, W = 2000, TENTHS = 10 };
  size_t tenth[TENTHS] = { 0 };
  double product[3] = { 0 }, square[3] = { 0 };
  for (uint32_t i = 0; i < N; i++) {
    real u[4];
    random_uniform((struct purpose){ 1, STREAM_TEST, 1, i }, 4, u);
    u[0] = 0x1p-24;
    const struct resample_crop c = resample_draw(H, W, u);
    const double ratio = log((double)c.w / (double)c.h) / log(4.0 / 3) / 2;   /* -1/2 to 1/2, but for what rounding takes */
    const double top = ((double)c.top + 0.5) / (double)(H - c.h + 1) - 0.5;
    const double left = ((double)c.left + 0.5) / (double)(W - c.w + 1) - 0.5;
    const double k = floor((ratio + 0.5) * TENTHS);
    tenth[k < 0 ? 0 : k < TENTHS ? (size_t)k : TENTHS - 1]++;
    product[0] += top * left, product[1] += top * ratio, product[2] += left * ratio;
    square[0] += top * top, square[1] += left * left, square[2] += ratio * ratio;
  }
  for (int k = 0; k < TENTHS; k++)   /* four standard errors, and sides of whole pixels */
    ck_assert_double_eq_tol((double)tenth[k] / N, 1.0 / TENTHS, 4 * sqrt(0.1 * 0.9 / N) + 0.002);
  for (int k = 0; k < 3; k++) {
    ck_assert_double_lt(fabs(product[k]) / N * 12, 4 / sqrt(N));
    ck_assert_double_eq_tol(square[k] / N * 12, 1, 0.03);   /* uniform: 1/12 */
  }
} END_TEST

/* ---- graphs ---- */

/* Every kind of node; map 2 has two writers, map 1 and the block's input several readers, three taps. */
static void make_graph(struct contrast *c) {
  struct graph *g = &c->graph;
  *c = (struct contrast){ .kind = CONTRAST_PLAIN, .scale = { 1, 1, 1 } };
  graph_input(g, 11, 9, 3);
  size_t w[20];
  for (size_t i = 0; i < 20; i++) {
    const size_t shapes[20][4] = { { 4, 3, 3, 3 }, { 4 }, { 3, 4, 1, 1 }, { 3 }, { 5, 4, 1, 3 }, { 5 }, { 12, 1, 3, 3 }, { 12 },
                                   { 12 }, { 12 }, { 20, 12 }, { 20 }, { 20 }, { 20 }, { 12, 20 }, { 12 }, { 6, 12, 5, 4 }, { 6 } };
    int rank = 0;
    while (rank < 4 && shapes[i][rank]) rank++;
    if (rank) w[i] = contrast_tensor(c, rank, shapes[i], "t%zu", i);
  }
  const size_t x = graph_convolution(g, 0, (struct graph_kernel){ 4, 3, 3, 2, 1, 1 }, 1, w[0], w[1], GRAPH_NONE, 0);
  contrast_tap(c, x, GRAPH_NONE);
  const size_t y = graph_room(g, g->maps[x].H, g->maps[x].W, 12);
  graph_convolution(g, x, (struct graph_kernel){ 3, 1, 1, 1, 0, 0 }, 1, w[2], w[3], y, 0);
  graph_maximum(g, x, (struct graph_kernel){ 0, 3, 3, 1, 1, 1 }, y, 8);
  const size_t m = graph_mean(g, x, (struct graph_kernel){ 0, 3, 3, 1, 1, 1 });
  graph_convolution(g, m, (struct graph_kernel){ 5, 1, 3, 1, 0, 1 }, 0, w[4], w[5], y, 3);
  contrast_tap(c, y, GRAPH_NONE);
  size_t z = graph_depthwise(g, y, 3, w[6], w[7]);
  z = graph_layernorm(g, z, w[8], w[9], 1e-6);
  z = graph_convolution(g, z, (struct graph_kernel){ 20, 1, 1, 1, 0, 0 }, 0, w[10], w[11], GRAPH_NONE, 0);
  z = graph_grn(g, graph_gelu(g, z), w[12], w[13]);
  z = graph_convolution(g, z, (struct graph_kernel){ 12, 1, 1, 1, 0, 0 }, 0, w[14], w[15], GRAPH_NONE, 0);
  z = graph_add(g, y, z);
  z = graph_add(g, z, y);
  z = graph_convolution(g, z, (struct graph_kernel){ 6, 5, 4, 1, 0, 0 }, 0, w[16], w[17], GRAPH_NONE, 0);
  contrast_tap(c, z, GRAPH_NONE);
  graph_finish(g);
}

struct looker {
  const struct contrast *c;
  const real *weights, *y, *x, *x_dot;
  const struct contrast_work *w;
  real *moved;
};
static void distance_along(void *context, double s, real *d) {
  struct looker *l = context;
  move(graph_numbers(&l->c->graph, 0), l->x, s, l->x_dot, l->moved);
  contrast_distance(l->c, l->weights, l->w, 1, l->moved, l->y, d, NULL);
}

/* Of a contrast's gradient, against differences along a direction; equal images are at distance 0 with gradient 0. */
static void check_contrast(struct contrast *c, double h, double limit) {
  const size_t n = graph_numbers(&c->graph, 0);
  struct arena a = { 0 };
  struct contrast_work w;
  contrast_layout(&a, c, 2, &w);
  ck_assert_int_eq(arena_init(&a), STATUS_OK);
  contrast_layout(&a, c, 2, &w);
  real *weights = new_zeros(c->table.size), *x = new_normal(11, 2 * n), *y = new_normal(12, 2 * n), *x_dot = new_normal(13, n);
  real *x_bar = new_normal(14, 2 * n), *moved = new_zeros(n), d[2], again[2], numeric;
  formula_weights(&c->table, weights);
  ck_assert_int_eq(contrast_prepare(c, weights), STATUS_OK);
  contrast_distance(c, weights, &w, 2, x, y, d, x_bar);
  contrast_distance(c, weights, &w, 1, x + n, y + n, again, NULL);
  ck_assert_double_eq(d[1], again[0]);
  for (size_t b = 0; b < 2; b++) {
    struct looker l = { c, weights, y + b * n, x + b * n, x_dot, &w, moved };
    differentiate(distance_along, &l, h, 1, &numeric);
    const double scale = sqrt(dot(n, x_bar + b * n, x_bar + b * n) * dot(n, x_dot, x_dot));
    ck_assert_double_gt(scale, 0);
    const double off = fabs(dot(n, x_bar + b * n, x_dot) - (double)numeric) / scale;
    ck_assert_msg(off < limit, "%g of the gradient's size, limit %g", off, limit);
  }
  contrast_distance(c, weights, &w, 1, x, x, d, x_bar);
  ck_assert_double_lt(d[0], 1e-25);
  ck_assert_double_lt(max_abs(n, x_bar), 1e-12);
  free(weights), free(x), free(y), free(x_dot), free(x_bar), free(moved);
  arena_free(&a);
}

START_TEST(a_graph_has_the_gradient_of_its_taps) {
  struct contrast c;
  make_graph(&c);
  check_contrast(&c, 1e-7, limit_kinks);
  c.kind = CONTRAST_UNIT;
  c.weight[1] = c.table.tensors[8].offset;   /* [12], some of them negative: no matter */
  check_contrast(&c, 1e-7, limit_kinks);
  contrast_free(&c);
} END_TEST

/* The same numbers by both ways, though maps lie in other places. */
START_TEST(both_ways_give_the_same_taps) {
  struct contrast c;
  make_graph(&c);
  const struct graph *g = &c.graph;
  real *weights = new_zeros(c.table.size), *work[2], *x = new_normal(15, graph_numbers(g, 0));
  formula_weights(&c.table, weights);
  ck_assert_uint_lt(g->size[GRAPH_FORWARD], g->size[GRAPH_BACKWARD]);
  for (int way = 0; way < 2; way++) {
    work[way] = new_normal(16, g->size[way]);
    memcpy(graph_at(g, way, work[way], 0), x, graph_numbers(g, 0) * sizeof *x);
    graph_forward(g, way, weights, work[way]);
  }
  for (size_t k = 0; k < c.taps; k++)
    ck_assert_mem_eq(graph_at(g, 0, work[0], c.tap[k]), graph_at(g, 1, work[1], c.tap[k]),
                     graph_numbers(g, c.tap[k]) * sizeof *x);
  free(weights), free(work[0]), free(work[1]), free(x);
  contrast_free(&c);
} END_TEST

START_TEST(lpips_and_convnext_have_their_gradient) {
  static const struct convnext_sizes small = { { 1, 2, 1, 1 }, { 6, 8, 12, 10 } };
  struct contrast c;
  lpips_init(&c, 18, 16);
  ck_assert_uint_eq(c.table.count, 31);
  ck_assert_uint_eq(table_parameters(&c.table), 14714688 + 1472);
  check_contrast(&c, 1e-8, 1e-5);
  contrast_free(&c);
  convnext_init(&c, &small, 36, 33);
  check_contrast(&c, 1e-4, limit_difference);
  contrast_free(&c);
  convnext_init(&c, &convnext_base, 224, 224);
  ck_assert_uint_eq(table_parameters(&c.table), 87692800);   /* the published net without its last layer */
  ck_assert_double_eq_tol(c.graph.flops, 30.2e9, 1e9);
  contrast_free(&c);
} END_TEST

START_TEST(inception_has_its_sizes) {
  struct inception n;
  inception_init(&n);
  ck_assert_uint_eq(n.table.count, 94 * 5 + 2);
  ck_assert_uint_eq(table_parameters(&n.table), 23885392);   /* means and variances among them */
  ck_assert_double_eq_tol(n.graph.flops, 11.4e9, 0.2e9);
  inception_free(&n);
} END_TEST

int main(void) {
  return run_tests("graph", (const TTest *[]){ a_depthwise_convolution_is_its_sum_and_has_its_transpose,
                                               windows_have_their_transpose, outside_does_not_count,
                                               norms_and_gelu_have_their_derivative, a_convolution_writes_its_channels_only,
                                               resampling_has_its_transpose_and_keeps_what_is_flat,
                                               crops_lie_inside_and_are_drawn_as_they_should,
                                               a_crop_has_the_sides_and_the_place_of_its_numbers,
                                               ratios_and_places_of_crops_are_independent,
                                               a_graph_has_the_gradient_of_its_taps, both_ways_give_the_same_taps,
                                               lpips_and_convnext_have_their_gradient, inception_has_its_sizes, NULL });
}
