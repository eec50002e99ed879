/* recover.h - what a run says of steps that it could not use (jobs/guard.h), to its terminal and to its metrics:
 *   {"event":"skip", "step":..., "rank":..., "loss":..., "grad_norm":..., "in_a_row":..., "batch":..., "note":...}
 *   {"event":"rollback", "step":..., "from":..., "rollbacks":..., "batch":..., "lr_factor":...}
 *   {"event":"alarm", "step":..., "du_dt_rms":..., "median":...}
 * batch counts from 1 in the order of the data; of a rollback it is the next one to come. The note of a skip names the images,
 * by their numbers in the training set. A rollback's step is the one that the run is back at, as of a resume; lr_factor: guard.h.
 * Ranks: local; rank 0 says it. Errors: a line of metrics that is lost stops nothing. */
#ifndef JOBS_RECOVER_H
#define JOBS_RECOVER_H
#include "io/metrics.h"
#include "io/progress.h"
#include "jobs/trainer.h"

/* The images of a batch (from 1): those of one rank, or of all where it is -1. At most `most` of them; text is cut at size. */
void recover_images(const struct trainer *t, uint64_t batch, int rank, size_t most, char *text, size_t size);
void recover_tell_skip(const struct trainer *t, const struct metrics *metrics, struct progress *p);
void recover_tell_rollback(const struct trainer *t, uint64_t failed, const struct metrics *metrics, struct progress *p);
void recover_tell_alarm(const struct trainer *t, const struct metrics *metrics, struct progress *p);
/* STATUS_DIVERGED: no more rollbacks. The reason names the first bad batch: step, rank, images. last: the last checkpoint. */
int recover_give_up(const struct trainer *t, const char *last);
#endif
