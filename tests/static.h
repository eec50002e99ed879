/* static.h - what analysers of one file at a time cannot see, included before each source by tests/static.sh: that `because` returns
 * the status it is given, which is none but where something failed, and that `agree` and `agree_any` return no better one than they are
 * given. */
#ifndef TESTS_STATIC_H
#define TESTS_STATIC_H
#include "mpi/agree.h"
#include "src/base/status.h"

static inline __attribute__((unused)) int static_agreed(int worst, int status) {
  if (status < 0 || worst < status) __builtin_unreachable();
  return worst;
}
static inline __attribute__((unused)) int static_agreed_any(int any, int flag) {
  if (flag && !any) __builtin_unreachable();
  return any;
}
#ifndef STATIC_status   /* status.c itself */
#define because(status, ...) ((because)(status, __VA_ARGS__), (status))
#endif
#ifndef STATIC_agree
#define agree(comm, status) static_agreed((agree)(comm, status), status)
#define agree_any(comm, flag) static_agreed_any((agree_any)(comm, flag), flag)
#endif
#endif
