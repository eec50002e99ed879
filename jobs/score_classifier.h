/* score_classifier.h - pmf score by the features of a classifier: images of a run or a checkpoint against the held-out ones, in a
 * table between the training images (as near as one can come) and class means and noise (as far as one should be). */
#ifndef JOBS_SCORE_CLASSIFIER_H
#define JOBS_SCORE_CLASSIFIER_H
#include "jobs/nearest.h"
#include "jobs/score.h"
#include "jobs/score_splits.h"
#include "jobs/scores.h"

enum { SCORE_CONTEXT = 3, SCORE_FEW = 5000 };

struct classifier_row {
  struct sweep_point point;        /* of context its name alone */
  size_t evaluations;              /* of the net an image; 0: not from the net */
  struct score score, train;       /* train: with split=both, against training images */
  double precision, recall;        /* with diversity, as nearest */
  struct nearest nearest;          /* training images */
};
struct classifier_scores {
  const struct world *w;
  const struct score_words *words;
  struct trained t;
  struct sampler sampler;
  size_t n, training;              /* training: that stand beside the held-out ones; 0: without split=both */
  char data_path[TEXT_MAX], judge_path[TEXT_MAX + 64];
  enum evaluator_role role;        /* of the judge */
  struct dataset data;
  struct dataset seen;             /* with diversity: what the run was trained on, which data= may differ from */
  struct evaluator judge;
  struct generate generate;
  struct scorer scorer;
  struct progress progress;
  uint8_t *means;
  struct classifier_row rows[SWEEP_POINTS + SCORE_CONTEXT];
  size_t n_rows;
  double class_means;              /* their FID[classifier]; NAN without context */
  struct nearest held_out;         /* with diversity: how near images come that are new */
};
/* COLLECTIVE. Scores, and tells: a table or a line of JSON; with run= the line is kept in its folder too, but for a sweep. */
int score_classifier(const struct world *w, const struct score_words *words);

/* Its parts. Local, on rank 0. */
void score_classifier_table(const struct classifier_scores *c);
/* One line, to be freed with cJSON_free; NULL without memory. */
char *score_classifier_json(const struct classifier_scores *c);
/* Both values of a row, with split=both. */
struct score_splits score_classifier_splits(const struct classifier_row *row);
/* The smaller of both sets decides whether a covariance has full rank. */
int score_classifier_deficient(const struct classifier_scores *c);
/* The first row from number `from` on that is one of several seeds'; n_rows: there is none. */
size_t score_classifier_setting(const struct classifier_scores *c, size_t from);
/* Of that row's setting: FID[classifier], KID[classifier], label agreement; with split=both the difference of FID[classifier]. */
struct over_seeds score_classifier_seeds(const struct classifier_scores *c, size_t from);
#endif
