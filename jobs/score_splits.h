/* score_splits.h - with split=both: the same images against held-out and against as many training images, and how much nearer
 * they are to these, which is the sign of images learned by heart: a table of its own and members of a row of JSON, for both ways
 * to score. As many, because a distance depends on the number of images. Ranks: local. */
#ifndef JOBS_SCORE_SPLITS_H
#define JOBS_SCORE_SPLITS_H
#include "io/dataset.h"
#include "jobs/over_seeds.h"

/* Distances from held-out and from training images. */
struct score_splits { double fid[2], kid[2]; };

/* How many training images stand beside the held-out ones. Errors: STATUS_BAD: there are not as many. */
int score_splits_training(const struct dataset *d, size_t *images);
/* The table: its head, with the scores' names, a line for each row, and what the numbers are. deficient: N < D. */
void score_splits_head(const char *fid, const char *kid);
void score_splits_row(const char *images, const struct score_splits *s, int deficient);
/* Of an over_seeds whose last number is the difference of FID. */
void score_splits_seeds(const struct over_seeds *o);
void score_splits_foot(size_t held_out, size_t training);
/* In a row that calls the scores fid and kid: FID_train, FID_difference (held out less training), and KID's. */
void score_splits_json(cJSON *row, const char *fid, const char *kid, const struct score_splits *s);
#endif
