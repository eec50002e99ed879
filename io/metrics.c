#include "io/metrics.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/events.h"
#include "io/json.h"
#include "src/base/status.h"

/* Whether a line is whole and not after `step`. */
static int keeps(const char *line, uint64_t step) {
  cJSON *object = cJSON_Parse(line);
  const cJSON *at = cJSON_GetObjectItemCaseSensitive(object, "step");
  const int keep = cJSON_IsNumber(at) && at->valuedouble <= (double)step;
  cJSON_Delete(object);
  return keep && strchr(line, '\n');
}

/* Goes through the lines of `in`; those that stay go to `out`, unless that is NULL. *all: do all stay? */
static int sift(FILE *in, const char *path, uint64_t step, FILE *out, int *all) {
  char *line = NULL;
  size_t room = 0;
  int failed = 0;
  *all = 1;
  errno = 0;
  while (!failed && getline(&line, &room, in) > 0)
    if (!keeps(line, step)) *all = 0;
    else if (out) failed = fputs(line, out) < 0;
  const int error = errno;   /* of getline too, which ends as at the end of the file */
  free(line);
  return failed || !feof(in) ? because(STATUS_IO, "%s: %s", path, strerror(error)) : STATUS_OK;
}

/* Copies what stays into path.tmp and puts that in path's place; where all stays nothing is written. */
static int cut(const char *path, uint64_t step) {
  char kept[4096];
  int all;
  snprintf(kept, sizeof kept, "%s.tmp", path);
  FILE *in = fopen(path, "r");
  if (!in) return errno == ENOENT ? STATUS_OK : because(STATUS_IO, "%s: %s", path, strerror(errno));
  int status = sift(in, path, step, NULL, &all);
  if (status || all) {
    fclose(in);
    return status;
  }
  rewind(in);
  FILE *out = fopen(kept, "w");
  status = out ? sift(in, path, step, out, &all) : because(STATUS_IO, "%s: %s", kept, strerror(errno));
  if (!status && (fflush(out) || fsync(fileno(out)))) status = because(STATUS_IO, "%s: %s", kept, strerror(errno));
  if (out && fclose(out) && !status) status = because(STATUS_IO, "%s: %s", kept, strerror(errno));
  if (!status && rename(kept, path)) status = because(STATUS_IO, "%s: %s", path, strerror(errno));
  if (status) unlink(kept);
  fclose(in);
  return status;
}

int metrics_open(struct metrics *m, const char *run, uint64_t step) {
  char path[4000];
  snprintf(path, sizeof path, "%s/metrics.jsonl", run);
  m->lines = NULL;
  const int status = cut(path, step);
  if (status) return status;
  m->lines = fopen(path, "a");
  return m->lines ? STATUS_OK : because(STATUS_IO, "%s: %s", path, strerror(errno));
}

double metrics_last(const char *run, const char *event, const char *name) {
  char path[4000];
  snprintf(path, sizeof path, "%s/metrics.jsonl", run);
  FILE *in = fopen(path, "r");
  char *line = NULL;
  size_t room = 0;
  double last = NAN;
  while (in && getline(&line, &room, in) > 0) {
    cJSON *object = cJSON_Parse(line);
    const cJSON *what = cJSON_GetObjectItemCaseSensitive(object, "event");
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    if (cJSON_IsString(what) && !strcmp(what->valuestring, event) && cJSON_IsNumber(value)) last = value->valuedouble;
    cJSON_Delete(object);
  }
  free(line);
  if (in) fclose(in);
  return last;
}

static int write_line(FILE *f, const char *event, uint64_t step, const struct metric *metrics, size_t count, const char *note) {
  cJSON *object = cJSON_CreateObject();
  cJSON_AddStringToObject(object, "event", event);
  cJSON_AddNumberToObject(object, "step", (double)step);
  for (size_t i = 0; i < count; i++) json_put(object, metrics[i].name, metrics[i].value);
  if (note) cJSON_AddStringToObject(object, "note", note);
  char *text = json_line(object);   /* files may have any names */
  if (!text) return because(STATUS_NOMEM, "no memory for a line of metrics");
  fprintf(f, "%s\n", text);
  cJSON_free(text);
  return fflush(f) ? because(STATUS_IO, "metrics.jsonl: %s", strerror(errno)) : STATUS_OK;
}

int metrics_write(const struct metrics *m, const char *event, uint64_t step, const struct metric *metrics, size_t count,
                  const char *note) {
  if (!m->lines) return STATUS_OK;
  const int status = write_line(m->lines, event, step, metrics, count, note);
  const int other = m->events ? events_metrics(m->events, event, step, metrics, count, note) : STATUS_OK;
  return status ? status : other;
}

void metrics_close(struct metrics *m) {
  if (m->lines) fclose(m->lines);
  m->lines = NULL;
}
