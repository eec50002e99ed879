/* scaling.h - a scaling study: runs of `pmf bench step --json` on more and more ranks, and what they say together. scaling.c reads
 * and reckons, scaling_draw.c makes the picture.
 * Steps that jobs/simulate.c simulated are read too: they bring their own efficiency.
 * Source: EXPECTATIONS U14. Memory: freed by scaling_free, harmless on a zeroed one. Ranks: local. */
#ifndef JOBS_SCALING_H
#define JOBS_SCALING_H
#include <stddef.h>
#include <stdio.h>

/* Least, median and most over the repeats. */
struct spread { double low, middle, high; };

/* The repeats of one net on one number of ranks. A share is of 1. */
struct scaling_point {
  int ranks, threads, repeats;
  double batch, bytes;                    /* images a step on all ranks; of a rank at its peak, NAN where simulated */
  struct spread images_per_s, seconds;    /* of a step */
  struct spread speed_up, efficiency;     /* against the baseline: R ranks should be R times as fast as one; simulated: computing, */
                                          /* were the optimizer shared evenly, as a share of the step */
  struct spread exposed;                  /* share of a step in waiting for gradients, mean of the ranks */
  struct spread share;                    /* of the machine's own sgemm rate in the same run; NAN where simulated */
};
/* The same net in the same study. Its first point, the one of fewest ranks, is the baseline: speed-up = its ranks there. */
struct scaling_series {
  char study[16], name[64];               /* "strong": one batch for all; "weak": one batch a rank; simulated: its network */
  struct scaling_point *points;           /* by ranks */
  size_t count;
};
struct scaling {
  struct scaling_series *series;
  size_t count, runs;                     /* series; runs read */
};
/* Every line of every FOLDER/NAME.json: {"study":..., "net":..., "repeat":..., "bench": a line of bench step}. Errors: STATUS_IO: no such
 * folder; STATUS_BAD: nothing there, or a line that is none, with its file; STATUS_NOMEM. */
int scaling_read(struct scaling *s, const char *folder);
void scaling_free(struct scaling *s);
/* One row a point, with its names above. */
void scaling_print(const struct scaling *s, FILE *f);
/* Errors: those of gnuplot_draw. */
int scaling_draw(const struct scaling *s, const char *path);
#endif
