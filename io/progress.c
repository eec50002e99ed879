#include "io/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double progress_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* mpirun hands a pipe to the ranks even at a terminal, so whoever starts it may say so. */
static int at_terminal(void) {
  const char *asked = getenv("PMF_PROGRESS");
  return asked ? !strcmp(asked, "live") : isatty(STDERR_FILENO);
}

void progress_start(struct progress *p, uint64_t steps, uint64_t batch, uint64_t first) {
  *p = (struct progress){ .terminal = at_terminal(), .steps = steps, .batch = batch, .first = first,
                          .began = progress_clock() };
}

void progress_next(struct progress *p, uint64_t steps, uint64_t batch) {
  const int live = p->live;
  progress_start(p, steps, batch, 0);
  p->live = live;
}

void progress_exclude(struct progress *p, double seconds) { p->excluded += seconds; }

void progress_redo(struct progress *p, uint64_t steps) { p->first -= steps; }

double progress_rate(const struct progress *p, uint64_t done) {
  const double seconds = progress_clock() - p->began - p->excluded;
  return seconds > 0 ? (double)((done - p->first) * p->batch) / seconds : 0;
}

/* "1:02:03" or "4:05". */
static const char *clock_text(double seconds, char text[static 32]) {
  if (!(seconds >= 0 && seconds < 1e9)) return "?";
  const long s = (long)(seconds + 0.5);
  if (s >= 3600) snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  else snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
  return text;
}

void progress_show(struct progress *p, uint64_t done, double loss, double mse_u, double mse_v, double next_save, int due) {
  static double last;
  const double now = progress_clock(), rate = progress_rate(p, done);
  if (p->terminal ? now - last < 0.2 && !due && done < p->steps : !due) return;
  last = now;
  char eta[32], save[32], wait[32] = "", end[32], until[48] = "";
  const double left = rate > 0 ? (double)((p->steps - done) * p->batch) / rate : NAN;
  const double step = rate > 0 ? (double)p->batch / rate : NAN;
  clock_text(left, eta);
  if (next_save < 0) snprintf(save, sizeof save, "-");
  else clock_text(next_save, save);
  if (p->waiting > 0) snprintf(wait, sizeof wait, "  wait %.3f s", p->waiting);
  if (p->until > 0) snprintf(until, sizeof until, "  time left %s", clock_text(fmax(0, p->until - now), end));
  if (p->terminal)   /* within 80 columns but for the last three; what is wider is cut (?7l): one that wraps cannot be replaced */
    fprintf(stderr, "%s\033[?7lstep %llu/%llu  loss %.4f  mse u %.4f  %.1f images/s  ETA %s  save %s%s%s  %.3f s/step\033[?7h",
            p->live ? "\r\033[K" : "", (unsigned long long)done, (unsigned long long)p->steps, loss, mse_u, rate, eta, save,
            until, wait, step);
  else
    fprintf(stderr, "step %llu/%llu  loss %.4f  mse u %.4f v %.4f  %.1f images/s  %.3f s/step  ETA %s  save in %s%s%s\n",
            (unsigned long long)done, (unsigned long long)p->steps, loss, mse_u, mse_v, rate, step, eta, save, wait, until);
  p->live = p->terminal;
}

void progress_count(struct progress *p, const char *things, uint64_t done) {
  static double last;
  const double now = progress_clock(), since = now - (last > p->began ? last : p->began), rate = progress_rate(p, done);
  if (since < (p->terminal ? 0.2 : 10)) return;
  last = now;
  char eta[32];
  clock_text(rate > 0 ? (double)((p->steps - done) * p->batch) / rate : NAN, eta);
  fprintf(stderr, "%s%s%llu/%llu %s  %.0f/s  ETA %s%s", p->live ? "\r\033[K" : "", p->terminal ? "\033[?7l" : "",
          (unsigned long long)done, (unsigned long long)p->steps, things, rate, eta, p->terminal ? "\033[?7h" : "\n");
  p->live = p->terminal;
}

void progress_say(struct progress *p, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (p->live) fprintf(stderr, "\n");
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
  p->live = 0;
  va_end(args);
}
