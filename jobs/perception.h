/* perception.h - the networks of a training's perceptual terms, from the settings: imported ones (model.lpips_weights,
 * model.convnext_weights) at 224 x 224, or, where no file is named, a classifier that is trained on half of the training images
 * (EVALUATOR_LOSS), at their own size. Which it is stands in every description.
 * Memory: arenas of its own, freed by perception_close; harmless on a zeroed one. */
#ifndef JOBS_PERCEPTION_H
#define JOBS_PERCEPTION_H
#include "io/dataset.h"
#include "io/settings.h"
#include "mpi/world.h"
#include "src/flow/perceptual.h"

enum { PERCEPTION_SIDE = 224 };

struct perception {
  struct perceptual perceptual;              /* for objective_config, where `on` */
  int on;
  struct contrast contrast[PERCEPTUAL_TERMS];
  struct arena weights, work;
  char name[PERCEPTUAL_TERMS][256];          /* of each term's network, for people; "" without the term */
};
/* COLLECTIVE. For micro-batches of `micro` images. Rank 0 reads, all have. A classifier that is not there yet is trained (all ranks
 * together), unless `drawn`: then its weights are random, for measurements. Errors: STATUS_BAD: a file is missing, damaged or
 * of another kind; images that the classifier cannot see; those of evaluator_open; STATUS_NOMEM. */
int perception_open(struct perception *p, const struct world *w, const struct settings *s, const struct dataset *d, size_t micro,
                    int drawn);
void perception_close(struct perception *p);
/* What its arenas take, in numbers of `real`. Local; a file that cannot be read counts as the published net. */
size_t perception_count(const struct settings *s, size_t micro);
/* flops of the products for one sample below the threshold; and the share of samples that are below, over many draws. Local. */
double perception_flops(const struct settings *s);
double perception_share(const struct settings *s);
/* Whether a term looks through such a classifier. Local. */
int perception_by_classifier(const struct settings *s);
/* Which terms there are, through which networks, in one line; "" without any. */
void perception_describe(const struct perception *p, char text[600]);
#endif
