/* over_seeds.h - a setting of a sweep over its seeds: mean and deviation of each of its numbers. Memory: none of its own; names are
 * the caller's. Errors: none. Ranks: local. */
#ifndef JOBS_OVER_SEEDS_H
#define JOBS_OVER_SEEDS_H
#include <cjson/cJSON.h>

#include "jobs/sweep.h"

enum { OVER_SEEDS_NUMBERS = 8 };

struct over_seeds {
  char images[sizeof ((struct sweep_point *)0)->name];   /* the setting: its rows' name without the seed */
  size_t seeds, count;
  struct { const char *name; double mean, deviation; } number[OVER_SEEDS_NUMBERS];
};
/* Of a setting that begins with this point; without numbers yet. */
struct over_seeds over_seeds(const struct sweep_point *first, size_t seeds);
/* x[seeds]: a number with each of them. The deviation has divisor seeds - 1; NAN for one. */
void over_seeds_add(struct over_seeds *o, const char *name, const double *x);
/* {"images", "seeds", and of each number its mean under its name, and NAME_deviation}. */
cJSON *over_seeds_json(const struct over_seeds *o);
#endif
