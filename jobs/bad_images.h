/* bad_images.h - training images that cannot be used while a run goes on: io/loader.h takes others in their place; here all ranks
 * learn of it, each such image is named and counted once in a start, and too many of them end the run.
 *   {"event":"bad image", "step":..., "image":..., "replaced_by":..., "bad_images":..., "note":...}
 * Numbers are those of the training set; note: why; bad_images: how many until now. The same on any number of ranks.
 * Memory: only once there is such an image; bad_images_free. */
#ifndef JOBS_BAD_IMAGES_H
#define JOBS_BAD_IMAGES_H
#include <stddef.h>

#include "io/metrics.h"
#include "io/progress.h"
#include "jobs/trainer.h"

struct bad_images { size_t count, room; uint64_t *image; };   /* rank 0 */
/* Local: did the batch of the last step lack an image of this rank? */
int bad_images_here(const struct trainer *t);
/* COLLECTIVE, if any rank has one. Errors: STATUS_BAD where there are more than dataset.bad_fraction of the set, rounded up; STATUS_IO
 * if it is the file system that failed; STATUS_NOMEM. */
int bad_images_take(struct bad_images *b, const struct trainer *t, const struct metrics *metrics, struct progress *p);
void bad_images_free(struct bad_images *b);
#endif
