/* score_standard.h - pmf score with Inception: of a run, a checkpoint, a folder of PNGs or an .npz, against held-out or training
 * images, or statistics in an .npz. */
#ifndef JOBS_SCORE_STANDARD_H
#define JOBS_SCORE_STANDARD_H
#include "jobs/sweep.h"

/* What the user's words say; "" where there is none. */
struct score_words {
  const char *inception, *run, *checkpoint, *images, *data, *reference, *save_reference, *split, *head, *solver, *out;
  double t_min, t_max;
  long n;                            /* 0 where not given */
  const struct sweep *sweep;
  int json;
};
/* COLLECTIVE. */
int score_standard(const struct world *w, const struct score_words *words);
#endif
