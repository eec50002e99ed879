/* score_statistics.h - a reference of Inception scores in an .npz: mean and covariance of its features and, where this program
 * wrote it, which images they are of and which network saw them. What a file says of itself must be so; what others publish says
 * nothing. Ranks: local. */
#ifndef JOBS_SCORE_STATISTICS_H
#define JOBS_SCORE_STATISTICS_H
#include "jobs/score_standard.h"

/* Of the images of a split of j->data: checksums, crop and number. Errors: those of classifier_file_split. */
int score_statistics_identify(const struct standard_scores *j, enum split split, char identity[SCORE_IDENTITY]);
/* Those of j->statistics, checked, in j->standard.statistics; tells of which split they are (j->split, j->known).
 * Errors: STATUS_BAD: of another network, of other images, not of so many features; STATUS_NOMEM. */
int score_statistics_read(struct standard_scores *j);
/* Those of the reference that was looked at, as save_reference= says. Errors: STATUS_IO, STATUS_NOMEM. */
int score_statistics_write(struct standard_scores *j);
#endif
