#include "src/score/inception_score.h"

#include <math.h>
#include <string.h>

#include "src/base/status.h"

/* sum_k p_k log p_k of p = softmax(z), and marginal[K] += p. */
static double add_image(size_t K, const float *z, double *marginal) {
  double top = z[0], Z = 0, sum = 0;
  for (size_t k = 1; k < K; k++) top = fmax(top, z[k]);
  for (size_t k = 0; k < K; k++) Z += exp(z[k] - top);
  const double log_Z = log(Z);
  for (size_t k = 0; k < K; k++) {
    const double log_p = z[k] - top - log_Z, p = exp(log_p);
    marginal[k] += p;
    sum += p * log_p;
  }
  return sum;
}

void inception_score_add(size_t K, const float *z, double *sums) {
  sums[0] += 1;
  sums[1] += add_image(K, z, sums + 2);
}

/* mean_i KL(p_i || p) = mean_i sum_k p_ik log p_ik - sum_k p_k log p_k */
double inception_score_of(size_t K, const double *sums) {
  double sum = sums[1] / sums[0];
  for (size_t k = 0; k < K; k++) {
    const double p = sums[2 + k] / sums[0];
    if (p > 0) sum -= p * log(p);
  }
  return exp(sum);
}

int inception_score(size_t n, size_t K, const float *logits, double *scratch, double *mean, double *deviation) {
  enum { SPLITS = INCEPTION_SCORE_SPLITS };
  double score[SPLITS], average = 0, square = 0;
  if (n < SPLITS) return because(STATUS_BAD, "an Inception Score needs %d images or more, not %zu", SPLITS, n);
  for (size_t i = 0; i < n * K; i++)
    if (!isfinite(logits[i])) return because(STATUS_BAD, "logit %zu of image %zu is not finite", i % K, i / K);
  for (size_t s = 0; s < SPLITS; s++) {
    const size_t from = s * n / SPLITS, to = (s + 1) * n / SPLITS;
    memset(scratch, 0, (K + 2) * sizeof *scratch);
    for (size_t i = from; i < to; i++) inception_score_add(K, logits + i * K, scratch);
    score[s] = inception_score_of(K, scratch);
    average += score[s] / SPLITS;
  }
  for (size_t s = 0; s < SPLITS; s++) square += (score[s] - average) * (score[s] - average) / SPLITS;
  *mean = average;
  *deviation = sqrt(square);
  return STATUS_OK;
}
