/* inception_score.h - Inception Score (SPEC 10):
 *   exp(mean_i KL(p(y|x_i) || p(y))),    p(y|x) = softmax of the logits, p(y) its mean over the images,
 * for each of 10 splits floor(s n/10) .. floor((s+1) n/10)-1 in the order of the images. From 1 to K; high is good.
 * Source: Salimans et al., arXiv:1606.03498. Which logits: the caller's matter (of Inception's, those without the last bias).
 * Shapes: logits[n,K]; sums in double. Memory: scratch is the caller's. Ranks: local.
 * Errors: STATUS_BAD: fewer than 10 images, or a logit that is not finite; the results are then untouched. */
#ifndef SCORE_INCEPTION_SCORE_H
#define SCORE_INCEPTION_SCORE_H
#include <stddef.h>

enum { INCEPTION_SCORE_SPLITS = 10 };

/* One split, image by image: sums[2+K], zero at first, takes an image's logits z[K]. Parts of a split add up. */
void inception_score_add(size_t K, const float *z, double *sums);
/* exp(mean KL) of a split; NAN without images. */
double inception_score_of(size_t K, const double *sums);
/* Mean and deviation (divisor 10) over the splits. scratch: K + 2 doubles. */
int inception_score(size_t n, size_t K, const float *logits, double *scratch, double *mean, double *deviation);
#endif
