/* sources.h - where the images of a score come from. Image i of a source and its label are the same on every rank, and do not
 * depend on what else is asked for. Bytes u8[count,H,W,C], and labels that the images are meant to have, -1 for none.
 * Memory: the contexts are the caller's. Errors: STATUS_IO from the data. Ranks: local, unless COLLECTIVE is said. */
#ifndef JOBS_SOURCES_H
#define JOBS_SOURCES_H
#include "io/dataset.h"
#include "jobs/generate.h"
#include "mpi/world.h"

/* Images first .. first + count - 1. */
struct source {
  int (*make)(const void *context, size_t first, size_t count, uint8_t *u8, int32_t *labels);
  const void *context;
};

/* n images of a split: the first n of a permutation, so that any part of them is of all classes. */
struct packed_images { const struct dataset *d; enum split split; size_t n; };
/* What a net makes, with the labels asked for. first: a multiple of GENERATE_CHUNK. */
struct generated_images { const struct generate *g; const real *weights; };
/* For image i the mean image of the class of held-out image i, means[classes,H,W,C]. */
struct mean_images { const struct dataset *d; const uint8_t *means; };
/* Every byte uniform in 0..255. */
struct noise_images { uint64_t seed; size_t pixels; };

struct source source_packed(const struct packed_images *context);
struct source source_generated(const struct generated_images *context);
struct source source_means(const struct mean_images *context);
struct source source_noise(const struct noise_images *context);
/* COLLECTIVE. means: malloc'ed, the caller frees it: the mean of each class of the training split, rounded (a class without
 * images: 0), each rank having read its share. Errors: STATUS_NOMEM, STATUS_IO. */
int source_class_means(const struct world *w, const struct dataset *d, uint8_t **means);
/* Local. What that takes on a rank, and of it at most, in bytes, the sums (or those of one class); a variable for tests, equal on
 * all ranks. */
size_t source_means_bytes(const struct dataset *d);
extern size_t source_means_room;
#endif
