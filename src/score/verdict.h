/* verdict.h - is a difference between two arms of a study larger than what the seeds alone make? An arm has one number a seed.
 *   spread = largest - smallest over the seeds;
 *   f low < high holds if   mean(high) - f mean(low) > spread(high) + f spread(low),   so that the ranges lie apart;
 *   it fails if   f mean(low) - mean(high)   is as much larger; else, and with fewer than two seeds a side, it is undecided.
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
enum verdict verdict_below(double f, struct verdict_range low, struct verdict_range high);
/* Fails where one fails; holds where all hold, and there is one; else undecided. */
enum verdict verdict_all(size_t n, const enum verdict *of);
#endif
