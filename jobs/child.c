#include "jobs/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/status.h"

static volatile sig_atomic_t told, running;   /* running: the child's number, 0: none */

static const int signals[] = { SIGINT, SIGTERM, SIGUSR1 };
enum { SIGNALS = sizeof signals / sizeof *signals };

static void hear(int signal) {
  (void)signal;
  told = 1;
  if (running > 0) kill((pid_t)running, SIGUSR1);
}

void child_listen(void) {
  struct sigaction a = { .sa_handler = hear };
  for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &a, NULL);
}

int child_told(void) { return told; }

/* --- words ------------------------------------------------------------------------------------------------------------- */

static void add(struct child_words *w, const char *text, size_t n) {
  if (w->count >= CHILD_WORDS || w->used + n + 1 > CHILD_TEXT) {
    w->count = CHILD_WORDS + 1;   /* too many: child_run says so */
    return;
  }
  char *at = w->text + w->used;
  memcpy(at, text, n);
  at[n] = 0;
  w->list[w->count++] = at;
  w->used += n + 1;
}

void child_word(struct child_words *w, const char *format, ...) {
  char text[CHILD_TEXT];
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  add(w, text, n > 0 ? (size_t)n : 0);
}

void child_split(struct child_words *w, const char *words) {
  for (words = words ? words : ""; *words; words += strcspn(words, " ")) {
    words += strspn(words, " ");
    if (*words) add(w, words, strcspn(words, " "));
  }
}

/* --- the process ------------------------------------------------------------------------------------------------------- */

static const char *launcher(void) {
  const char *set = getenv("MPIRUN");
  return set && *set ? set : "mpirun";
}

/* This program's file; where another has taken its place (built anew meanwhile), that one. */
static void find_self(char *path, size_t room) {
  static const char gone[] = " (deleted)";
  const ssize_t length = readlink("/proc/self/exe", path, room - 1);
  path[length > 0 ? length : 0] = 0;
  if (length >= (ssize_t)sizeof gone && !strcmp(path + length - (sizeof gone - 1), gone)) path[length - (ssize_t)(sizeof gone - 1)] = 0;
}

/* In the child. A group of its own: what a terminal sends reaches the parent alone, which asks it to save. */
static void become(long ranks, const struct child_words *w, int out, int log, pid_t parent, const sigset_t *before) {
  static char self[4096], number[32];
  char *args[CHILD_WORDS + 8];
  size_t k = 0;
  find_self(self, sizeof self);
  snprintf(number, sizeof number, "%ld", ranks);
  if (ranks > 1) args[k++] = (char *)launcher(), args[k++] = "-n", args[k++] = number;
  if (ranks > 1) setenv("OMP_NUM_THREADS", "1", 0);
  unsetenv("PMF_EXIT_SAVED");   /* a batch script's: here the code says whether it came to its end */
  args[k++] = self;
  for (size_t i = 0; i < w->count; i++) args[k++] = w->list[i];
  args[k] = NULL;
  setpgid(0, 0);
  for (int i = 0; i < SIGNALS; i++) signal(signals[i], SIG_DFL);   /* what waits for an end of the mask ends it */
  sigprocmask(SIG_SETMASK, before, NULL);
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGUSR1);
  if (getppid() != parent) _exit(1);   /* it died before that */
#else
  (void)parent;
#endif
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO), dup2(out, STDOUT_FILENO), dup2(log, STDERR_FILENO);
  execvp(args[0], args);
  _exit(127);
}

/* All of it to the log; the last line that starts an object in json. */
static void read_output(int in, int log, char *json, size_t room) {
  FILE *f = fdopen(in, "r");
  char *line = NULL;
  size_t size = 0;
  ssize_t n;
  if (json) *json = 0;
  while (f && ((n = getline(&line, &size, f)) > 0 || (errno == EINTR && !feof(f)))) {
    if (n <= 0) {
      clearerr(f);
      continue;
    }
    if (write(log, line, (size_t)n) < 0) {}   /* a full disk costs the log alone */
    if (json && *line == '{' && (size_t)n < room) memcpy(json, line, (size_t)n + 1);
  }
  free(line);
  if (f) fclose(f);
  else close(in);
}

int child_run(long ranks, const struct child_words *w, const char *log_path, char *json, size_t room, int *code) {
  int ends[2], how = 0;
  if (told) return because(STATUS_SAVED, "told to stop before pmf %s", w->list[0]);
  if (w->count > CHILD_WORDS) return because(STATUS_BAD, "more than %d words for pmf %s", CHILD_WORDS, w->list[0]);
  const int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (log < 0) return because(STATUS_IO, "%s: %s", log_path, strerror(errno));
  if (pipe(ends)) {
    close(log);
    return because(STATUS_IO, "no pipe to pmf %s: %s", w->list[0], strerror(errno));
  }
  fcntl(ends[0], F_SETFD, FD_CLOEXEC), fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  sigset_t mine, before;   /* no word is lost between here and there */
  sigemptyset(&mine);
  for (int i = 0; i < SIGNALS; i++) sigaddset(&mine, signals[i]);
  sigprocmask(SIG_BLOCK, &mine, &before);
  const pid_t parent = getpid(), child = fork();
  if (child == 0) become(ranks, w, ends[1], log, parent, &before);
  close(ends[1]);
  if (child < 0) {
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[0]), close(log);
    return because(STATUS_IO, "pmf %s cannot be started: %s", w->list[0], strerror(errno));
  }
  running = child;
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (told) kill(child, SIGUSR1);
  errno = 0;
  read_output(ends[0], log, json, room);
  while (waitpid(child, &how, 0) < 0 && errno == EINTR) {}
  running = 0;
  close(log);
  *code = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
  if (*code == 127 && ranks == 1) return because(STATUS_MISSING, "this program's own file is gone: pmf %s cannot be started", w->list[0]);
  if (*code == 127) return because(STATUS_MISSING, "%s is not to be found, which starts ranks; MPIRUN names another", launcher());
  return STATUS_OK;
}
