/* way_back.h - when, on the way back of a step, which gradients become final, and how often the net calls between its products
 * meanwhile: what there is to hide communication behind. Taken of the last micro-batch, whose gradients travel; means over
 * the passes.
 * Memory: freed by way_back_free, harmless on a zeroed one; nothing is allocated after way_back_init. Units: seconds. Errors:
 * where it says so. Ranks: local. */
#ifndef JOBS_WAY_BACK_H
#define JOBS_WAY_BACK_H
#include <stddef.h>

/* Elements of the flat array from `offset` on are final so long after the one before (the first: after the beginning); calls
 * between products since then. Sums over the passes until way_back_mean. */
struct way_back_event { size_t offset; double seconds, calls; };
struct way_back {
  struct way_back_event *list;
  size_t count, room, at;   /* events of a pass; where the pass is */
  double passes, since, calls;
};
/* For as many events as a pass may have. Errors: STATUS_NOMEM. */
int way_back_init(struct way_back *w, size_t room);
void way_back_free(struct way_back *w);
/* On the way; NULL: nothing is taken. Every pass has the same events. */
void way_back_begins(struct way_back *w);
void way_back_final(struct way_back *w, size_t offset);
void way_back_call(struct way_back *w);
/* Forgets all passes. */
void way_back_reset(struct way_back *w);
/* Sums become means of a pass; nothing is taken afterwards. */
void way_back_mean(struct way_back *w);
/* Of a pass, after way_back_mean. */
double way_back_seconds(const struct way_back *w);
#endif
