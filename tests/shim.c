/* shim.c - a file system that fails on purpose, for tests: LD_PRELOAD=tests/shim.so pmf ... It stands between the program, with
 * all its libraries, and the C library's open, fopen, mkdir, fallocate, write, fsync, rename, flock and
 * fcntl.
 *   SHIM_FAIL="CALL ERRNO FIRST LAST ENDING [RANK]"   those calls FIRST to LAST (from 1) of this process that concern a file whose
 *             name ends in ENDING fail with that errno, on that rank only or on all; several of them between commas. open is
 *             what opens a file to change it, look what opens one to read it, lock what fcntl is asked for
 *             without waiting; fallocate and write have their kin (posix_, p-, -v, -64).
 *   SHIM_SLOW="CALL SECONDS ENDING"                   such calls take so much longer
 *   SHIM_CRASH=1                                      MPI crashes as it ends
 *   SHIM_LOG=FILE                                     a line "RANK CALL NAME [BYTES]" for each of them
 * Memory: none. Errors: those asked for. Ranks: local; a launcher's variable says which this is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { RULES = 4 };

/* The C library's own function of that name. */
#define REAL(type, name, ...) (__extension__ (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

static int rank(void) {
  const char *r = getenv("OMPI_COMM_WORLD_RANK");
  return r ? atoi(r) : 0;
}

static int ends(const char *name, const char *ending) {
  const size_t n = strlen(name), m = strlen(ending);
  return n >= m && !strcmp(name + n - m, ending);
}

static void note(const char *call, const char *name, long long bytes) {
  const char *log = getenv("SHIM_LOG");
  char line[PATH_MAX + 64];
  if (!log) return;
  const int n = bytes < 0 ? snprintf(line, sizeof line, "%d %s %s\n", rank(), call, name)
                          : snprintf(line, sizeof line, "%d %s %s %lld\n", rank(), call, name, bytes);
  const int fd = REAL(int, "open", const char *, int, ...)(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (fd >= 0 && n > 0) (void)!REAL(ssize_t, "write", int, const void *, size_t)(fd, line, (size_t)n);   /* one call: one line */
  if (fd >= 0) close(fd);
}

static void slow(const char *call, const char *name) {
  char what[16], ending[256];
  double seconds;
  const char *rule = getenv("SHIM_SLOW");
  if (!rule || sscanf(rule, "%15s %lf %255s", what, &seconds, ending) != 3) return;
  if (strcmp(what, call) || !ends(name, ending)) return;
  const struct timespec t = { (time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds)) };
  nanosleep(&t, NULL);
}

/* The errno that this call must fail with, or 0. */
static int must_fail(const char *call, const char *name) {
  static atomic_int seen[RULES];
  const char *rule = getenv("SHIM_FAIL");
  for (int i = 0; rule && i < RULES; i++) {
    char what[16], ending[256];
    int why, first, last, where = -1;
    if (sscanf(rule, "%15s %d %d %d %255[^ ,] %d", what, &why, &first, &last, ending, &where) < 5) return 0;
    if (!strcmp(what, call) && ends(name, ending) && (where < 0 || where == rank())) {
      const int n = 1 + atomic_fetch_add(&seen[i], 1);
      if (n >= first && n <= last) return why;
    }
    rule = strchr(rule, ',');
    if (rule) rule++;
  }
  return 0;
}

/* 0, or -1 with errno: the call is not to be made. */
static int stands(const char *call, const char *name, long long bytes) {
  const int before = errno;
  note(call, name, bytes);
  slow(call, name);
  const int why = must_fail(call, name);
  errno = why ? why : before;
  return why ? -1 : 0;
}

static int stands_open(int fd, const char *call, long long bytes) {
  char link[64], name[PATH_MAX] = "";
  const int before = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(link, name, sizeof name - 1);
  errno = before;
  return n <= 0 || *name != '/' ? 0 : stands(call, name, bytes);   /* no pipes, no sockets */
}

static int changes(int flags) { return flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC); }

#define OPEN(function)                                              \
  int function(const char *name, int flags, ...) {                  \
    va_list rest;                                                   \
    va_start(rest, flags);                                          \
    const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                   \
    if (stands(changes(flags) ? "open" : "look", name, -1)) return -1; \
    return REAL(int, #function, const char *, int, ...)(name, flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define FOPEN(function)                                                \
  FILE *function(const char *name, const char *mode) {                 \
    if (*mode != 'r' && stands("open", name, -1)) return NULL;         \
    return REAL(FILE *, #function, const char *, const char *)(name, mode); \
  }
FOPEN(fopen)
FOPEN(fopen64)

int mkdir(const char *name, mode_t mode) {
  return stands("mkdir", name, -1) ? -1 : REAL(int, "mkdir", const char *, mode_t)(name, mode);
}
int rename(const char *from, const char *to) {
  return stands("rename", from, -1) ? -1 : REAL(int, "rename", const char *, const char *)(from, to);
}
int fsync(int fd) { return stands_open(fd, "fsync", -1) ? -1 : REAL(int, "fsync", int)(fd); }
int flock(int fd, int how) { return stands_open(fd, "flock", -1) ? -1 : REAL(int, "flock", int, int)(fd, how); }

#define FCNTL(function)                                                                     \
  int function(int fd, int what, ...) {                                                     \
    va_list rest;                                                                           \
    va_start(rest, what);                                                                   \
    void *with = va_arg(rest, void *); /* a number, a pointer or nothing: handed on as it came */ \
    va_end(rest);                                                                           \
    if (what == F_SETLK && stands_open(fd, "lock", -1)) return -1;                          \
    return REAL(int, #function, int, int, ...)(fd, what, with);                             \
  }
FCNTL(fcntl)
FCNTL(fcntl64)

#define FALLOCATE(function)                                                                                            \
  int function(int fd, off_t at, off_t n) { /* its status is the errno */                                              \
    return stands_open(fd, "fallocate", n) ? errno : REAL(int, #function, int, off_t, off_t)(fd, at, n);               \
  }
int fallocate(int fd, int mode, off_t at, off_t n) {
  return stands_open(fd, "fallocate", n) ? -1 : REAL(int, "fallocate", int, int, off_t, off_t)(fd, mode, at, n);
}
int fallocate64(int fd, int mode, off_t at, off_t n) {
  return stands_open(fd, "fallocate", n) ? -1 : REAL(int, "fallocate64", int, int, off_t, off_t)(fd, mode, at, n);
}
FALLOCATE(posix_fallocate)
FALLOCATE(posix_fallocate64)

ssize_t write(int fd, const void *from, size_t n) {
  return stands_open(fd, "write", (long long)n) ? -1 : REAL(ssize_t, "write", int, const void *, size_t)(fd, from, n);
}
#define PWRITE(function)                                                                                       \
  ssize_t function(int fd, const void *from, size_t n, off_t at) {                                             \
    if (stands_open(fd, "write", (long long)n)) return -1;                                                     \
    return REAL(ssize_t, #function, int, const void *, size_t, off_t)(fd, from, n, at);                        \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

static long long length(const struct iovec *parts, int n) {
  long long bytes = 0;
  for (int i = 0; i < n; i++) bytes += (long long)parts[i].iov_len;
  return bytes;
}
ssize_t writev(int fd, const struct iovec *parts, int n) {
  if (stands_open(fd, "write", length(parts, n))) return -1;
  return REAL(ssize_t, "writev", int, const struct iovec *, int)(fd, parts, n);
}
#define PWRITEV(function)                                                                                      \
  ssize_t function(int fd, const struct iovec *parts, int n, off_t at) {                                       \
    if (stands_open(fd, "write", length(parts, n))) return -1;                                                 \
    return REAL(ssize_t, #function, int, const struct iovec *, int, off_t)(fd, parts, n, at);                  \
  }
PWRITEV(pwritev)
PWRITEV(pwritev64)

int MPI_Finalize(void) {
  const int status = REAL(int, "MPI_Finalize", void)();
  if (getenv("SHIM_CRASH")) raise(SIGSEGV);
  return status;
}
