/* recall.h - precision and recall (src/score/neighbours.h) of the two sets that a scorer has looked at, every rank with the rows of
 * its own chunks: one chunk at a time and the radii of the balls travel. The same bits on any number of ranks.
 * Source: Kynkaanniemi et al., arXiv:1904.06991, k = 3. */
#ifndef JOBS_RECALL_H
#define JOBS_RECALL_H
#include "jobs/scores.h"

/* COLLECTIVE. 0..1, the same on every rank; NAN where a set has no more than three images. Memory: three numbers an own image and
 * one for each of all, freed inside. Errors: STATUS_NOMEM. */
int recall_of(struct scorer *s, double *precision, double *recall);
#endif
