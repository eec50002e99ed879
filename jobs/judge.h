/* judge.h - which classifier a run is scored by (fid.judge, judge=): no run by one that was trained on images from which the
 * classifier in its own loss learned.
 *   all    EVALUATOR_JUDGE: all training images
 *   half   EVALUATOR_HALF: the half that a loss's classifier has not seen. For runs with such a loss, and for runs without that
 *          are to be compared with them: scores compare under one judge alone
 *   auto   half where the run's loss looks through a classifier of its own, else all
 * Ranks: local. */
#ifndef JOBS_JUDGE_H
#define JOBS_JUDGE_H
#include "io/settings.h"
#include "jobs/evaluator.h"

/* asked: one of these words; NULL: the run's own fid.judge. Errors: STATUS_BAD: another word; all, for a run whose loss looks
 * through a classifier of half of these images. */
int judge_choose(const struct settings *s, const char *asked, enum evaluator_role *role);
#endif
