#include "jobs/scaling.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"
#include "src/base/median.h"
#include "src/base/status.h"

/* --- runs as they were written ----------------------------------------------------------------------------------------- */

struct run {
  char study[16], name[64];
  int ranks, threads;
  double batch, images_per_s, seconds, exposed;
  double share, bytes;    /* of a measured run */
  double efficiency;      /* of a simulated one, else NAN */
};
struct runs { struct run *list; size_t count; };

static int take_text(const cJSON *o, const char *name, char *text, size_t room) {
  const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
  return value && *value && !strpbrk(value, ",\"\n") && (size_t)snprintf(text, room, "%s", value) < room;
}

/* Zero unless the line is a run of the study with all that is needed of it. */
static int understand(const char *line, struct run *r) {
  cJSON *o = cJSON_Parse(line);
  const cJSON *b = cJSON_GetObjectItemCaseSensitive(o, "bench");
  const double ranks = json_number(b, "ranks"), threads = json_number(b, "threads");
  int good = take_text(o, "study", r->study, sizeof r->study) && take_text(o, "net", r->name, sizeof r->name);
  r->batch = json_number(b, "batch_size"), r->images_per_s = json_number(b, "images_per_s"), r->seconds = json_number(b, "step_seconds");
  r->exposed = json_number(b, "reduce_exposed"), r->share = json_number(b, "step_share"), r->bytes = json_number(b, "peak_bytes");
  r->efficiency = json_number(b, "efficiency");
  good = good && ranks >= 1 && ranks < 1e9 && threads >= 1 && threads < 1e6 && r->batch > 0 && r->images_per_s > 0
         && r->seconds > 0 && r->exposed >= 0 && ((r->share > 0 && r->bytes > 0) || r->efficiency > 0);
  if (good) r->ranks = (int)ranks, r->threads = (int)threads;
  cJSON_Delete(o);
  return good;
}

static int add_file(struct runs *all, const char *folder, const char *name) {
  char path[4096], *line = NULL;
  size_t room = 0;
  long row = 0;
  int status = STATUS_OK;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "r");
  if (!f) return because(STATUS_IO, "%s: %s", path, strerror(errno));
  while (!status && getline(&line, &room, f) > 0) {
    struct run r = { .ranks = 0 }, *list;
    row++;
    if (!understand(line, &r)) {
      status = because(STATUS_BAD, "%s:%ld: expected a run of the study: {\"study\":..., \"net\":..., \"bench\": a line of "
                                   "bench step --json}", path, row);
    } else if (!(list = realloc(all->list, (all->count + 1) * sizeof *list))) {
      status = because(STATUS_NOMEM, "no memory for %zu runs", all->count + 1);
    } else {
      all->list = list;
      list[all->count++] = r;
    }
  }
  free(line);
  fclose(f);
  return status;
}

static int is_json(const struct dirent *e) {
  const size_t n = strlen(e->d_name);
  return n > 5 && !strcmp(e->d_name + n - 5, ".json");
}

static int read_all(struct runs *all, const char *folder) {
  struct dirent **entries = NULL;
  const int n = scandir(folder, &entries, is_json, alphasort);
  if (n < 0) return because(STATUS_IO, "%s: %s", folder, strerror(errno));
  int status = n ? STATUS_OK : because(STATUS_BAD, "%s: no NAME.json there; expected what slurm/scaling/study.sh leaves", folder);
  for (int i = 0; i < n; i++) {
    if (!status) status = add_file(all, folder, entries[i]->d_name);
    free(entries[i]);
  }
  free(entries);
  if (!status && !all->count) status = because(STATUS_BAD, "%s: its .json files are empty", folder);
  return status;
}

/* --- what they say together -------------------------------------------------------------------------------------------- */

static int by_series_and_ranks(const void *a, const void *b) {
  const struct run *x = a, *y = b;
  const int study = strcmp(x->study, y->study), name = strcmp(x->name, y->name);
  if (study || name) return study ? study : name;
  return (x->ranks > y->ranks) - (x->ranks < y->ranks);
}

static int same_series(const struct run *a, const struct run *b) {
  return !strcmp(a->study, b->study) && !strcmp(a->name, b->name);
}

/* Repeats are of one batch, and a series has one number of threads: else its medians and its baseline would say nothing. */
static int check_equal(const struct runs *all) {
  for (size_t i = 1; i < all->count; i++) {
    const struct run *a = &all->list[i - 1], *b = &all->list[i];
    if (!same_series(a, b)) continue;
    if (a->threads != b->threads)
      return because(STATUS_BAD, "%s scaling of %s: runs of %d and of %d threads a rank; expected one number", a->study, a->name,
                     a->threads, b->threads);
    if (a->ranks == b->ranks && a->batch != b->batch)
      return because(STATUS_BAD, "%s scaling of %s on %d ranks: repeats with batches of %.0f and of %.0f", a->study, a->name, a->ranks,
                     a->batch, b->batch);
  }
  return STATUS_OK;
}

static int same_point(const struct run *a, const struct run *b) {
  return same_series(a, b) && a->ranks == b->ranks;
}

/* Of one figure of the runs, whose order does not matter. */
static struct spread spread_of(const struct run *runs, size_t n, double (*figure)(const struct run *), double *scratch) {
  for (size_t i = 0; i < n; i++) scratch[i] = figure(&runs[i]);
  const double middle = median(scratch, n);   /* sorts them */
  return (struct spread){ scratch[0], middle, scratch[n - 1] };
}
static struct spread times(struct spread s, double by) { return (struct spread){ s.low * by, s.middle * by, s.high * by }; }

static double images_of(const struct run *r) { return r->images_per_s; }
static double seconds_of(const struct run *r) { return r->seconds; }
static double exposed_of(const struct run *r) { return r->exposed / r->seconds; }
static double share_of(const struct run *r) { return r->share; }
static double efficiency_of(const struct run *r) { return r->efficiency; }

static struct scaling_point reckon(const struct run *r, size_t n, const struct scaling_point *base, double *scratch) {
  struct scaling_point p = { .ranks = r->ranks, .threads = r->threads, .repeats = (int)n, .batch = r->batch };
  p.bytes = r->bytes;
  for (size_t i = 1; i < n; i++) p.bytes = fmax(p.bytes, r[i].bytes);
  p.images_per_s = spread_of(r, n, images_of, scratch);
  p.seconds = spread_of(r, n, seconds_of, scratch);
  p.exposed = spread_of(r, n, exposed_of, scratch);
  p.share = spread_of(r, n, share_of, scratch);
  if (!base) base = &p;
  p.speed_up = times(p.images_per_s, base->ranks / base->images_per_s.middle);
  p.efficiency = isnan(r->efficiency) ? times(p.speed_up, 1.0 / p.ranks) : spread_of(r, n, efficiency_of, scratch);
  return p;
}

/* Runs in order become series and points. */
static int put_together(struct scaling *s, const struct runs *all) {
  double *scratch = malloc(all->count * sizeof *scratch);
  s->series = calloc(all->count, sizeof *s->series);
  if (!scratch || !s->series) {
    free(scratch);
    return because(STATUS_NOMEM, "no memory for %zu runs", all->count);
  }
  for (size_t i = 0, end; i < all->count; i = end) {
    const struct run *r = &all->list[i];
    for (end = i + 1; end < all->count && same_point(r, &all->list[end]); end++) {}
    if (i == 0 || !same_series(&all->list[i - 1], r)) {
      struct scaling_series *fresh = &s->series[s->count];
      if (!(fresh->points = calloc(all->count - i, sizeof *fresh->points))) break;
      memcpy(fresh->study, r->study, sizeof r->study), memcpy(fresh->name, r->name, sizeof r->name);
      s->count++;
    }
    struct scaling_series *to = &s->series[s->count - 1];
    to->points[to->count] = reckon(r, end - i, to->count ? to->points : NULL, scratch);
    to->count++;
    s->runs += end - i;
  }
  free(scratch);
  return s->runs == all->count ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu runs", all->count);
}

int scaling_read(struct scaling *s, const char *folder) {
  struct runs all = { NULL, 0 };
  *s = (struct scaling){ NULL, 0, 0 };
  int status = read_all(&all, folder);
  if (!status) {
    qsort(all.list, all.count, sizeof *all.list, by_series_and_ranks);
    status = check_equal(&all);
    if (!status) status = put_together(s, &all);
  }
  free(all.list);
  return status;
}

void scaling_free(struct scaling *s) {
  for (size_t i = 0; i < s->count; i++) free(s->series[i].points);
  free(s->series);
  *s = (struct scaling){ NULL, 0, 0 };
}

/* --- numbers ----------------------------------------------------------------------------------------------------------- */

/* Nothing between the commas where there is no number. */
static void put(FILE *f, struct spread s) {
  if (isnan(s.middle)) fputs(",,,", f);
  else fprintf(f, ",%.6g,%.6g,%.6g", s.low, s.middle, s.high);
}

void scaling_print(const struct scaling *s, FILE *f) {
  static const char *const spreads[] = { "images_per_s", "step_seconds", "speed_up", "efficiency", "exposed_share",
                                         "sgemm_share" };
  fputs("study,net,ranks,threads,batch,repeats,baseline_ranks,peak_bytes", f);
  for (size_t i = 0; i < sizeof spreads / sizeof *spreads; i++)
    fprintf(f, ",%s_least,%s,%s_most", spreads[i], spreads[i], spreads[i]);
  fputc('\n', f);
  for (size_t i = 0; i < s->count; i++)
    for (size_t k = 0; k < s->series[i].count; k++) {
      const struct scaling_series *e = &s->series[i];
      const struct scaling_point *p = &e->points[k];
      fprintf(f, "%s,%s,%d,%d,%.0f,%d,%d,", e->study, e->name, p->ranks, p->threads, p->batch, p->repeats, e->points->ranks);
      if (!isnan(p->bytes)) fprintf(f, "%.0f", p->bytes);
      put(f, p->images_per_s), put(f, p->seconds), put(f, p->speed_up), put(f, p->efficiency), put(f, p->exposed);
      put(f, p->share);
      fputc('\n', f);
    }
}
