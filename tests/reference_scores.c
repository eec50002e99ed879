/* The scores of features that the file holds. */
#include <math.h>
#include <stdlib.h>

#include "src/base/status.h"
#include "src/score/frechet.h"
#include "src/score/inception_score.h"
#include "src/score/kernel.h"
#include "tests/reference.h"

/* Their inputs are given to the bit, all else is in double; where images are fewer than features the stored distance has the
 * error of a root of squared rounding, which frechet.h avoids: it lies 1e-8 from that of the images' own singular values. */
static const double limit_score = 1e-9, limit_thin = 1e-7;

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

static void compare_frechet(struct reference *r, const char *name, const struct array *a, const struct array *b, size_t rows,
                            double limit) {
  struct moments p = moments_of(a->dims[0], a->dims[1], a->single), q = moments_of(rows, b->dims[1], b->single);
  double distance = NAN;
  if (frechet_distance(&p, &q, &distance)) reference_fail(r, name, status_reason());
  else reference_compare_attribute(r, "scores", name, distance, limit);
  free(p.mean), free(q.mean);
}

static void compare_kernel(struct reference *r, const struct array *a, const struct array *b) {
  const size_t D = a->dims[1], n = a->dims[0], m = b->dims[0];
  double *scratch = malloc(KERNEL_TILE * (2 * D + KERNEL_TILE) * sizeof *scratch);
  if (!scratch) abort();
  const double xx = kernel_sum(D, n, a->single, n, a->single, scratch), yy = kernel_sum(D, m, b->single, m, b->single, scratch),
               xy = kernel_sum(D, n, a->single, m, b->single, scratch);
  free(scratch);
  const double distance = kernel_distance(n, xx, kernel_diagonal(D, n, a->single), m, yy, kernel_diagonal(D, m, b->single), xy);
  reference_compare_attribute(r, "scores", "kid_unbiased_all", distance, limit_score);
}

static void compare_inception_score(struct reference *r, const struct array *logits) {
  double *scratch = malloc((logits->dims[1] + 2) * sizeof *scratch), mean, deviation;
  if (!scratch) abort();
  if (inception_score(logits->dims[0], logits->dims[1], logits->single, scratch, &mean, &deviation))
    reference_fail(r, "scores/logits", status_reason());
  else {
    reference_compare_attribute(r, "scores", "is_mean_10_splits_in_order", mean, limit_score);
    reference_compare_attribute(r, "scores", "is_std", deviation, limit_score);
  }
  free(scratch);
}

static void check_scores(struct reference *r) {
  const struct array *a = reference_read(r, "scores/a"), *b = reference_read(r, "scores/b"),
                     *logits = reference_read(r, "scores/logits");
  if (!a || !b || !logits) return;
  if (a->rank != 2 || b->rank != 2 || logits->rank != 2 || a->dims[1] != b->dims[1] || a->dims[0] < 2 || b->dims[0] < 10) {
    reference_fail(r, "scores", "a, b and logits are not matrices that belong together");
    return;
  }
  compare_frechet(r, "fid", a, b, b->dims[0], limit_score);
  compare_frechet(r, "fid_a_first_10_of_b", a, b, 10, limit_thin);
  compare_kernel(r, a, b);
  compare_inception_score(r, logits);
}

void reference_scores(struct reference *r) {
  if (reference_wants(r, "scores/") && H5Lexists(r->file, "scores", H5P_DEFAULT) > 0) check_scores(r);
}
