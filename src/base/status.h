/* status.h - what a function says when the world (not our code) fails, and why.
 * A function that can fail returns a status; `because` records the one line that main prints.
 * Statuses are in order of severity, so that the worst over the ranks is their maximum.
 * Ranks: local. Memory: the reason lives in one static buffer per thread. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

enum status {
  STATUS_OK = 0,
  STATUS_SAVED,    /* stopped before the end, state saved: run again       exit 75 */
  STATUS_DIVERGED, /* the numbers went bad                                 exit 70 */
  STATUS_BAD,      /* settings or data are wrong                           exit 65 */
  STATUS_MISSING,  /* a program that is needed is not installed            exit 69 */
  STATUS_IO,       /* the file system failed                               exit 74 */
  STATUS_NOMEM,    /* memory is short                                      exit 71 */
};

/* Records the reason (printf style, one line without newline: what, where, what was expected) and returns status. */
int because(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The last reason recorded in this thread; "" if none. */
const char *status_reason(void);
/* The process exit code of a status (sysexits.h numbers). */
int status_exit_code(int status);
#endif
