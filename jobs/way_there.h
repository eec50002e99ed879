/* way_there.h - when, on a step's way through the net, which weights are used for the first time, and how often the net calls
 * between its products before that: what weights that are still on their way may hide behind (jobs/step.h). Taken of the first
 * micro-batch, from its first draw to the way back; means over the passes.
 * Memory: freed by way_there_free, harmless on a zeroed one; nothing is allocated after way_there_init. Units: seconds. Errors:
 * where it says so. Ranks: local. */
#ifndef JOBS_WAY_THERE_H
#define JOBS_WAY_THERE_H
#include <stddef.h>

/* Elements [first, end) of the flat array are used so long after the beginning, after so many calls; the last event is the way
 * back's beginning, with first = end. Sums over the passes until way_there_mean. */
struct way_there_event { size_t first, end; double at, calls; };
struct way_there {
  struct way_there_event *list;
  size_t count, room;
  int on;                  /* between beginning and end */
  double passes, began, calls;
  unsigned char *seen;     /* [room] in this pass */
};
/* For as many events as a pass may have. Errors: STATUS_NOMEM. */
int way_there_init(struct way_there *w, size_t room);
void way_there_free(struct way_there *w);
/* On the way; NULL: nothing is taken. Every pass uses the same weights, in whatever order. */
void way_there_begins(struct way_there *w);
void way_there_use(struct way_there *w, size_t first, size_t end);
void way_there_call(struct way_there *w);
void way_there_ends(struct way_there *w);
/* Forgets all passes. */
void way_there_reset(struct way_there *w);
/* Sums become means of a pass, in the order of their times; nothing is taken afterwards. */
void way_there_mean(struct way_there *w);
#endif
