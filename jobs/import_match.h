/* import_match.h - the tensors of a table, looked for in a file of weights and read. All that does not fit is said, line by line
 * on standard error, before the one reason. Ranks: local. */
#ifndef JOBS_IMPORT_MATCH_H
#define JOBS_IMPORT_MATCH_H
#include "io/weights.h"
#include "src/base/table.h"

struct import_part {
  struct weights *file;
  const char *prefix;                       /* before the names, in the file */
  size_t skip;                              /* characters that the table's names begin with and the file's do not */
  const struct table *table;
  bool (*foreign)(const char *name);        /* is this a tensor of a larger net, where the table has none so? NULL: never */
};
/* What stands before `mouth` in the name of a tensor of the file (under part., if that is not empty); *also: of a second one, or
 * "". False where there is none. */
bool import_prefix(const struct weights *f, const char *mouth, const char *part, char prefix[WEIGHTS_NAME],
                   char also[WEIGHTS_NAME]);
/* Errors: STATUS_BAD: missing tensors, other shapes or kinds, several that share their bytes. */
int import_match(const struct import_part *p);
/* Names on standard error what the file has beside them. */
void import_tell_unused(const struct import_part *p);
/* weights[table->size]. Errors: STATUS_BAD: a tensor cannot be read, or holds what is no finite number; STATUS_NOMEM. */
int import_read(const struct import_part *p, float *weights);
#endif
