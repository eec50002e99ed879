/* What networks see in images: LPIPS and ConvNeXt distances with their gradients, Inception's features.
 *   lpips..., convnext...   x, y, distance, x_bar; convnext: attributes depths and dims, features_x
 *   inception          image_u8, resized (every 13th row and column), pool3, logits (with the last layer's bias)
 * The weights are those of formula.h.
 * The gradient of a network with ReLUs and maxima jumps where one of them changes sides, and of the millions in a picture of
 * 224 x 224 a few lie so near that float32 puts them on the other one: torch's float32 is 1.5e-2 away from its float64 there. So
 * where float32 misses such a gradient, it has to meet it for images a little aside or else tests/double_reference (this file, in
 * double) has to, and float32 must be near as a whole, in the mean square. */
#include <libgen.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/random.h"
#include "src/vision/convnext.h"
#include "src/vision/inception.h"
#include "src/vision/lpips.h"
#include "src/vision/resample.h"
#include "tests/formula.h"
#include "tests/reference.h"
#include "tests/reference_real.h"

/* "group/name" */
static const char *in(struct reference *r, const char *group, const char *name) { return reference_path(r, "%s/%s", group, name); }

/* ---- distances ---- */

struct names { struct reference *r; const struct table *table; size_t count; char *seen; };
static void known_name(void *context, const char *name) {
  struct names *n = context;
  if (formula_ends(name, "num_batches_tracked")) return;
  const struct tensor *t = table_find(n->table, name);
  n->count++;
  if (!t) reference_fail(n->r, name, "is no tensor of this network");
  else if (n->seen[t - n->table->tensors]++) reference_fail(n->r, name, "is named twice");
}
/* Where the group lists its tensors, they are this network's. */
static void check_names(struct reference *r, const char *group, const struct table *table) {
  struct names n = { r, table, 0, calloc(table->count, 1) };
  if (!n.seen) abort();
  reference_texts(r, in(r, group, "names"), NULL, known_name, &n);
  if (reference_has(r, in(r, group, "names")) && n.count != table->count)
    reference_fail(r, in(r, group, "names"), "are not as many as this network's");
  free(n.seen);
}

/* Whether tests/double_reference, beside this program, meets it. Names go by the environment: they may hold any letter. */
static int met_in_double(struct reference *r, const char *group) {
  char self[PATH_MAX], line[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  int met = 0;
  if (n < 0) return 0;
  self[n] = 0;
  const char *wanted = reference_path(r, "ok   %s %s ", r->name, in(r, group, "x_bar"));
  setenv("DOUBLE_REFERENCE", reference_path(r, "%s/double_reference", dirname(self)), 1);
  setenv("DOUBLE_WORD", reference_path(r, "%s:%s", r->path, group), 1);
  FILE *f = popen("exec \"$DOUBLE_REFERENCE\" \"$DOUBLE_WORD\"", "r");
  while (f && fgets(line, sizeof line, f)) met |= !strncmp(line, wanted, strlen(wanted));
  return f && !pclose(f) && met;
}

/* |mine - theirs| / |theirs|, the worst of the samples. */
static double distance_of(size_t B, size_t n, const real *mine, const real *theirs) {
  double worst = 0;
  for (size_t b = 0; b < B; b++) {
    double error = 0, scale = 0;
    for (size_t i = b * n; i < (b + 1) * n; i++) {
      error += ((double)mine[i] - (double)theirs[i]) * ((double)mine[i] - (double)theirs[i]);
      scale += (double)theirs[i] * (double)theirs[i];
    }
    worst = fmax(worst, isfinite(error) ? sqrt(error / scale) : INFINITY);
  }
  return worst;
}

/* What the gradient of pairs is computed from, and once more for images a little aside. */
struct pairs {
  const struct contrast *c;
  struct contrast_work *w;
  const real *weights, *x, *y;
  size_t B, count;
};

/* The error of the gradient where every number of x is moved by up to 3e-7 of itself. */
static double error_aside(const struct pairs *p, uint32_t seed, const struct array *theirs) {
  real *x = real_zeros(p->count), *x_bar = real_zeros(p->count), *distance = real_zeros(p->B);
  random_normal((struct purpose){ seed, STREAM_NOISE, 0, 0 }, p->count, x);
  for (size_t i = 0; i < p->count; i++) x[i] = p->x[i] * (real)(1 + 3e-7 * fmax(-1, fmin(1, (double)x[i])));
  contrast_distance(p->c, p->weights, p->w, p->B, x, p->y, distance, x_bar);
  const double error = reference_error(p->count, p->B, x_bar, theirs->single);
  free(x), free(x_bar), free(distance);
  return error;
}

/* A gradient that a ReLU or a maximum may make jump: where a number is 0 or two are equal but for rounding it has two values, of
 * which the file has one and kernels of OpenBLAS have this or that. It is met if it is so in double, or a little aside: a
 * wrong gradient stays wrong there. */
static void compare_gradient(struct reference *r, const char *group, const struct pairs *p, struct shape shape, const real *x_bar) {
  static const double limit_whole = 1e-2;
  enum { PLACES = 8 };
  char name[400];
  snprintf(name, sizeof name, "%s", in(r, group, "x_bar"));
  const struct array *a = reference_has(r, name) ? reference_read_as(r, name, shape) : NULL;
  if (!a) return;
  const double error = reference_error(p->count, p->B, x_bar, a->single);
  const double whole = error > limit_gradient ? distance_of(p->B, p->count / p->B, x_bar, real_numbers(a)) : 0;
  double aside = INFINITY;
  for (uint32_t k = 1; k <= PLACES && error > limit_gradient && whole <= limit_whole && aside > limit_gradient; k++)
    aside = fmin(aside, error_aside(p, k, a));
  const int in_double = aside > limit_gradient && error > limit_gradient && whole <= limit_whole && sizeof(real) == sizeof(float) &&
                        met_in_double(r, group);
  if (aside <= limit_gradient || in_double) {
    printf("ok   %s %-60s %.2e (%s within %.0e; as a whole %.2e, limit %.0e)\n", r->name, name, error,
           in_double ? "in double" : "3e-7 aside", limit_gradient, whole, limit_whole);
    r->passed++;
  } else {
    reference_compare(r, name, x_bar, shape, p->B, limit_gradient);
  }
}

/* Pairs one after the other, as many at once as there are threads. */
static void check_pairs(struct reference *r, const char *group, const struct contrast *c, const struct array *x,
                        const struct array *y) {
  const size_t B = x->shape.dims[0], D = graph_numbers(&c->graph, c->tap[c->taps - 1]);
  struct arena a = { 0 };
  struct contrast_work w;
  const int threads = omp_get_max_threads();
  contrast_layout(&a, c, threads, &w);
  if (arena_init(&a)) abort();
  contrast_layout(&a, c, threads, &w);
  real *weights = real_zeros(c->table.size), *distance = real_zeros(B), *x_bar = real_zeros(x->count);
  real *features = real_zeros(B * D);
  formula_weights(&c->table, weights);
  check_names(r, group, &c->table);
  if (contrast_prepare(c, weights)) abort();
  const struct pairs pairs = { c, &w, weights, real_numbers(x), real_numbers(y), B, x->count };
  contrast_distance(c, weights, &w, B, pairs.x, pairs.y, distance, x_bar);
  reference_compare(r, in(r, group, "distance"), distance, SHAPE(B), B, limit_value);
  compare_gradient(r, group, &pairs, x->shape, x_bar);
  if (reference_has(r, in(r, group, "features_x"))) {
    contrast_features(c, weights, &w, B, real_numbers(x), features);
    reference_compare(r, in(r, group, "features_x"), features, SHAPE(B, D), B, limit_value);
  }
  free(weights), free(distance), free(x_bar), free(features);
  arena_free(&a);
}

static int read_sizes(struct reference *r, const char *group, struct convnext_sizes *s) {
  double depths[CONVNEXT_STAGES], dims[CONVNEXT_STAGES];
  if (reference_numbers(r, group, "depths", CONVNEXT_STAGES, depths)) return 1;
  if (reference_numbers(r, group, "dims", CONVNEXT_STAGES, dims)) return 1;
  for (int i = 0; i < CONVNEXT_STAGES; i++) {
    if (!(depths[i] >= 1 && depths[i] < 1e3 && dims[i] >= 1 && dims[i] < 1e5))
      return reference_fail(r, group, "depths and dims make no network"), 1;
    s->depths[i] = (size_t)depths[i], s->dims[i] = (size_t)dims[i];
  }
  return 0;
}

/* Not empty, [B,H,W,C], each side at least so large. */
static int are_images(const struct array *a, size_t least) {
  return a->shape.rank == 4 && a->count && a->shape.dims[1] >= least && a->shape.dims[2] >= least;
}

static void check_distance(struct reference *r, const char *group, int lpips) {
  const struct array *x = reference_read(r, in(r, group, "x")), *y = x ? reference_read_as(r, in(r, group, "y"), x->shape) : NULL;
  struct convnext_sizes sizes;
  struct contrast c;
  if (!x || !y) return;
  if (!are_images(x, lpips ? LPIPS_SMALLEST : CONVNEXT_SMALLEST) || x->shape.dims[3] != 3) {
    reference_fail(r, group, "x and y are not images [B,H,W,3] for this network");
    return;
  }
  if (lpips) lpips_init(&c, x->shape.dims[1], x->shape.dims[2]);
  else if (read_sizes(r, group, &sizes)) return;
  else convnext_init(&c, &sizes, x->shape.dims[1], x->shape.dims[2]);
  check_pairs(r, group, &c, x, y);
  contrast_free(&c);
}

/* ---- inception ---- */

/* Every 13th row and column of the resized images. */
static void check_resized(struct reference *r, const char *group, const struct array *images) {
  enum { STEP = 13, SIDE = INCEPTION_SIDE, FEW = (SIDE + STEP - 1) / STEP };
  const size_t B = images->shape.dims[0], H = images->shape.dims[1], W = images->shape.dims[2], C = images->shape.dims[3];
  struct arena a = { 0 };
  struct resample l;
  resample_layout(&a, H, W, C, SIDE, &l);
  if (arena_init(&a)) abort();
  resample_layout(&a, H, W, C, SIDE, &l);
  resample_linear(&l);
  real *large = real_zeros(SIDE * SIDE * C), *few = real_zeros(B * FEW * FEW * C), *to = few;
  for (size_t b = 0; b < B; b++) {
    resample_forward(&l, real_numbers(images) + b * H * W * C, large);
    for (size_t i = 0; i < SIDE; i += STEP)
      for (size_t j = 0; j < SIDE; j += STEP, to += C) memcpy(to, large + (i * SIDE + j) * C, C * sizeof *to);
  }
  reference_compare(r, in(r, group, "resized"), few, SHAPE(B, FEW, FEW, C), B, limit_value);
  free(large), free(few);
  arena_free(&a);
}

static int are_bytes(const struct array *a) {
  for (size_t i = 0; i < a->count; i++)
    if (!(a->value[i] >= 0 && a->value[i] <= 255 && a->value[i] == (uint8_t)a->value[i])) return 0;
  return 1;
}

static void check_inception(struct reference *r, const char *group) {
  enum { F = INCEPTION_FEATURES, K = INCEPTION_LOGITS };
  const struct array *images = reference_read(r, in(r, group, "image_u8"));
  if (!images) return;
  if (!are_images(images, 1) || (images->shape.dims[3] != 3 && images->shape.dims[3] != 1) || !are_bytes(images)) {
    reference_fail(r, group, "image_u8 is not bytes [B,H,W,C]");
    return;
  }
  const size_t B = images->shape.dims[0], H = images->shape.dims[1], W = images->shape.dims[2], C = images->shape.dims[3];
  struct inception n;
  struct inception_work w;
  struct arena a = { 0 };
  inception_init(&n);
  inception_layout(&a, &n, H, W, C, omp_get_max_threads(), &w);
  if (arena_init(&a)) abort();
  inception_layout(&a, &n, H, W, C, omp_get_max_threads(), &w);
  inception_begin(&w);
  real *weights = real_zeros(n.table.size), *pool3 = real_zeros(B * F), *logits = real_zeros(B * K);
  uint8_t *u8 = malloc(images->count);
  if (!u8) abort();
  for (size_t i = 0; i < images->count; i++) u8[i] = (uint8_t)images->value[i];
  formula_weights(&n.table, weights);
  check_names(r, group, &n.table);
  if (inception_prepare(&n, weights)) abort();
  inception_features(&n, weights, &w, B, u8, pool3, logits);
  for (size_t i = 0; i < B * K; i++) logits[i] += weights[n.bias + i % K];
  check_resized(r, group, images);
  reference_compare(r, in(r, group, "pool3"), pool3, SHAPE(B, F), B, limit_value);
  reference_compare(r, in(r, group, "logits"), logits, SHAPE(B, K), B, limit_value);
  free(weights), free(pool3), free(logits), free(u8);
  inception_free(&n);
  arena_free(&a);
}

/* ---- the file's groups: any that begins so ---- */

void reference_vision(struct reference *r) {
  for (size_t i = 0; i < r->n_groups; i++) {
    const char *group = r->groups[i];
    if (!reference_wants(r, group) || reference_has(r, reference_path(r, "%s@target", group))) continue;
    if (!strncmp(group, "lpips", 5)) check_distance(r, group, 1);
    else if (!strncmp(group, "convnext", 8)) check_distance(r, group, 0);
    else if (!strncmp(group, "inception", 9)) check_inception(r, group);
  }
}
