#include "jobs/way_there.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/progress.h"
#include "src/base/status.h"

int way_there_init(struct way_there *w, size_t room) {
  *w = (struct way_there){ .room = room };
  w->list = calloc(room ? room : 1, sizeof *w->list);
  w->seen = calloc(room ? room : 1, 1);
  return w->list && w->seen ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu events of a way there", room);
}

void way_there_free(struct way_there *w) {
  free(w->list), free(w->seen);
  *w = (struct way_there){ 0 };
}

void way_there_reset(struct way_there *w) { w->count = 0, w->passes = 0, w->on = 0; }

void way_there_begins(struct way_there *w) {
  if (!w) return;
  memset(w->seen, 0, w->room);
  w->on = 1;
  w->calls = 0;
  w->passes++;
  w->began = progress_clock();
}

/* The first time only. */
static void take(struct way_there *w, size_t first, size_t end) {
  size_t i = 0;
  while (i < w->count && (w->list[i].first != first || w->list[i].end != end)) i++;
  if (i < w->count && w->seen[i]) return;
  assert(i < w->room);
  if (i == w->count) w->list[w->count++] = (struct way_there_event){ first, end, 0, 0 };
  w->seen[i] = 1;
  w->list[i].at += progress_clock() - w->began;
  w->list[i].calls += w->calls;
}

void way_there_use(struct way_there *w, size_t first, size_t end) {
  if (w && w->on) take(w, first, end);
}

void way_there_call(struct way_there *w) {
  if (w && w->on) w->calls++;
}

void way_there_ends(struct way_there *w) {
  if (!w || !w->on) return;
  take(w, 0, 0);
  w->on = 0;
}

static int by_time(const void *a, const void *b) {
  const struct way_there_event *x = a, *y = b;
  return (x->at > y->at) - (x->at < y->at);
}

void way_there_mean(struct way_there *w) {
  for (size_t i = 0; i < w->count && w->passes > 0; i++) w->list[i].at /= w->passes, w->list[i].calls /= w->passes;
  w->passes = 1;
  qsort(w->list, w->count, sizeof *w->list, by_time);
}
