/* metrics.h - RUN/metrics.jsonl: one JSON object a line, flushed as it is written.
 *   {"event":"step", "step":..., "images":..., "seconds":..., ...}     an interval's means
 *   {"event":"start"|"resume"|"save"|"stop"|"end", "step":..., ...}     what happened
 *   {"event":"skip"|"rollback"|"alarm"|"straggler"|"replicas differ", "step":..., ...}     what went wrong (doc/guards.md)
 *   {"event":"bad image", "step":..., "image":..., "replaced_by":..., ...}     jobs/bad_images.h
 * Numbers that are not finite become null. A line that a kill cut short is dropped at the next start, and so are lines of steps
 * after the checkpoint that a run resumes from: steps run backwards in the file at a rollback alone, to the step it names.
 * Errors: STATUS_IO with the reason. Ranks: local; rank 0 writes. */
#ifndef IO_METRICS_H
#define IO_METRICS_H
#include <stdint.h>
#include <stdio.h>

struct metric { const char *name; double value; };

/* Opens for appending; lines whose step is above `step` are cut away first. */
int metrics_open(FILE **m, const char *run, uint64_t step);
/* The number of that name in the last line of that event; NAN where there is none. */
double metrics_last(const char *run, const char *event, const char *name);
/* Adds a line; note (may be NULL) becomes "note". m = NULL: nothing happens. */
int metrics_write(FILE *m, const char *event, uint64_t step, const struct metric *metrics, size_t count, const char *note);
void metrics_close(FILE *m);
#endif
