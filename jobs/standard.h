/* standard.h - the scores that papers report, by FID's Inception: FID (and its limit for many images), Inception Score, KID with
 * its spread over subsets, precision and recall. Built on the parts of scores.h: every rank keeps the features of its own
 * chunks, what travels are moments, sums and one chunk at a time; the results are the same bits on any number of ranks.
 * Memory: arenas of its own, freed by standard_close; harmless on a zeroed one. */
#ifndef JOBS_STANDARD_H
#define JOBS_STANDARD_H
#include "io/network_file.h"
#include "jobs/scores.h"
#include "src/vision/inception.h"

struct standard {
  const struct world *w;
  struct inception net;
  struct network_facts facts;
  int standard_weights;              /* the file is that which FID is defined by */
  struct arena arena;
  real *weights;
  struct inception_work work[2];     /* images; reference */
  struct extractor extractor;
  struct scorer scorer;
  struct moments statistics;         /* of a reference without features, on rank 0; D = 0: there is none */
};
struct standard_score {
  size_t n, reference;               /* images on both sides; 0: only statistics are known of the reference */
  double fid, fid_infinite;          /* NAN: no such number */
  double kid, kid_deviation;
  size_t kid_subsets, kid_images;    /* how many subsets, of how many images each */
  double is, is_deviation, precision, recall;
  double clipped;                    /* of fid, as in frechet.h; 0 where the features themselves were enough */
};
/* COLLECTIVE. `path`: a network of kind inception. image and reference: height, width, channels of the images on both sides
 * (reference[0] = 0: none); most: how many at most, on both sides and in a second reference (0: there is none).
 * Errors: STATUS_BAD: no such file, or of another kind; STATUS_NOMEM. */
int standard_open(struct standard *s, const struct world *w, const char *path, const size_t image[3], const size_t reference[3],
                  const size_t most[3]);
void standard_close(struct standard *s);
/* COLLECTIVE. The features of the reference, of n >= 2 images. Errors: those of scorer_look. */
int standard_reference(struct standard *s, const struct source *source, size_t n);
/* Rank 0. mean[D] and covariance[D,D] of the reference just looked at. The caller frees *mean, behind which the covariance lies. */
int standard_statistics(const struct standard *s, double **mean);
/* COLLECTIVE. By the features of s->scorer, Inception's or (in tests) another extractor's. Errors: those of scorer_look and frechet_distance. */
int standard_score(struct standard *s, const struct source *source, size_t n, struct standard_score *score);
/* COLLECTIVE. A second reference of n >= 2 images, and against it FID and KID (no other number) of the images last scored, which
 * are not made again. Errors: as above. */
int standard_second(struct standard *s, const struct source *source, size_t n);
int standard_score_second(struct standard *s, struct standard_score *score);
#endif
