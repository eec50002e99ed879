#include "jobs/way_back.h"

#include <assert.h>
#include <stdlib.h>

#include "io/progress.h"
#include "src/base/status.h"

int way_back_init(struct way_back *w, size_t room) {
  *w = (struct way_back){ .room = room };
  w->list = calloc(room ? room : 1, sizeof *w->list);
  return w->list ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu events of a way back", room);
}

void way_back_free(struct way_back *w) {
  free(w->list);
  *w = (struct way_back){ 0 };
}

void way_back_reset(struct way_back *w) {
  for (size_t i = 0; i < w->count; i++) w->list[i] = (struct way_back_event){ 0 };
  w->count = w->at = 0;
  w->passes = 0;
}

void way_back_begins(struct way_back *w) {
  if (!w) return;
  w->at = 0;
  w->calls = 0;
  w->passes++;
  w->since = progress_clock();
}

void way_back_final(struct way_back *w, size_t offset) {
  if (!w) return;
  assert(w->at < w->room);
  struct way_back_event *e = &w->list[w->at++];
  const double now = progress_clock();
  if (w->at > w->count) w->count = w->at;
  e->offset = offset;
  e->seconds += now - w->since;
  e->calls += w->calls;
  w->since = now;
  w->calls = 0;
}

void way_back_call(struct way_back *w) {
  if (w) w->calls++;
}

void way_back_mean(struct way_back *w) {
  for (size_t i = 0; i < w->count && w->passes > 0; i++) w->list[i].seconds /= w->passes, w->list[i].calls /= w->passes;
  w->passes = 1;
}

double way_back_seconds(const struct way_back *w) {
  double sum = 0;
  for (size_t i = 0; i < w->count; i++) sum += w->list[i].seconds;
  return sum;
}
