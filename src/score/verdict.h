/* verdict.h - is a difference between two arms of a study larger than what the seeds alone make? An arm has one number a seed, and
 * arms of one seed see the same data and draws, so that they are compared pair by pair:
 *   d_s = high_s - f low_s,   spread = largest d_s - smallest d_s over the seeds;
 *   f low < high holds if mean(d) > spread, fails if -mean(d) > spread; else, and with fewer than two seeds, it is undecided.
 * With three seeds whose differences are normal this is a one-sided test at about 5 % (t of 2 degrees above 2.9).
 * What is no finite number is a seed that diverged: a side of nothing else lies above every side of finite numbers; a side that is
 * mixed decides nothing.
 * Memory: none. Errors: none. Ranks: local. */
#ifndef SCORE_VERDICT_H
#define SCORE_VERDICT_H
#include <stddef.h>

enum verdict { VERDICT_UNDECIDED, VERDICT_HOLDS, VERDICT_FAILS };
/* Of the numbers of an arm; mean INFINITY where one is not finite. */
struct verdict_range { double least, mean, most; size_t n, finite; };

struct verdict_range verdict_range(size_t n, const double *x);
/* low[n], high[n] by seed. *difference (may be NULL): that of the d_s. */
enum verdict verdict_below(double f, size_t n, const double *low, const double *high, struct verdict_range *difference);
/* Fails where one fails; holds where all hold, and there is one; else undecided. */
enum verdict verdict_all(size_t n, const enum verdict *of);
#endif
