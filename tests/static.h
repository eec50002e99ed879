/* static.h - what analysers of one file at a time cannot see, included before each source by tests/static.sh: that `because` returns
 * the status it is given, which is none but where something failed, and that `agree` returns no better one than it is given. */
#ifndef TESTS_STATIC_H
#define TESTS_STATIC_H
#include "mpi/agree.h"
#include "src/base/status.h"

static inline __attribute__((unused)) int static_agreed(int worst, int status) {
  if (worst < status) __builtin_unreachable();
  return worst;
}
#ifndef STATIC_status   /* status.c itself */
#define because(status, ...) ((because)(status, __VA_ARGS__), (status))
#endif
#ifndef STATIC_agree
#define agree(comm, status) static_agreed((agree)(comm, status), status)
#endif
#endif
