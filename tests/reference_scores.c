/* The scores of features that the file holds: each that it names, from what that one needs. */
#include <math.h>
#include <stdlib.h>

#include "src/base/status.h"
#include "src/score/frechet.h"
#include "src/score/inception_score.h"
#include "src/score/kernel.h"
#include "tests/reference.h"

/* Does the group name this score? */
static int names(struct reference *r, const char *group, const char *score) {
  return reference_has(r, reference_path(r, "%s@%s", group, score)) || reference_has(r, reference_path(r, "%s/%s", group, score));
}

/* At least `rows` rows of D features (0: any); NULL, counted as a failure. */
static const struct array *matrix(struct reference *r, const char *group, const char *name, size_t rows, size_t D) {
  const char *full = reference_path(r, "%s/%s", group, name);
  const struct array *a = reference_read(r, full);
  if (a && a->shape.rank == 2 && a->shape.dims[0] >= rows && a->shape.dims[1] && (!D || a->shape.dims[1] == D)) return a;
  if (a) reference_fail(r, full, "is no matrix of features, too small, or of another width");
  return NULL;
}

/* The moments of the first n rows of x[.,D]; the caller frees mean, in which S lies. */
static struct moments moments_of(size_t n, size_t D, const float *x) {
  struct moments m = { .D = D, .mean = calloc(D + D * D, sizeof *m.mean) };
  double *scratch = malloc((n * D + D * D + D) * sizeof *scratch);
  if (!m.mean || !scratch) abort();
  m.S = m.mean + D;
  moments_add(&m, n, x, scratch);
  free(scratch);
  return m;
}

/* rows: of b, the first so many; 0 for all. */
static void compare_frechet(struct reference *r, const char *group, const char *name, size_t rows) {
  if (!names(r, group, name)) return;
  const struct array *a = matrix(r, group, "a", 2, 0);
  const struct array *b = a ? matrix(r, group, "b", rows ? rows : 2, a->shape.dims[1]) : NULL;
  if (!b) return;
  struct moments p = moments_of(a->shape.dims[0], a->shape.dims[1], a->single);
  struct moments q = moments_of(rows ? rows : b->shape.dims[0], b->shape.dims[1], b->single);
  double distance = NAN;
  if (frechet_distance(&p, &q, &distance)) reference_fail(r, reference_path(r, "%s@%s", group, name), status_reason());
  else reference_compare_number(r, group, name, distance, limit_value);
  free(p.mean), free(q.mean);
}

static void compare_kernel(struct reference *r, const char *group) {
  if (!names(r, group, "kid_unbiased_all")) return;
  const struct array *a = matrix(r, group, "a", 2, 0), *b = a ? matrix(r, group, "b", 2, a->shape.dims[1]) : NULL;
  if (!b) return;
  const size_t D = a->shape.dims[1], n = a->shape.dims[0], m = b->shape.dims[0];
  double *scratch = malloc(KERNEL_TILE * (2 * D + KERNEL_TILE) * sizeof *scratch);
  if (!scratch) abort();
  const double xx = kernel_sum(D, n, a->single, n, a->single, scratch), yy = kernel_sum(D, m, b->single, m, b->single, scratch),
               xy = kernel_sum(D, n, a->single, m, b->single, scratch);
  free(scratch);
  const double distance = kernel_distance(n, xx, kernel_diagonal(D, n, a->single), m, yy, kernel_diagonal(D, m, b->single), xy);
  reference_compare_number(r, group, "kid_unbiased_all", distance, limit_value);
}

static void compare_inception_score(struct reference *r, const char *group) {
  if (!names(r, group, "is_mean_10_splits_in_order") && !names(r, group, "is_std")) return;
  const struct array *logits = matrix(r, group, "logits", INCEPTION_SCORE_SPLITS, 0);
  if (!logits) return;
  double *scratch = malloc((logits->shape.dims[1] + 2) * sizeof *scratch), mean, deviation;
  if (!scratch) abort();
  if (inception_score(logits->shape.dims[0], logits->shape.dims[1], logits->single, scratch, &mean, &deviation))
    reference_fail(r, reference_path(r, "%s/logits", group), status_reason());
  else {
    reference_compare_number(r, group, "is_mean_10_splits_in_order", mean, limit_value);
    reference_compare_number(r, group, "is_std", deviation, limit_value);
  }
  free(scratch);
}

void reference_scores(struct reference *r) {
  static const char *const inputs[] = { "a", "b", "logits" };
  for (size_t i = 0; i < r->n_groups; i++) {
    const char *group = r->groups[i];
    if (!reference_kind(r, group, "scores")) continue;
    for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++) reference_use(r, reference_path(r, "%s/%s", group, inputs[k]));
    compare_frechet(r, group, "fid", 0);
    compare_frechet(r, group, "fid_a_first_10_of_b", 10);
    compare_kernel(r, group);
    compare_inception_score(r, group);
  }
}
