/* score_standard.h - pmf score by Inception: of a run, a checkpoint, a folder of PNGs or an .npz, against held-out or training
 * images, or statistics in an .npz. */
#ifndef JOBS_SCORE_STANDARD_H
#define JOBS_SCORE_STANDARD_H
#include "jobs/image_files.h"
#include "jobs/score.h"
#include "jobs/score_splits.h"
#include "jobs/standard.h"

enum { SCORE_IDENTITY = 64 };

struct standard_row { struct sweep_point point; struct standard_score score, train; };   /* train: with split=both */
struct standard_scores {
  const struct world *w;
  const struct score_words *words;
  int from_net;                      /* or from files */
  struct trained t;
  struct sampler sampler;
  struct generate generate;
  struct image_files files;
  struct dataset data;
  enum split split;
  char data_path[TEXT_MAX], statistics[TEXT_MAX];   /* "": without */
  char identity[SCORE_IDENTITY];                    /* of the reference images, their crop and number */
  int known;                                        /* rank 0: the statistics are those of the split, as they say */
  size_t n, reference, training;     /* training: images beside the reference; 0: without split=both */
  struct standard standard;
  struct progress progress;
  struct standard_row rows[SWEEP_POINTS];
  size_t n_rows;
};
/* COLLECTIVE. Scores, and tells: a table or a line of JSON. */
int score_standard(const struct world *w, const struct score_words *words);

/* Its parts. Local, on rank 0. */
void score_standard_table(const struct standard_scores *j);
/* Errors: STATUS_NOMEM. */
int score_standard_json(const struct standard_scores *j);
/* "training" or "held-out". */
const char *score_standard_split(const struct standard_scores *j);
/* FID, or FID[hash]: plain FID is the name of one network's alone. */
void score_standard_name(const struct standard_scores *j, char text[64]);
/* N < D, on either side. */
int score_standard_deficient(const struct standard_score *s);
/* Both values of a row, with split=both. */
struct score_splits score_standard_splits(const struct standard_row *row);
/* Of the setting that begins at row `from`: FID, Inception Score, KID; with split=both the difference of FID. */
struct over_seeds score_standard_seeds(const struct standard_scores *j, size_t from);
#endif
