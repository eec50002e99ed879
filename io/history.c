#include "io/history.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"
#include "src/base/status.h"

/* How far the reading has come. */
struct reading {
  size_t room_steps, room_scores;
  double before;                 /* minutes of the starts before this one */
};

static double last_minutes(const struct history *h) { return h->n_steps ? h->steps[h->n_steps - 1].minutes : 0; }

/* Room for one more of n; NULL without memory, and then all stays as it is. */
static void *grown(void *array, size_t n, size_t *room, size_t size) {
  if (n < *room) return array;
  const size_t more = *room ? 2 * *room : 1024;
  void *longer = realloc(array, more * size);
  if (longer) *room = more;
  return longer;
}

static int add_step(struct history *h, struct reading *r, const cJSON *o, double step) {
  while (h->n_steps && h->steps[h->n_steps - 1].step >= step) h->n_steps--;
  struct history_step *longer = grown(h->steps, h->n_steps, &r->room_steps, sizeof *longer);
  if (!longer) return because(STATUS_NOMEM, "no memory for the lines of metrics.jsonl");
  h->steps = longer;
  const double minutes = json_number(o, "seconds") / 60;
  if (r->before + minutes < last_minutes(h)) r->before = last_minutes(h);   /* the line of a start was lost */
  h->steps[h->n_steps++] = (struct history_step){ step, json_number(o, "images"), r->before + minutes, json_number(o, "loss"),
                                                  json_number(o, "mse_u"), json_number(o, "mse_v") };
  return STATUS_OK;
}

static int add_score(struct history *h, struct reading *r, const cJSON *o, double step) {
  while (h->n_scores && h->scores[h->n_scores - 1].step >= step) h->n_scores--;
  struct history_score *longer = grown(h->scores, h->n_scores, &r->room_scores, sizeof *longer);
  if (!longer) return because(STATUS_NOMEM, "no memory for the lines of metrics.jsonl");
  h->scores = longer;
  struct history_score *s = &h->scores[h->n_scores++];
  *s = (struct history_score){ .step = step, .images = json_number(o, "images"), .minutes = NAN,
                               .fid = json_number(o, "fid_classifier"), .kid = json_number(o, "kid_classifier"),
                               .agreement = json_number(o, "agreement"), .n = json_number(o, "n"),
                               .rank_deficient = json_number(o, "rank_deficient") > 0 };
  sscanf(json_text(o, "note"), "classifier %19[0-9a-f]", s->judge);
  return STATUS_OK;
}

static void drop_after(struct history *h, double step) {
  while (h->n_steps && h->steps[h->n_steps - 1].step > step) h->n_steps--;
  while (h->n_scores && h->scores[h->n_scores - 1].step > step) h->n_scores--;
}

static void begin_again(struct history *h, struct reading *r, const cJSON *o, double step) {
  const double images = json_number(o, "images");
  drop_after(h, step);
  r->before = last_minutes(h);
  if (!h->n_steps) h->began = isfinite(images) ? images : 0;
  const double ranks = json_number(o, "ranks");
  if (ranks >= 1 && ranks < 1e9) h->ranks = (int)ranks;
}

static int add_line(struct history *h, struct reading *r, const char *line) {
  cJSON *o = strchr(line, '\n') ? cJSON_Parse(line) : NULL;
  const char *event = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "event"));
  const double step = json_number(o, "step");
  int status = STATUS_OK;
  if (event && isfinite(step)) {
    if (!strcmp(event, "start") || !strcmp(event, "resume")) begin_again(h, r, o, step);
    else if (!strcmp(event, "rollback")) drop_after(h, step);
    else if (!strcmp(event, "step")) status = add_step(h, r, o, step);
    else if (!strcmp(event, "score")) status = add_score(h, r, o, step);
  }
  cJSON_Delete(o);
  return status;
}

int history_read(struct history *h, const char *run) {
  char path[4096];
  *h = (struct history){ 0 };
  if (snprintf(path, sizeof path, "%s/metrics.jsonl", run) >= (int)sizeof path)
    return because(STATUS_BAD, "%.64s...: the name is too long", run);
  FILE *f = fopen(path, "r");
  if (!f) return because(errno == ENOENT || errno == ENOTDIR ? STATUS_BAD : STATUS_IO, "%s: %s; expected the folder of a run",
                         path, strerror(errno));
  struct reading r = { 0 };
  char *line = NULL;
  size_t room = 0;
  int status = STATUS_OK;
  while (!status && getline(&line, &room, f) > 0) status = add_line(h, &r, line);
  if (!status && ferror(f)) status = because(STATUS_IO, "%s: %s", path, strerror(errno));
  free(line);
  fclose(f);
  if (!status && !h->n_steps) status = because(STATUS_BAD, "%s: no line of a step yet", path);
  for (size_t i = 0; i < h->n_scores; i++) h->scores[i].minutes = history_minutes(h, h->scores[i].images);
  return status;
}

void history_free(struct history *h) {
  free(h->steps);
  free(h->scores);
  *h = (struct history){ 0 };
}

static double images_of(const struct history_step *s) { return s->images; }
static double minutes_of(const struct history_step *s) { return s->minutes; }

/* y at x, both rising from x0, y0 along the steps. */
static double between(const struct history *h, double x, double x0, double (*x_of)(const struct history_step *), double y0,
                      double (*y_of)(const struct history_step *)) {
  if (!isfinite(x)) return NAN;
  for (size_t i = 0; i < h->n_steps; i++) {
    const double x1 = x_of(&h->steps[i]), y1 = y_of(&h->steps[i]);
    if (!isfinite(x1) || !isfinite(y1)) continue;
    if (x <= x1) return x1 > x0 ? y0 + (y1 - y0) * (x - x0) / (x1 - x0) : y1;
    x0 = x1, y0 = y1;
  }
  return y0;
}
double history_images(const struct history *h, double minutes) { return between(h, minutes, 0, minutes_of, h->began, images_of); }
double history_minutes(const struct history *h, double images) { return between(h, images, h->began, images_of, 0, minutes_of); }

double history_rate(const struct history *h) {
  const struct history_step *last = &h->steps[h->n_steps - 1];
  return (last->images - h->began) / (60 * last->minutes);
}
