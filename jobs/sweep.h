/* sweep.h - a trained net's images at several guidance scales, intervals, averages and numbers of steps, all with all, each with
 * noise of several seeds: what `pmf score` scores in one go, and a picture of the scores over the scale.
 * Memory: none of its own. Ranks: local, but for sweep_run. */
#ifndef JOBS_SWEEP_H
#define JOBS_SWEEP_H
#include "jobs/trained.h"

enum { SWEEP_EACH = 16, SWEEP_POINTS = 256 };

struct sweep {
  double omega[SWEEP_EACH], interval[SWEEP_EACH][2];
  char ema[SWEEP_EACH][64];
  size_t steps[SWEEP_EACH];
  uint64_t seed[SWEEP_EACH];
  size_t omegas, intervals, emas, seeds, n_steps;   /* all but the last: 0: the run's own */
};
/* One of them. */
struct sweep_point {
  char ema[64], name[128];     /* name: for people, with what differs from point to point */
  int stem;                    /* characters of the name without the seed */
  size_t steps;
  double omega, t_min, t_max;
  uint64_t seed;
  double score;                /* the caller's, smaller is better, of n images: a row of sweep_tell */
  size_t n;
  int rank_deficient;          /* N < D */
};
/* From the words: "1,4", "" or "3,5", "" or "0:1,0.1:0.7", "" or "ema3,raw", "" or "1,2,3". Errors: STATUS_BAD. */
int sweep_read(struct sweep *s, const char *steps, const char *omega, const char *interval, const char *ema, const char *seed);
/* More than one scale, interval, average or seed? */
int sweep_is(const struct sweep *s);
/* Its first seed, or the run's. */
uint64_t sweep_seed(const struct sweep *s, const struct settings *run);
/* Its average number i, or NULL: the run's own. */
const char *sweep_ema(const struct sweep *s, size_t i);
/* The sampler of its first point (t_min, t_max: NAN, or instead of an interval), if checkpoint and net have all that is asked for.
 * Errors: STATUS_BAD. */
int sweep_sampler(const struct sweep *s, const struct trained *t, double t_min, double t_max, struct sampler *sampler);
/* COLLECTIVE. Sets *sampler (head and solver are the caller's), loads the weights where an average is another than the one before,
 * and calls score for each, a setting's seeds one after the other. Errors: those of trained_load and score; the first ends it. */
int sweep_run(const struct sweep *s, struct trained *t, const struct world *w, struct sampler *sampler,
              int (*score)(void *context, const struct sweep_point *p), void *context);
/* The scores as rows of FILE.csv and, where out is FILE.png, as a picture over omega: a curve for each average, number of steps and
 * interval. name: of the score. Without gnuplot there are the numbers alone, and a line on standard error says so.
 * Errors: STATUS_IO; those of gnuplot_draw. */
int sweep_tell(const struct sweep_point *p, size_t n, const char *name, const char *out);
#endif
