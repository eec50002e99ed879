#include "src/base/status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char reason[1024];

int because(int status, const char *format, ...) {
  char text[sizeof reason];   /* the new reason may quote the old one */
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  for (char *c = text; *c; c++)
    if ((unsigned char)*c < ' ' || *c == 127) *c = '?';   /* a name may hold a newline; a reason is one line */
  snprintf(reason, sizeof reason, "%s", text);
  return status;
}

const char *status_reason(void) { return reason; }

int status_exit_code(int status) {
  switch (status) {
    case STATUS_OK:       return 0;
    case STATUS_SAVED:    return 75;
    case STATUS_DIVERGED: return 70;
    case STATUS_BAD:      return 65;
    case STATUS_MISSING:  return 69;
    case STATUS_IO:       return 74;
    default:              return 71;
  }
}
