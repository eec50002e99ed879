/* The scores that papers name, by another extractor in Inception's place: FID and its limit against the plain way; a second reference
 * gives what it would give alone. */
#define HARNESS_MPI
#include "jobs/standard.h"
#include "mpi/agree.h"
#include "src/score/frechet.h"
#include "src/score/limit.h"
#include "tests/harness.h"
#include "tests/tiny.h"

enum { PIXELS = 16 * 16 * 3 };

/* Few features of an image's bytes, in Inception's place: enough images for the limit then. */
enum { FEW_FEATURES = 24, FEW_LOGITS = 7 };
static void few_features(void *context, int reference, size_t n, const uint8_t *u8, float *x, float *logits) {
  (void)context, (void)reference;
  for (size_t i = 0; i < n; i++) {
    const uint8_t *image = u8 + i * PIXELS;
    for (size_t j = 0; j < FEW_FEATURES; j++) x[i * FEW_FEATURES + j] = (float)(image[j] + 2 * image[j + 1] % 97) / 64;
    for (size_t j = 0; j < FEW_LOGITS; j++) logits[i * FEW_LOGITS + j] = (float)(image[40 + j] / 100.0);
  }
}

/* The features of the first n images. */
static float *few_features_of(const struct source *source, size_t n) {
  uint8_t *u8 = calloc(n, PIXELS);
  int32_t *labels = calloc(n, sizeof *labels);
  float *x = new_zeros(n * FEW_FEATURES), *logits = new_zeros(n * FEW_LOGITS);
  tiny_must(source->make(source->context, 0, n, u8, labels));
  few_features(NULL, 0, n, u8, x, logits);
  free(u8), free(labels), free(logits);
  return x;
}

static struct moments few_moments(size_t n, const float *x) {
  struct moments m = { FEW_FEATURES, 0, calloc(FEW_FEATURES, sizeof(double)), calloc(FEW_FEATURES * FEW_FEATURES, sizeof(double)) };
  double *scratch = calloc(n * FEW_FEATURES + FEW_FEATURES * (FEW_FEATURES + 1), sizeof *scratch);
  moments_add(&m, n, x, scratch);
  free(scratch);
  return m;
}

/* FID and the limit that infinitely many images would have, from prefixes of whole chunks, against the plain way. */
START_TEST(the_limit_is_a_line_through_prefixes) {
  enum { N = 64 * 13 + 5, M = 150, CHUNKS = 14 };
  const struct noise_images noise = { 5, PIXELS }, other = { 6, PIXELS };
  const struct source images = source_noise(&noise), reference = source_noise(&other);
  struct standard s = { .w = &world, .extractor = { FEW_FEATURES, FEW_LOGITS, few_features, NULL } };
  struct standard_score score;
  s.scorer = (struct scorer){ .w = &world, .extractor = &s.extractor, .pixels = PIXELS, .most = { M, N } };
  tiny_must(scorer_init(&s.scorer));
  tiny_must(standard_reference(&s, &reference, M));
  tiny_must(standard_score(&s, &images, N, &score));
  scorer_free(&s.scorer);

  float *x = few_features_of(&images, N), *y = few_features_of(&reference, M);
  struct moments b = few_moments(M, y);
  double n[LIMIT_POINTS], fid[LIMIT_POINTS];
  for (int i = 0; i < LIMIT_POINTS; i++) {
    const size_t images_in = limit_part(CHUNKS, i) * EVALUATOR_CHUNK;
    n[i] = (double)(images_in < N ? images_in : N);
    struct moments a = few_moments((size_t)n[i], x);
    tiny_must(frechet_distance(&a, &b, &fid[i]));
    free(a.mean), free(a.S);
  }
  const double limit = limit_of(n, fid), last = fid[LIMIT_POINTS - 1];
  free(x), free(y), free(b.mean), free(b.S);
  ck_assert_msg(!agree_any(world.comm, fabs(score.fid / last - 1) > 1e-9 || fabs(score.fid_infinite / limit - 1) > 1e-9),
                "%g and %g, by the plain way %g and %g", score.fid, score.fid_infinite, last, limit);
  ck_assert_double_lt(limit, last);   /* few images make the distance too large */
} END_TEST

/* FID and KID of N images against references of M and m, where either, both or none have more images than features. */
static int wrong_second(size_t N, size_t M, size_t m) {
  const struct noise_images noise[] = { { 5, PIXELS }, { 6, PIXELS }, { 7, PIXELS } };
  const struct source images = source_noise(&noise[0]), one = source_noise(&noise[1]), two = source_noise(&noise[2]);
  struct standard s = { .w = &world, .extractor = { FEW_FEATURES, FEW_LOGITS, few_features, NULL } };
  struct standard_score first, second, alone;
  s.scorer = (struct scorer){ .w = &world, .extractor = &s.extractor, .pixels = PIXELS, .most = { M > m ? M : m, N, m } };
  tiny_must(scorer_init(&s.scorer));
  tiny_must(standard_reference(&s, &one, M));
  tiny_must(standard_second(&s, &two, m));
  tiny_must(standard_score(&s, &images, N, &first));
  tiny_must(standard_score_second(&s, &second));
  tiny_must(standard_reference(&s, &two, m));
  tiny_must(standard_score(&s, &images, N, &alone));
  scorer_free(&s.scorer);
  return second.fid != alone.fid || second.kid != alone.kid || second.n != N || second.reference != m || second.fid == first.fid;
}

START_TEST(standard_scores_know_a_second_reference) {
  const size_t many = FEW_FEATURES + 70, few = FEW_FEATURES - 1;
  const size_t sets[][3] = { { many, many, many }, { few, many, few }, { few, few, many }, { few, few, few }, { many, few, few } };
  for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
    ck_assert_msg(!agree_any(world.comm, wrong_second(sets[k][0], sets[k][1], sets[k][2])), "case %zu", k);
} END_TEST

/* A reference that is no covariance: the mass of its negative eigenvalues is told on all ranks; of images it is rounding. */
START_TEST(the_clipped_mass_is_told) {
  enum { N = 64 * 2 + 5 };
  const struct noise_images noise = { 5, PIXELS };
  const struct source images = source_noise(&noise);
  struct standard s = { .w = &world, .extractor = { FEW_FEATURES, FEW_LOGITS, few_features, NULL } };
  struct standard_score score, same;
  s.scorer = (struct scorer){ .w = &world, .extractor = &s.extractor, .pixels = PIXELS, .most = { N, N } };
  tiny_must(scorer_init(&s.scorer));
  tiny_must(standard_reference(&s, &images, N));
  tiny_must(standard_score(&s, &images, N, &same));
  float *x = few_features_of(&images, N);
  struct moments a = few_moments(N, x), b = few_moments(N, x);
  double fid, clipped;
  for (size_t j = 0; j < FEW_FEATURES; j++)
    for (size_t k = 0; k < FEW_FEATURES; k++) b.S[j * FEW_FEATURES + k] = j != k ? 0 : j < 4 ? -b.n / 2 : b.n;
  tiny_must(frechet_distance_clipped(&a, &b, &fid, &clipped));
  s.statistics = b;
  tiny_must(standard_score(&s, &images, N, &score));
  scorer_free(&s.scorer);
  free(x), free(a.mean), free(a.S), free(b.mean), free(b.S);
  ck_assert_msg(!agree_any(world.comm, fabs(score.clipped / clipped - 1) > 1e-9 || fabs(score.fid / fid - 1) > 1e-9),
                "%g and %g, by the plain way %g and %g", score.fid, score.clipped, fid, clipped);
  ck_assert(fid > 0 && clipped > 1e-3);
  ck_assert(!agree_any(world.comm, !(same.clipped >= 0 && same.clipped < 1e-12)));
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "standard",
                       (const TTest *[]){ the_limit_is_a_line_through_prefixes, the_clipped_mass_is_told,
                                          standard_scores_know_a_second_reference, NULL });
}
