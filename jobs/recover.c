#include "jobs/recover.h"

#include <math.h>

#include "io/events.h"
#include "src/base/status.h"

void recover_images(const struct trainer *t, uint64_t batch, int rank, size_t most, char *text, size_t size) {
  const size_t B = t->step.batch;
  size_t first = 0, n = B;
  if (rank >= 0) step_share(&t->step, rank, t->w->ranks, &first, &n);
  size_t at = (size_t)snprintf(text, size, n == 1 ? "image" : "images");
  for (size_t j = 0; j < n && j < most && at + 24 < size; j++) {
    const uint64_t image = loader_image(&t->data, t->step.seed, B, batch - 1, first + j);
    at += (size_t)snprintf(text + at, size - at, " %llu", (unsigned long long)image);
  }
  if (n > most && at < size) snprintf(text + at, size - at, " and %zu more", n - most);
}

void recover_tell_skip(const struct trainer *t, const struct metrics *metrics, struct progress *p) {
  static char note[16384];
  const struct guard *g = &t->guard;
  const uint64_t batch = guard_batch(g, t->state.step - 1) + 1;
  char what[96];
  guard_describe(g->verdict, g->rank, what);
  const size_t at = (size_t)snprintf(note, sizeof note, "%s: ", what);
  recover_images(t, batch, g->rank, SIZE_MAX, note + at, sizeof note - at);
  const struct metric m[] = { { "rank", g->rank < 0 ? NAN : g->rank }, { "loss", g->loss }, { "grad_norm", g->norm },
                              { "in_a_row", (double)g->memory->in_a_row }, { "batch", (double)batch } };
  metrics_write(metrics, "skip", t->state.step, m, sizeof m / sizeof *m, note);
  progress_say(p, "WARNING: step %llu is skipped, %.0f in a row: %s (loss %g, gradient %g)", (unsigned long long)t->state.step,
               (double)g->memory->in_a_row, what, fabs(g->loss), fabs(g->norm));   /* a NaN may have a sign */
}

void recover_tell_rollback(const struct trainer *t, uint64_t failed, const struct metrics *metrics, struct progress *p) {
  const struct guard *g = &t->guard;
  const uint64_t next = guard_batch(g, t->state.step) + 1;
  const double rollbacks = (double)g->memory->rollbacks, lr_factor = (double)g->memory->lr_factor;
  const struct metric m[] = { { "from", (double)failed }, { "rollbacks", rollbacks }, { "batch", (double)next },
                              { "lr_factor", lr_factor } };
  char rate[64] = "";
  if (lr_factor < 1) snprintf(rate, sizeof rate, " and %g of the learning rate", lr_factor);
  if (metrics->events) events_go_on(metrics->events, t->state.step);
  metrics_write(metrics, "rollback", t->state.step, m, sizeof m / sizeof *m, NULL);
  progress_say(p, "WARNING: back from step %llu to step %llu, rollback %.0f of %ld; goes on with batch %llu%s",
               (unsigned long long)failed, (unsigned long long)t->state.step, rollbacks, g->max_rollbacks,
               (unsigned long long)next, rate);
}

void recover_tell_alarm(const struct trainer *t, const struct metrics *metrics, struct progress *p) {
  const struct guard *g = &t->guard;
  const struct metric m[] = { { "du_dt_rms", g->du_dt }, { "median", g->du_dt_median } };
  metrics_write(metrics, "alarm", t->state.step, m, sizeof m / sizeof *m, NULL);
  progress_say(p, "WARNING: step %llu: the rms of du/dt has grown to %g, its running median is %g; doc/guards.md says what may help",
               (unsigned long long)t->state.step, g->du_dt, g->du_dt_median);
}

int recover_give_up(const struct trainer *t, const char *last) {
  const struct guard_first first = guard_first(&t->guard);
  char what[96], images[400];
  guard_describe(first.verdict, first.rank, what);
  recover_images(t, first.batch, first.rank, 16, images, sizeof images);
  return because(STATUS_DIVERGED, "given up at step %llu, after %.0f rollbacks: %.0f bad steps in a row; the first bad one was"
                 " step %llu: %s, %s; %s", (unsigned long long)t->state.step, (double)t->guard.memory->rollbacks,
                 (double)t->guard.memory->in_a_row, (unsigned long long)first.step, what, images, last);
}
