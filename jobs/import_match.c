#include "jobs/import_match.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/base/status.h"

/* Lines on standard error, at most 20 of a kind. The names come from the file: what a terminal obeys is left out. */
__attribute__((format(printf, 2, 3))) static void say(size_t *said, const char *format, ...) {
  char line[768];
  va_list args;
  if (++*said > 20) return;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  for (char *c = line; *c; c++)
    if (iscntrl((unsigned char)*c)) *c = '?';
  fprintf(stderr, "%s\n", line);
}
static void say_rest(size_t said) {
  if (said > 20) fprintf(stderr, "... and %zu more\n", said - 20);
}

bool import_prefix(const struct weights *f, const char *mouth, const char *part, char prefix[WEIGHTS_NAME],
                   char also[WEIGHTS_NAME]) {
  size_t found = 0;
  const size_t wanted = strlen(part), m = strlen(mouth);
  for (size_t i = 0; i < f->count; i++) {
    const char *name = f->tensors[i].name;
    const size_t n = strlen(name);
    if (n < m || strcmp(name + n - m, mouth) || (n > m && name[n - m - 1] != '.')) continue;
    if (wanted && (strncmp(name, part, wanted) || name[wanted] != '.')) continue;
    snprintf(found++ ? also : prefix, WEIGHTS_NAME, "%.*s", (int)(n - m), name);
  }
  if (found < 2) *also = 0;
  return found > 0;
}

static bool same_shape(const struct tensor *t, const struct weights_tensor *x) {
  bool same = x->rank == (size_t)t->rank;
  for (size_t d = 0; same && d < x->rank; d++) same = x->shape[d] == t->shape[d];
  return same;
}

static const char *shape_text(char text[96], const struct tensor *t) {
  int used = snprintf(text, 96, "[");
  for (int d = 0; d < t->rank; d++) used += snprintf(text + used, 96 - (size_t)used, "%s%zu", d ? "," : "", t->shape[d]);
  snprintf(text + used, 96 - (size_t)used, "]");
  return text;
}

static const struct weights_tensor *find(const struct import_part *p, const struct tensor *t) {
  return weights_find(p->file, p->prefix, t->name + p->skip);
}

/* The table's tensor of a name in the file without its prefix; NULL if there is none. */
static const struct tensor *known(const struct import_part *p, const char *name) {
  for (size_t i = 0; i < p->table->count; i++)
    if (!strcmp(p->table->tensors[i].name + p->skip, name)) return &p->table->tensors[i];
  return NULL;
}

int import_match(const struct import_part *p) {
  char found[128], expected[96];
  size_t missing = 0, wrong = 0, said = 0, bytes = 0;
  const size_t n = strlen(p->prefix);
  for (size_t i = 0; i < p->table->count; i++) {
    const struct tensor *t = &p->table->tensors[i];
    const struct weights_tensor *x = find(p, t);
    shape_text(expected, t);
    if (!x) {
      missing++;
      say(&said, "%s%s: missing, expected %s", p->prefix, t->name + p->skip, expected);
    } else if (!same_shape(t, x) || x->kind->number == NUMBER_OTHER) {
      wrong++;
      say(&said, "%s: %s, expected %s", x->name, weights_text(found, x), expected);
    } else {
      bytes += x->size * x->kind->bytes;
    }
  }
  for (size_t i = 0; i < p->file->count && p->foreign; i++) {
    const char *name = p->file->tensors[i].name;
    if (!strncmp(name, p->prefix, n) && p->foreign(name + n) && !known(p, name + n)) say(&said, "%s: not in the net", name);
  }
  say_rest(said);
  if (said)
    return because(STATUS_BAD, "%s: %zu tensors do not fit: %zu missing, %zu of another shape or kind, %zu that the net has"
                   " not; are the sizes those of another net?", p->file->path, said, missing, wrong, said - missing - wrong);
  if (bytes > p->file->size)
    return because(STATUS_BAD, "%s: %zu bytes for tensors of %zu: several share theirs", p->file->path, p->file->size, bytes);
  return STATUS_OK;
}

/* torch's count of the batches that a batch norm has seen. */
static bool is_counter(const char *name) {
  static const char end[] = ".num_batches_tracked";
  const size_t n = strlen(name), m = sizeof end - 1;
  return n > m && !strcmp(name + n - m, end);
}

/* Of tensors that are not under the prefix only how many. */
void import_tell_unused(const struct import_part *p) {
  char text[128];
  size_t said = 0, elsewhere = 0;
  const size_t n = strlen(p->prefix);
  for (size_t i = 0; i < p->file->count; i++) {
    const struct weights_tensor *x = &p->file->tensors[i];
    if (strncmp(x->name, p->prefix, n)) elsewhere++;
    else if (!known(p, x->name + n) && !is_counter(x->name)) say(&said, "left out: %s: %s", x->name, weights_text(text, x));
  }
  say_rest(said);
  if (elsewhere) fprintf(stderr, "left out: %zu tensors whose names do not begin with %s\n", elsewhere, p->prefix);
}

int import_read(const struct import_part *p, float *weights) {
  for (size_t i = 0; i < p->table->count; i++) {
    const struct tensor *t = &p->table->tensors[i];
    const struct weights_tensor *x = find(p, t);
    const int status = weights_read(p->file, x, weights + t->offset);
    if (status) return status;
    for (size_t j = t->offset; j < t->offset + t->size; j++)
      if (!isfinite(weights[j])) return because(STATUS_BAD, "%s: tensor %s holds %f", p->file->path, x->name, weights[j]);
  }
  return STATUS_OK;
}
