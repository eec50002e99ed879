/* score.h - what the user of pmf score asks for: score_classifier.h and score_standard.h answer. Ranks: local. */
#ifndef JOBS_SCORE_H
#define JOBS_SCORE_H
#include "jobs/sweep.h"

/* NULL: not given. */
struct score_words {
  const char *run, *checkpoint, *data, *head, *solver, *seeds;
  const char *judge, *classifier;                                     /* of the classifier alone */
  const char *inception, *images, *reference, *save_reference;        /* of Inception alone */
  const char *split;
  const char *out;                   /* of a sweep */
  double t_min, t_max;               /* NAN: not given */
  size_t n;                          /* 0: not given */
  const struct sweep *sweep;
  int both, context, diversity, json;   /* both: split=both */
};
#endif
