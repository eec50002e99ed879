/* nearest.h - are images new, or some of the training images again? Distances of the bytes as they are, to the nearest training image
 * (d1) and the next one (d2): an image counts as memorised where d1 < d2 / 3.
 * Source: Yoon et al., "Diffusion probabilistic models generalize when they fail to memorize" (2023), section 3. */
#ifndef JOBS_NEAREST_H
#define JOBS_NEAREST_H
#include "jobs/sources.h"

enum { NEAREST_IMAGES = 1000 };   /* as many are looked at, at most: each against all training images */
struct nearest {
  size_t n;
  double memorised;               /* share of the images, 0..1; NAN with fewer than two training images */
  double distance;                /* mean of d1 over the images, as a root mean square over an image's bytes: 0..255 */
};
/* Local. What nearest_training takes on a rank for n images: its share of them and 256 training images, as bytes, and 11 MB. */
size_t nearest_bytes(const struct dataset *d, size_t n, int ranks);
/* COLLECTIVE. Of the first n images of a source, at most NEAREST_IMAGES; every rank has a share of them and reads all training images.
 * The same bits on any number of ranks. Memory: nearest_bytes, freed inside.
 * Errors: STATUS_IO from the data, STATUS_NOMEM. */
int nearest_training(const struct world *w, const struct dataset *d, const struct source *source, size_t n, struct nearest *result);
#endif
