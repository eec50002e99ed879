/* evaluator.h - classifiers trained once on a packed training split, kept in a file beside it (classifier_file.h), then only read.
 * Which of them a run may be scored by is judge.h's to say:
 *   EVALUATOR_JUDGE  judges; 3x3 kernels, seed 1, all training images              data.classifier.h5
 *   EVALUATOR_LOSS   a loss looks through it; 5x5 kernels, other widths, seed 2, one half of them (dataset_half)   data.loss.h5
 *   EVALUATOR_HALF   judges runs with such a loss: as the first, but the other half, no image of which the loss's has seen
 *                                                                                  data.judge.h5
 * Memory: evaluator_close frees all; harmless on a zeroed one. */
#ifndef JOBS_EVALUATOR_H
#define JOBS_EVALUATOR_H
#include "io/classifier_file.h"
#include "io/dataset.h"
#include "mpi/world.h"
#include "src/vision/classifier.h"

enum { EVALUATOR_CHUNK = 64 };   /* images at once, padded: an image's features do not depend on who computes them */

enum evaluator_role { EVALUATOR_JUDGE, EVALUATOR_LOSS, EVALUATOR_HALF };
struct evaluator {
  enum evaluator_role role;
  struct classifier net;
  struct arena arena;
  real *weights, *images, *features, *logits;
  struct classifier_work work;
  double accuracy;               /* on held-out images, 0..1 */
  char hash[CLASSIFIER_HASH];    /* XXH64 of the weights, 16 hexadecimal digits: names this evaluator in every output */
  uint64_t seed;                 /* of its first weights and of the order of its images */
};
/* COLLECTIVE. Reads `path`; where it is not there trains one on the role's part of d's training split, all ranks together, says so
 * (rank 0, standard error: a line before and one after), and saves it there. Warns where it is too weak to judge. After an error it
 * is closed. Errors: STATUS_BAD: the file is cut, damaged or another's (role, sizes, classes, trained on other images), or the data
 * has no held-out images or fewer than two classes; STATUS_DIVERGED: training ended in no numbers; STATUS_IO, STATUS_NOMEM. */
int evaluator_open(struct evaluator *e, enum evaluator_role role, const struct world *w, const struct dataset *d,
                   const char *path, int quiet);
/* What its arena takes, in numbers of `real`, and besides it while it is trained, on the rank with the most images; 0 where there is
 * no classifier for such images. Local. */
size_t evaluator_count(enum evaluator_role role, size_t size, size_t channels, size_t classes);
size_t evaluator_learns_count(enum evaluator_role role, size_t size, size_t channels, size_t classes, int ranks);
/* The usual place: data.h5 -> data.classifier.h5, data.loss.h5, data.judge.h5. */
void evaluator_path(const char *data, enum evaluator_role role, char *path, size_t n);
/* The images it was trained on, for people: "all training images", "the first half of the training images", ... */
const char *evaluator_trained_on(enum evaluator_role role);
/* features[n,CLASSIFIER_FEATURES] and class[n] (the largest logit) of n images u8[n,H,W,C]; NULL: not wanted. Local. */
void evaluator_features(const struct evaluator *e, size_t n, const uint8_t *u8, float *features, int32_t *class);
void evaluator_close(struct evaluator *e);
#endif
