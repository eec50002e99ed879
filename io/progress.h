/* progress.h - how a run shows itself on standard error: one live line at a terminal, plain lines in a batch log.
 * PMF_PROGRESS=live or plain in the environment decides where the terminal cannot be seen (under mpirun).
 * Rates count this start only, without saves. Errors: none. Ranks: local; rank 0 shows. */
#ifndef IO_PROGRESS_H
#define IO_PROGRESS_H
#include <stdint.h>

struct progress {
  int terminal, live;          /* live: a line stands that the next one replaces */
  uint64_t steps, batch;       /* of the whole run; images in a step */
  uint64_t first;              /* steps done before this start, less those made again: modulo 2^64 */
  double began, excluded;      /* seconds: clock at the start, time spent on saves */
  double waiting;              /* the caller's: seconds of a step in which ranks wait for gradients; 0: not shown */
  double until;                /* the caller's: when the time that this start has is over, by the clock; 0: it is not known */
};
/* Seconds of a clock that only runs forward. */
double progress_clock(void);
void progress_start(struct progress *p, uint64_t steps, uint64_t batch, uint64_t first);
/* Other work of so many steps begins, shown in the place of what was shown before. */
void progress_next(struct progress *p, uint64_t steps, uint64_t batch);
/* Seconds that the rate leaves out. */
void progress_exclude(struct progress *p, double seconds);
/* So many steps are to be made again: they counted as work. */
void progress_redo(struct progress *p, uint64_t steps);
/* Images in a second since this start. */
double progress_rate(const struct progress *p, uint64_t done);
/* The state after `done` steps. due: a plain line is due (a live line is shown anyway, a few times a second). */
void progress_show(struct progress *p, uint64_t done, double loss, double mse_u, double mse_v, double next_save, int due);
/* The same for work without a loss: `done` of p->steps things; a plain line every ten seconds. */
void progress_count(struct progress *p, const char *things, uint64_t done);
/* A line of its own about what happened (printf style, without newline). */
void progress_say(struct progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
