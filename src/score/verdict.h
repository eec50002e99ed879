/* verdict.h - is a difference between two arms of a study larger than what the seeds alone make? An arm has one number a seed, and
 * arms of one seed see the same data and draws, so that they are compared pair by pair:
 *   d_s = high_s - f low_s,   s^2 = sum_s (d_s - mean(d))^2 / (n-1),   t = mean(d) sqrt(n) / s;
 *   f low < high holds if t > t_95(n-1), fails if -t > t_95(n-1); else, and with fewer than two seeds, it is undecided.
 * This is Student's paired test, one-sided, at 5 % whatever n, where the d_s are normal; differences that are all alike and not 0
 * decide. A side that is the best of several arms by the same numbers is chosen, not given: then the level is not 5 %.
 * What is no finite number is a seed that diverged: a side of nothing else lies above every side of finite numbers; a side that is
 * mixed decides nothing.
 * Memory: none. Errors: none. Ranks: local. */
#ifndef SCORE_VERDICT_H
#define SCORE_VERDICT_H
#include <stddef.h>

enum { VERDICT_SEEDS = 16 };
enum verdict { VERDICT_UNDECIDED, VERDICT_HOLDS, VERDICT_FAILS };
/* Of the numbers of an arm; mean INFINITY where one is not finite. */
struct verdict_range { double least, mean, most; size_t n, finite; };

struct verdict_range verdict_range(size_t n, const double *x);
/* What a variable of Student's distribution with `degrees` >= 1 degrees of freedom is below with probability 0.95. Beyond
 * VERDICT_SEEDS - 1 degrees: that of as many, which is a little more. */
double verdict_quantile(size_t degrees);
/* low[n], high[n] by seed. *difference (may be NULL): that of the d_s. */
enum verdict verdict_below(double f, size_t n, const double *low, const double *high, struct verdict_range *difference);
/* Fails where one fails; holds where all hold, and there is one; else undecided. */
enum verdict verdict_all(size_t n, const enum verdict *of);
#endif
