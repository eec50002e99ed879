/* evaluator_train.h - trains the evaluator's classifier on a packed training split: Adam, plain cross entropy, a cosine.
 * The same bits on any number of ranks: a batch is cut into shards of 16 images; a rank computes the gradients of its
 * shards, and every rank adds them up by the same halves.
 * Memory: its own, freed before it returns. */
#ifndef JOBS_EVALUATOR_TRAIN_H
#define JOBS_EVALUATOR_TRAIN_H
#include "io/dataset.h"
#include "mpi/world.h"
#include "src/vision/classifier.h"

/* Steps of a whole training on d, and how often it sees each image. */
size_t evaluator_train_steps(const struct dataset *d);
double evaluator_train_epochs(const struct dataset *d);
/* Numbers of `real` that it takes on the rank with the most images. Local. */
size_t evaluator_train_count(const struct classifier *net, int ranks);
/* COLLECTIVE. weights[net->table.size] become those after so many steps, equal on all ranks. show, on one rank: how far it is, on
 * standard error. Errors: STATUS_DIVERGED: they are no numbers; STATUS_SAVED: asked to stop (io/stop.h); STATUS_IO,
 * STATUS_NOMEM. */
int evaluator_train(const struct classifier *net, const struct world *w, const struct dataset *d, uint64_t seed,
                    size_t steps, real *weights, int show);
#endif
