#include "io/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/progress.h"
#include "mpi/watch.h"
#include "src/base/status.h"

static struct {
  pthread_t thread;
  int started, rank, ranks;
  double limit;
  char host[64];
} dog;
static _Atomic double longest;     /* seconds of a step */
static _Atomic double patience = 1;
static _Atomic(const char *) left; /* file that is to have the last line */
static atomic_int stop, asked;     /* asked: by SIGUSR2 */
static int bell[2];                /* a pipe, rung for both: a handler may write to it */
static char line[512], leaving[4096];
static atomic_int withdrawn;

static int hang_bell(void) {
  if (pipe(bell)) return -1;
  for (int i = 0; i < 2; i++)
    if (fcntl(bell[i], F_SETFL, O_NONBLOCK) || fcntl(bell[i], F_SETFD, FD_CLOEXEC)) return -1;
  return 0;
}

static void ring(void) {
  if (write(bell[1], "", 1) < 0) return;   /* full of rings that it has not heard yet */
}

static void ask(int signal) {
  (void)signal;
  const int before = errno;
  asked = 1;
  ring();
  errno = before;
}

/* One line, in one write, so that those of several ranks do not mix. */
static void tell(double seconds, const char *end) {
  const struct watch w = watch_now();
  char place[160], what[96];
  if (w.count) snprintf(what, sizeof what, "%s, %zu element%s", w.operation, w.count, w.count > 1 ? "s" : "");
  else snprintf(what, sizeof what, "%s", w.operation);
  if (w.inside) snprintf(place, sizeof place, "in collective %llu (%s)", (unsigned long long)w.sequence, what);
  else if (w.sequence) snprintf(place, sizeof place, "in no collective, after number %llu (%s)", (unsigned long long)w.sequence,
                                what);
  else snprintf(place, sizeof place, "before the first collective");
  snprintf(line, sizeof line, "watchdog: rank %d of %d on %s: step %llu, phase %s, %s, for %.1f s%s\n", dog.rank, dog.ranks,
           dog.host, (unsigned long long)w.step, *w.phase ? w.phase : "start", place, seconds, end);
  if (write(STDERR_FILENO, line, strlen(line)) < 0) return;   /* nothing to be done about it */
}

/* Until the bell rings, or so many seconds have passed, by a clock that nobody sets. */
static void wait_for(double seconds) {
  struct pollfd heard = { .fd = bell[0], .events = POLLIN };
  char rings[64];
  if (poll(&heard, 1, (int)(1000 * seconds) + 1) > 0 && read(bell[0], rings, sizeof rings) < 0) return;
}

static double limit_now(void) {
  const double steps = 10 * longest;
  return patience * (dog.limit > steps ? dog.limit : steps);
}

void watchdog_patience(double times) { patience = times; }
void watchdog_leave(const char *path) { left = path; }

/* In a thread of its own: where the file system hangs, that must not keep the process from its end. It dies with the process, or
 * takes back what it has written. */
static void *leave_line(void *unused) {
  (void)unused;
  int fd = open(leaving, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0666);
  const int own = fd >= 0;
  if (!own && errno == EEXIST) fd = open(leaving, O_WRONLY | O_APPEND);
  if (fd < 0) return NULL;
  if (write(fd, line, strlen(line)) >= 0) fsync(fd);
  close(fd);
  while (!withdrawn) nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
  if (own) unlink(leaving);
  return NULL;
}

/* Nothing has moved for too long. The other ranks notice within a step, and have the time to say so. */
static void bark(double still, uint64_t moves) {
  tell(still, "; nothing moves, so this run ends; the same command goes on from its last checkpoint");
  const char *path = left;
  pthread_t writer;
  withdrawn = 0;
  if (path) snprintf(leaving, sizeof leaving, "%s", path);
  if (path && !pthread_create(&writer, NULL, leave_line, NULL)) pthread_detach(writer);
  const double until = progress_clock() + 1 + 1.5 * longest;
  while (!stop && progress_clock() < until) wait_for(0.1);
  if (!stop && watch_now().moves == moves) _exit(WATCHDOG_EXIT);
  withdrawn = 1;   /* it has woken up */
}

static void *look_on(void *unused) {
  (void)unused;
  uint64_t moves = watch_now().moves;
  double still = 0, looked = progress_clock();
  while (!stop) {
    const double pause = dog.limit > 0 ? (dog.limit < 20 ? dog.limit / 20 : 1) : 3600;
    wait_for(pause);
    const double now = progress_clock(), passed = now - looked;
    const uint64_t moved = watch_now().moves;
    still = moved != moves ? 0 : still + (passed < 2 * pause ? passed : 2 * pause);   /* more: the process was stopped */
    moves = moved;
    looked = now;
    if (atomic_exchange(&asked, 0)) tell(still, "");
    if (dog.limit > 0 && still > limit_now() && !stop) {
      bark(still, moves);
      still = 0;
    }
  }
  return NULL;
}

void watchdog_prepare(void) { signal(SIGUSR2, SIG_IGN); }

int watchdog_start(int rank, int ranks, double limit) {
  struct sigaction action = { .sa_handler = ask, .sa_flags = SA_RESTART };
  sigset_t every, before;
  dog.rank = rank;
  dog.ranks = ranks;
  dog.limit = limit;
  longest = 0;
  stop = asked = 0;
  gethostname(dog.host, sizeof dog.host - 1);
  if (hang_bell()) return because(STATUS_NOMEM, "the watchdog has no bell: %s", strerror(errno));
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &before);   /* signals stay with the thread that asked for them */
  const int failed = pthread_create(&dog.thread, NULL, look_on, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  dog.started = !failed;
  if (failed) {
    close(bell[0]), close(bell[1]);
    return because(STATUS_NOMEM, "the watchdog's thread cannot be started: %s", strerror(failed));
  }
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR2, &action, NULL);
  return STATUS_OK;
}

void watchdog_step(double seconds) {
  if (seconds > longest) longest = seconds;
}

void watchdog_stop(void) {
  if (!dog.started) return;
  watchdog_prepare();   /* a signal that is late ends nothing */
  stop = 1;
  ring();
  pthread_join(dog.thread, NULL);
  close(bell[0]), close(bell[1]);
  dog.started = 0;
}
