/* A crop of an image at another size:
 *   resample   image, crops (top left height width); for any N out_N, and image_bar_N, the gradients of <out_bar_N, out_N> for one
 *              out_bar_N[N,N,C] or one for each crop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/vision/resample.h"
#include "tests/reference.h"
#include "tests/reference_real.h"

static int whole(double x, double least, double most) { return x >= least && x <= most && x == (double)(size_t)x; }

static int inside(const struct array *image, const double *crop) {
  const double H = (double)image->shape.dims[0], W = (double)image->shape.dims[1];
  return whole(crop[2], 1, H) && whole(crop[3], 1, W) && whole(crop[0], 0, H - crop[2]) && whole(crop[1], 0, W - crop[3]);
}

/* Its numbers and how far apart those of two crops lie; NULL, counted as a failure. */
static const real *cotangent(struct reference *r, const char *name, size_t k, size_t n, size_t C, size_t *stride) {
  const struct shape one = SHAPE(n, n, C), each = SHAPE(k, n, n, C);
  const struct array *bar = reference_read(r, name);
  if (!bar) return NULL;
  const int single = shape_same(&bar->shape, &one);
  *stride = single ? 0 : n * n * C;
  if (!single && !shape_same(&bar->shape, &each)) return reference_fail(r, name, "has another shape than what it is of"), NULL;
  return real_numbers(bar);
}

/* One size N: the group's crops of the image, and their gradients. */
static void check_size(struct reference *r, const char *group, const struct array *image, const struct array *crops, size_t n) {
  const size_t H = image->shape.dims[0], W = image->shape.dims[1], C = image->shape.dims[2], k = crops->shape.dims[0];
  char out_n[500], bar_n[500], image_bar_n[500];
  snprintf(out_n, sizeof out_n, "%s/out_%zu", group, n);
  snprintf(bar_n, sizeof bar_n, "%s/out_bar_%zu", group, n);
  snprintf(image_bar_n, sizeof image_bar_n, "%s/image_bar_%zu", group, n);
  size_t stride = 0;
  const int gradient = reference_has(r, image_bar_n) || reference_has(r, bar_n);
  const real *bar = gradient ? cotangent(r, bar_n, k, n, C, &stride) : NULL;
  struct arena a = { 0 };
  struct resample l;
  resample_layout(&a, H, W, C, n, &l);
  if (arena_init(&a)) abort();
  resample_layout(&a, H, W, C, n, &l);
  real *out = real_zeros(k * n * n * C), *image_bar = real_zeros(k * image->count);
  for (size_t i = 0; i < k; i++) {
    const double *c = crops->value + 4 * i;
    resample_cubic(&l, (struct resample_crop){ (size_t)c[0], (size_t)c[1], (size_t)c[2], (size_t)c[3] });
    resample_forward(&l, real_numbers(image), out + i * n * n * C);
    if (bar) resample_backward(&l, bar + i * stride, image_bar + i * image->count);
  }
  reference_compare(r, out_n, out, SHAPE(k, n, n, C), k, limit_value);
  if (bar) reference_compare(r, image_bar_n, image_bar, SHAPE(k, H, W, C), k, limit_gradient);
  free(out), free(image_bar);
  arena_free(&a);
}

/* The N of a name GROUP/KIND<N>; else 0. */
static size_t number_of(struct reference *r, const char *name, const char *group, const char *kind) {
  const char *begin = reference_path(r, "%s/%s", group, kind);
  char *end;
  if (strncmp(name, begin, strlen(begin))) return 0;
  const unsigned long n = strtoul(name + strlen(begin), &end, 10);
  return *end ? 0 : n;
}

/* The N of out_N, or of image_bar_N where there is no out_N; else 0. */
static size_t size_of(struct reference *r, const char *group, const char *name) {
  const size_t out = number_of(r, name, group, "out_"), n = out ? out : number_of(r, name, group, "image_bar_");
  return out || !reference_has(r, reference_path(r, "%s/out_%zu", group, n)) ? n : 0;
}

static void check_resample(struct reference *r, const char *group) {
  const struct array *image = reference_read(r, reference_path(r, "%s/image", group));
  const struct array *crops = reference_read(r, reference_path(r, "%s/crops", group));
  if (!image || !crops) return;
  if (image->shape.rank != 3 || !image->count || crops->shape.rank != 2 || !crops->count || crops->shape.dims[1] != 4) {
    reference_fail(r, group, "image is not [H,W,C], or crops are not [n,4]");
    return;
  }
  for (size_t i = 0; i < crops->shape.dims[0]; i++)
    if (!inside(image, crops->value + 4 * i)) {
      reference_fail(r, reference_path(r, "%s/crops", group), "does not lie inside the image");
      return;
    }
  for (size_t i = 0; i < r->n_items; i++) {
    const size_t n = r->items[i].attribute ? 0 : size_of(r, group, r->items[i].name);
    if (n > 0 && n <= 4096) check_size(r, group, image, crops, n);
  }
}

void reference_resample(struct reference *r) {
  for (size_t i = 0; i < r->n_groups; i++)
    if (reference_kind(r, r->groups[i], "resample")) check_resample(r, r->groups[i]);
}
