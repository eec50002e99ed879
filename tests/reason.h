/* reason.h - what a refusal says. */
#ifndef TESTS_REASON_H
#define TESTS_REASON_H
#include "src/base/status.h"
#include "tests/harness.h"

/* The reason must be one line that names the file and holds `text`. */
static inline void ck_reason(const char *file, const char *text) {
  ck_assert_msg(strstr(status_reason(), file) != NULL, "'%s' does not name %s", status_reason(), file);
  ck_assert_msg(strstr(status_reason(), text) != NULL, "'%s' lacks '%s'", status_reason(), text);
  ck_assert_ptr_null(strchr(status_reason(), '\n'));
}
#endif
