/* history.h - what RUN/metrics.jsonl (metrics.h) tells of a run, as numbers to draw.
 * Steps run forward: a line of steps takes away those above it that are not before it in step, and a line of a start or a
 * rollback those after the step it goes on from, so that what was done twice counts as it was done last. A line that is cut
 * short or is no JSON is passed over.
 * Units: images since the beginning, those of another run that it begins with included; minutes of training, the starts added up.
 * NAN where a number is missing or null.
 * Memory: arrays freed by history_free. Errors: STATUS_BAD: no such file, or no line of steps in it; STATUS_IO, STATUS_NOMEM.
 * Ranks: local. */
#ifndef IO_HISTORY_H
#define IO_HISTORY_H
#include <stddef.h>

struct history_step { double step, images, minutes, loss, mse_u, mse_v; };
struct history_score {           /* of a classifier */
  double step, images, minutes, fid, kid, agreement;   /* agreement 0..1 */
  double n;                      /* images that were generated */
  int rank_deficient;            /* N < D; 0 where it is not told, as by earlier programs */
  char judge[20];                /* the classifier's hash, likewise "" */
};
struct history {
  struct history_step *steps;
  struct history_score *scores;
  size_t n_steps, n_scores;
  double began;                  /* images that its first start began with: another run's; 0 where it is not told */
  int ranks;                     /* of the last start; 0: not told */
};
int history_read(struct history *h, const char *run);
/* Harmless on a zeroed one. */
void history_free(struct history *h);
/* The images seen after so many minutes, and the other way round, by straight lines between the steps. */
double history_images(const struct history *h, double minutes);
double history_minutes(const struct history *h, double images);
/* Images a second of its own training. */
double history_rate(const struct history *h);
#endif
