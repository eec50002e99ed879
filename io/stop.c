#include "io/stop.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/progress.h"

static volatile sig_atomic_t caught;
static struct timespec began;   /* of this program, by the clock that files are stamped with */

static void note(int signal) { caught = signal; }

void stop_install(void) {
  static const int signals[] = { SIGUSR1, SIGTERM, SIGINT };
  struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };
  sigemptyset(&action.sa_mask);
#ifdef CLOCK_REALTIME_COARSE
  clock_gettime(CLOCK_REALTIME_COARSE, &began);
#else
  clock_gettime(CLOCK_REALTIME, &began);
#endif
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}

static const char *stop_path(const char *run, char path[static 4096]) {
  snprintf(path, 4096, "%s/stop", run);
  return path;
}

void stop_clear(const char *run) {
  char path[4096];
  struct stat s;
  if (stat(stop_path(run, path), &s)) return;
  const struct timespec made = s.st_mtim;
  /* Some file systems stamp in whole seconds: one of this second may be new, and stays. */
  const int earlier = made.tv_nsec && made.tv_nsec < began.tv_nsec;
  if (made.tv_sec < began.tv_sec || (made.tv_sec == began.tv_sec && earlier)) unlink(path);
}

enum stop stop_reason(const char *run, double deadline) {
  static double looked;
  const double now = progress_clock();
  if (caught) return caught == SIGUSR1 ? STOP_USR1 : caught == SIGTERM ? STOP_TERM : STOP_INT;
  if (deadline > 0 && now >= deadline) return STOP_TIME;
  if (run && now - looked > 5) {
    char path[4096];
    looked = now;
    if (!access(stop_path(run, path), F_OK)) return STOP_FILE;
  }
  return STOP_NOT;
}

const char *stop_text(enum stop reason) {
  static const char *const text[] = { [STOP_NOT] = "", [STOP_SAVES] = "as many checkpoints as training.max_saves asks for",
                                      [STOP_TIME] = "the time set by training.max_time",
                                      [STOP_FILE] = "the file `stop` in the run's folder", [STOP_INT] = "signal INT",
                                      [STOP_TERM] = "signal TERM", [STOP_USR1] = "signal USR1" };
  return text[reason];
}
