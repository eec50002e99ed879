/* The convolutional layers and the classifier, in double:
 *   a convolution is the sum that its definition says, for kernels, strides and zeros of many kinds, to 1e-13;
 *   it is linear in x and in its kernel, and both backward functions are its adjoints, to 1e-12;
 *   the pool is the maximum that it says, and hands each gradient to one pixel;
 *   the classifier's gradient is that of its loss, against differences, to 1e-6 (steps of 1e-8, so that no maximum changes). */
#include "src/vision/classifier.h"
#include "src/vision/convolution.h"
#include "src/vision/pool.h"
#include "tests/laws.h"

static const double limit_sum = 1e-13, limit_adjoint = 1e-12, limit_difference = 1e-6;

/* H W I O kh kw s ph pw */
static const struct convolution kinds[] = {
  { .H = 7, 5, 3, 4, 3, 3, 1, 1, 1 }, { .H = 9, 8, 2, 5, 3, 3, 2, 1, 1 }, { .H = 6, 9, 4, 3, 1, 7, 1, 0, 3 },
  { .H = 9, 6, 4, 3, 7, 1, 1, 3, 0 }, { .H = 8, 8, 3, 6, 4, 4, 4, 0, 0 }, { .H = 5, 4, 6, 7, 1, 1, 1, 0, 0 },
  { .H = 11, 10, 1, 2, 5, 5, 3, 2, 2 }, { .H = 2, 3, 2, 2, 7, 7, 1, 3, 3 }, { .H = 4, 4, 2, 3, 3, 3, 1, 0, 0 },
  { .H = 40, 40, 30, 2, 5, 5, 1, 2, 2 },   /* more than one tile */
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Arrays of a convolution, random, and as many of what its functions write, which begins random too where they add. */
struct trial {
  struct convolution l;
  size_t rows, columns, nx, ny, nk;
  real *x, *x_dot, *k, *k_dot, *bias, *y, *y_dot, *y_bar, *x_bar, *k_bar, *b_bar, *work;
};
static struct trial new_trial(const struct convolution *kind) {
  struct trial t = { .l = *kind, .rows = convolution_rows(kind), .columns = convolution_columns(kind) };
  t.nx = kind->H * kind->W * kind->I;
  t.ny = t.rows * t.columns * kind->O;
  t.nk = kind->O * kind->kh * kind->kw * kind->I;
  real **const arrays[] = { &t.x, &t.x_dot, &t.k, &t.k_dot, &t.bias, &t.y, &t.y_dot, &t.y_bar, &t.x_bar, &t.k_bar, &t.b_bar };
  const size_t sizes[] = { t.nx, t.nx, t.nk, t.nk, kind->O, t.ny, t.ny, t.ny, t.nx, t.nk, kind->O };
  for (uint32_t i = 0; i < sizeof arrays / sizeof *arrays; i++) *arrays[i] = new_normal(20 + i, sizes[i]);
  t.work = new_normal(19, convolution_work(kind));
  t.l.kernel = t.k;
  t.l.bias = t.bias;
  return t;
}
static void free_trial(struct trial *t) {
  free(t->x), free(t->x_dot), free(t->k), free(t->k_dot), free(t->bias), free(t->y), free(t->y_dot), free(t->y_bar);
  free(t->x_bar), free(t->k_bar), free(t->b_bar), free(t->work);
}

/* Rows and columns count from the first zero. */
static double pixel(const struct convolution *l, const real *x, size_t row, size_t column, size_t c) {
  if (row < l->ph || row >= l->ph + l->H || column < l->pw || column >= l->pw + l->W) return 0;
  return (double)x[((row - l->ph) * l->W + column - l->pw) * l->I + c];
}

/* The definition, with torch's w[O,I,kh,kw]. */
static double value(const struct convolution *l, const real *w, const real *x, size_t i, size_t j, size_t o) {
  double sum = (double)l->bias[o];
  for (size_t c = 0; c < l->I; c++)
    for (size_t u = 0; u < l->kh; u++)
      for (size_t v = 0; v < l->kw; v++)
        sum += (double)w[((o * l->I + c) * l->kh + u) * l->kw + v] * pixel(l, x, i * l->s + u, j * l->s + v, c);
  return sum;
}

START_TEST(a_convolution_is_the_sum_that_defines_it) {
  static const size_t expected[KINDS][2] = { { 7, 5 }, { 5, 4 }, { 6, 9 }, { 9, 6 }, { 2, 2 }, { 5, 4 }, { 4, 4 }, { 2, 3 },
                                             { 2, 2 }, { 40, 40 } };
  for (int kind = 0; kind < KINDS; kind++) {
    struct trial t = new_trial(&kinds[kind]);
    real *plain = new_zeros(t.ny), *w = new_normal(5, t.nk), *back = new_zeros(t.nk);
    ck_assert_uint_eq(t.rows, expected[kind][0]);
    ck_assert_uint_eq(t.columns, expected[kind][1]);
    convolution_pack(&t.l, w, t.k);
    convolution_unpack(&t.l, t.k, back);
    convolution_unpack(&t.l, t.k, back);   /* it adds */
    for (size_t i = 0; i < t.nk; i++) back[i] -= 2 * w[i];
    ck_assert_double_eq(max_abs(t.nk, back), 0);
    for (size_t i = 0; i < t.ny; i++)
      plain[i] = (real)value(&t.l, w, t.x, i / t.l.O / t.columns, i / t.l.O % t.columns, i % t.l.O);
    convolution_forward(&t.l, t.x, t.y, t.work);
    ck_assert_double_lt(relative_error(t.ny, t.y, plain), limit_sum);
    t.l.bias = NULL;
    convolution_forward(&t.l, t.x, t.y_dot, t.work);
    for (size_t i = 0; i < t.ny; i++) plain[i] -= t.bias[i % t.l.O];
    ck_assert_double_lt(relative_error(t.ny, t.y_dot, plain), limit_sum);
    free(plain), free(w), free(back);
    free_trial(&t);
  }
} END_TEST

/* |<y_bar, y_dot> - what comes back| against |y_bar| |y_dot| */
static double gap(const struct trial *t, double back) {
  const double scale = sqrt(dot(t->ny, t->y_bar, t->y_bar) * dot(t->ny, t->y_dot, t->y_dot));
  return fabs(dot(t->ny, t->y_bar, t->y_dot) - back) / scale;
}

START_TEST(backward_functions_are_adjoints) {
  for (int kind = 0; kind < KINDS; kind++) {
    struct trial t = new_trial(&kinds[kind]);
    const size_t O = t.l.O;
    const double before_x = dot(t.nx, t.x_bar, t.x_dot), before_k = dot(t.nk, t.k_bar, t.k_dot);
    t.l.bias = NULL;
    convolution_forward(&t.l, t.x_dot, t.y_dot, t.work);
    convolution_backward(&t.l, t.y_bar, t.x_bar, t.work);
    ck_assert_double_lt(gap(&t, dot(t.nx, t.x_bar, t.x_dot) - before_x), limit_adjoint);
    t.l.kernel = t.k_dot;
    convolution_forward(&t.l, t.x, t.y_dot, t.work);
    real *kept = new_zeros(O);
    memcpy(kept, t.b_bar, O * sizeof *kept);
    convolution_backward_kernel(&t.l, t.x, t.y_bar, t.k_bar, t.b_bar, t.work);
    ck_assert_double_lt(gap(&t, dot(t.nk, t.k_bar, t.k_dot) - before_k), limit_adjoint);
    for (size_t i = 0; i < t.ny; i++) kept[i % O] += t.y_bar[i];
    ck_assert_double_lt(relative_error(O, t.b_bar, kept), limit_adjoint);
    free(kept);
    free_trial(&t);
  }
} END_TEST

START_TEST(a_pool_takes_the_maximum_and_gives_it_back) {
  static const struct pool pools[] = { { 6, 8, 5 }, { 7, 5, 3 }, { 2, 2, 1 }, { 3, 2, 33 } };
  for (int k = 0; k < 4; k++) {
    const struct pool l = pools[k];
    const size_t H = l.H / 2, W = l.W / 2, C = l.C, nx = l.H * l.W * C, ny = H * W * C;
    real *x = new_normal(1, nx), *y = new_normal(2, ny), *y_bar = new_normal(3, ny), *x_bar = new_normal(4, nx);
    uint8_t *from = calloc(ny, 1);
    pool_forward(&l, x, y, from);
    pool_backward(&l, from, y_bar, x_bar);
    for (size_t i = 0; i < l.H; i++)
      for (size_t j = 0; j < l.W; j++)
        for (size_t c = 0; c < C; c++) {   /* a pixel has the gradient where it is the maximum */
          const size_t at = (i * l.W + j) * C + c;
          const int inside = i / 2 < H && j / 2 < W;
          const size_t to = inside ? (i / 2 * W + j / 2) * C + c : 0;
          ck_assert(!inside || y[to] >= x[at]);
          ck_assert(!inside || y[to] >= 0);
          ck_assert_double_eq(x_bar[at], inside && x[at] > 0 && x[at] == y[to] ? y_bar[to] : 0);
        }
    double taken = 0, found = 0;
    for (size_t i = 0; i < ny; i++) taken += y[i] > 0 ? y_bar[i] : 0;
    for (size_t i = 0; i < nx; i++) found += x_bar[i];
    ck_assert_double_lt(fabs(taken - found), 1e-12);
    free(x), free(y), free(y_bar), free(x_bar), free(from);
  }
} END_TEST

/* Two equal maxima: the first has the gradient, and once. */
START_TEST(of_equal_pixels_one_has_the_gradient) {
  const struct pool l = { 2, 2, 1 };
  const real x[4] = { 1, 2, 2, 2 }, y_bar = 3;
  real y, x_bar[4];
  uint8_t from;
  pool_forward(&l, x, &y, &from);
  pool_backward(&l, &from, &y_bar, x_bar);
  ck_assert_double_eq(y, 2);
  ck_assert_double_eq(x_bar[1], 3);
  ck_assert_double_eq(x_bar[0] + x_bar[1] + x_bar[2] + x_bar[3], 3);
} END_TEST

enum { CLASSES = 3, BATCH = 5 };
struct judge {
  struct classifier c;
  struct classifier_work w;
  struct arena arena;
  real *images, *weights, *moved, *direction, *features, *logits, *grads;
  int32_t labels[BATCH];
};
static void make_judge(struct judge *j, size_t size, size_t channels) {
  *j = (struct judge){ .labels = { 0, 2, 1, 1, 0 } };
  if (classifier_init(&j->c, size, channels, CLASSES)) abort();
  classifier_layout(&j->arena, &j->c, BATCH, 1, &j->w);
  if (arena_init(&j->arena)) abort();
  classifier_layout(&j->arena, &j->c, BATCH, 1, &j->w);
  const size_t n = j->c.table.size;
  j->images = new_normal(1, BATCH * size * size * channels);
  j->weights = new_zeros(n), j->moved = new_zeros(n), j->direction = new_zeros(n), j->grads = new_normal(9, n);
  j->features = new_zeros(BATCH * CLASSIFIER_FEATURES), j->logits = new_zeros(BATCH * CLASSES);
  fill_weights(30, &j->c.table, j->weights);
}
static void free_judge(struct judge *j) {
  free(j->images), free(j->weights), free(j->moved), free(j->direction), free(j->grads), free(j->features), free(j->logits);
  classifier_free(&j->c);
  arena_free(&j->arena);
}

/* -sum_b log softmax(logits)[label], by the book. */
static double loss_of(struct judge *j, const real *weights) {
  double loss = 0;
  classifier_forward(&j->c, weights, &j->w, BATCH, j->images, j->features, j->logits);
  for (size_t b = 0; b < BATCH; b++) {
    double sum = 0;
    for (size_t k = 0; k < CLASSES; k++) sum += exp((double)j->logits[b * CLASSES + k]);
    loss -= log(exp((double)j->logits[b * CLASSES + (size_t)j->labels[b]]) / sum);
  }
  return loss;
}
static void along(void *context, double s, real *y) {
  struct judge *j = context;
  move(j->c.table.size, j->weights, s, j->direction, j->moved);
  *y = (real)loss_of(j, j->moved);
}

START_TEST(the_classifiers_gradient_is_that_of_its_loss) {
  static const size_t shapes[][2] = { { 8, 1 }, { 28, 1 }, { 19, 3 }, { 34, 2 } };
  for (int k = 0; k < 4; k++) {
    struct judge j;
    make_judge(&j, shapes[k][0], shapes[k][1]);
    const size_t n = j.c.table.size;
    real *before = new_zeros(n);
    memcpy(before, j.grads, n * sizeof *before);
    const double loss = loss_of(&j, j.weights);
    const double same = classifier_backward(&j.c, j.weights, &j.w, BATCH, j.logits, j.labels, j.grads);
    ck_assert_double_lt(fabs(same - loss) / loss, 1e-13);
    for (size_t i = 0; i < j.c.table.count; i++) {   /* along a random direction of each tensor */
      const struct tensor *t = &j.c.table.tensors[i];
      real numeric, *g = j.grads + t->offset;
      memset(j.direction, 0, n * sizeof *j.direction);
      fill_normal(50 + (uint32_t)i, t->size, j.direction + t->offset);
      differentiate(along, &j, 1e-8, 1, &numeric);
      const real *d = j.direction + t->offset;
      for (size_t m = 0; m < t->size; m++) g[m] -= before[t->offset + m];
      const double scale = sqrt(dot(t->size, g, g) * dot(t->size, d, d)), gap = fabs(dot(t->size, g, d) - (double)numeric);
      ck_assert_double_gt(scale, 0);
      ck_assert_msg(gap / scale < limit_difference, "%s at %zu: %.12g of %.12g", t->name, shapes[k][0], gap, scale);
    }
    free(before);
    free_judge(&j);
  }
} END_TEST

int main(void) {
  return run_tests("vision",
                   (const TTest *[]){ a_convolution_is_the_sum_that_defines_it, backward_functions_are_adjoints,
                                      a_pool_takes_the_maximum_and_gives_it_back, of_equal_pixels_one_has_the_gradient,
                                      the_classifiers_gradient_is_that_of_its_loss, NULL });
}
