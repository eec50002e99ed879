/* evaluator.h - the classifier that judges: trained once on a packed training split, kept in a file beside it
 * (classifier_file.h), then only read.
 * Memory: evaluator_close frees all; harmless on a zeroed one. */
#ifndef JOBS_EVALUATOR_H
#define JOBS_EVALUATOR_H
#include "io/classifier_file.h"
#include "io/dataset.h"
#include "mpi/world.h"
#include "src/vision/classifier.h"

enum { EVALUATOR_CHUNK = 64 };   /* images at once, padded: an image's features do not depend on who computes them */

struct evaluator {
  struct classifier net;
  struct arena arena;
  real *weights, *images, *features, *logits;
  struct classifier_work work;
  double accuracy;               /* on held-out images, 0..1 */
  char hash[CLASSIFIER_HASH];    /* XXH64 of the weights, 16 hexadecimal digits: names this evaluator in every output */
  int for_loss;                  /* not one that judges */
};
/* COLLECTIVE. Reads `path`; where it is not there trains one on d's training split, all ranks together, says so (rank 0,
 * standard error: a line before and one after), and saves it there. Warns where it is too weak to judge. After an error it is
 * closed. Errors: STATUS_BAD: the file is cut, damaged or another's (sizes, classes, trained on other images), or the data has
 * no held-out images or fewer than two classes; STATUS_DIVERGED: training ended in no numbers; STATUS_IO, STATUS_NOMEM. */
int evaluator_open(struct evaluator *e, const struct world *w, const struct dataset *d, const char *path, int quiet);
/* COLLECTIVE. The same for a classifier that a loss looks through: of another kind, with another seed, trained on every other
 * training image. No run may be scored by it. */
int evaluator_open_for_loss(struct evaluator *e, const struct world *w, const struct dataset *d, const char *path, int quiet);
/* What its arena takes, in numbers of `real`; 0 where there is no classifier for such images. Local. */
size_t evaluator_count(size_t size, size_t channels, size_t classes);
/* The usual place: data.h5 -> data.classifier.h5; for a loss data.loss.h5. */
void evaluator_path(const char *data, char *path, size_t n);
void evaluator_path_for_loss(const char *data, char *path, size_t n);
/* features[n,CLASSIFIER_FEATURES] and class[n] (the largest logit) of n images u8[n,H,W,C]; NULL: not wanted. Local. */
void evaluator_features(const struct evaluator *e, size_t n, const uint8_t *u8, float *features, int32_t *class);
void evaluator_close(struct evaluator *e);
#endif
