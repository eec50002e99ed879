/* report.c - pmf report: a run on one page of HTML that needs nothing beside itself: how far it is, curves, pictures in its folder,
 * scores, settings and the machine of each start. */
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/disk.h"
#include "io/history.h"
#include "io/json.h"
#include "io/whole_file.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "jobs/plot.h"
#include "mpi/agree.h"
#include "src/base/status.h"

static char out[TEXT_MAX];
static struct word words[] = {
  { .name = "out", .type = WORD_TEXT, .value = out, .help = "FILE.html; RUN/report.html" },
};
enum { OUT, WORDS, PICTURES_MAX = 40, GRIDS_MAX = 12 };

void report_help(void) {
  puts("usage: pmf report RUN  [out=FILE.html]\n\n"
       "One page of HTML that needs nothing beside itself and no network: how far the run is, its curves\n"
       "(if gnuplot is there), grids of samples over time (up to 12 steps of RUN/samples, which come with\n"
       "sampling.grid_every_steps), the last 40 PNG files in its folder by name (as `pmf sample` saves\n"
       "them), the scores in RUN/score.json, its settings, and the machine and words of each start. A\n"
       "file of more than 8 MiB is named and not shown.\n\nwords:");
  words_help(words, WORDS);
  puts("\nexamples:\n  pmf sample run=runs/fashion out=runs/fashion/step-009400.png\n  pmf report runs/fashion");
}

/* --- parts of a page --------------------------------------------------------------------------------------------------- */

/* Text that is no markup. */
static void put_text(FILE *f, const char *text) {
  for (const char *c = text; *c; c++)
    switch (*c) {
      case '<': fputs("&lt;", f); break;
      case '>': fputs("&gt;", f); break;
      case '&': fputs("&amp;", f); break;
      case '"': fputs("&quot;", f); break;
      default: fputc(*c, f);
    }
}

static void put_base64(FILE *f, const unsigned char *x, size_t n) {
  static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < n; i += 3) {
    const unsigned a = x[i], b = i + 1 < n ? x[i + 1] : 0, c = i + 2 < n ? x[i + 2] : 0;
    fputc(digit[a >> 2], f);
    fputc(digit[(a & 3) << 4 | b >> 4], f);
    fputc(i + 1 < n ? digit[(b & 15) << 2 | c >> 6] : '=', f);
    fputc(i + 2 < n ? digit[c & 63] : '=', f);
  }
}

/* --- what the page shows ----------------------------------------------------------------------------------------------- */

static void put_number(FILE *f, double x, const char *format) {
  fputs("<td>", f);
  if (isfinite(x)) fprintf(f, format, x);
  else fputs("&ndash;", f);
  fputs("</td>", f);
}

static void put_facts(FILE *f, const char *run, const struct history *h) {
  const struct history_step *s = &h->steps[h->n_steps - 1];
  char *status = whole_file_in(run, "status");
  fputs("<p class=\"status\">", f);
  put_text(f, status ? status : "");
  fputs("</p><table><tr><th>step</th><th>images seen</th><th>minutes of training</th><th>images/s</th><th>loss</th>"
        "<th>error, u</th><th>error, v</th></tr><tr>", f);
  put_number(f, s->step, "%.0f"), put_number(f, s->images, "%.0f"), put_number(f, s->minutes, "%.1f");
  put_number(f, history_rate(h), "%.1f");
  put_number(f, s->loss, "%.5g"), put_number(f, s->mse_u, "%.5g"), put_number(f, s->mse_v, "%.5g");
  fputs("</tr></table>\n", f);
  free(status);
}

/* Drawn beside the page and read back. */
static void put_curves(FILE *f, const char *run, const char *page) {
  char path[TEXT_MAX + 80], *svg = NULL;
  size_t length;
  snprintf(path, sizeof path, "%s.svg", page);
  const int status = plot_picture(run, path);
  if (!status) svg = whole_file(path, WHOLE_FILE_MOST, &length);
  remove(path);
  fputs("<h2>Curves</h2>\n", f);
  const char *drawing = svg ? strstr(svg, "<svg") : NULL;   /* without the head of a file of its own */
  if (drawing) fprintf(f, "<div class=\"curves\">%s</div>\n", drawing);
  else fputs("<p>", f), put_text(f, status ? status_reason() : "no picture"), fputs("</p>\n", f);
  free(svg);
}

static int is_png(const struct dirent *d) {
  const size_t n = strlen(d->d_name);
  return *d->d_name != '.' && n > 4 && !strcmp(d->d_name + n - 4, ".png");
}
static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void put_picture(FILE *f, const char *path, const char *caption) {
  size_t length;
  char *png = whole_file(path, WHOLE_FILE_MOST, &length);
  fputs("<figure>", f);
  if (png) {
    fputs("<img alt=\"\" src=\"data:image/png;base64,", f);
    put_base64(f, (const unsigned char *)png, length);
    fputs("\">", f);
  }
  fputs("<figcaption>", f);
  put_text(f, caption);
  fputs(png ? "</figcaption></figure>\n" : ": cannot be read, or too long to show</figcaption></figure>\n", f);
  free(png);
}

static void put_pictures(FILE *f, const char *run) {
  struct dirent **list;
  const int n = scandir(run, &list, is_png, by_name);
  for (int i = 0; i < n; i++) {
    char path[TEXT_MAX + 300];
    const int first = n > PICTURES_MAX ? n - PICTURES_MAX : 0;
    snprintf(path, sizeof path, "%s/%s", run, list[i]->d_name);
    if (i == first) fputs("<h2>Pictures</h2>\n", f);
    if (i >= first) put_picture(f, path, list[i]->d_name);
    free(list[i]);
  }
  if (n >= 0) free(list);
}

/* --- grids of samples (jobs/grids.h): one of the EMA, and beside it that of the raw weights --- */

static int is_grid(const struct dirent *d) { return is_png(d) && !strncmp(d->d_name, "step-", 5) && !strstr(d->d_name, ".raw."); }

static void put_step(FILE *f, const char *folder, const char *name) {
  char path[TEXT_MAX + 300], caption[64];
  const unsigned long long step = strtoull(name + 5, NULL, 10);
  const int stem = (int)(strlen(name) - 4);
  fputs("<div class=\"step\">", f);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  snprintf(caption, sizeof caption, "step %llu", step);
  put_picture(f, path, caption);
  snprintf(path, sizeof path, "%s/%.*s.raw.png", folder, stem, name);
  snprintf(caption, sizeof caption, "step %llu, raw weights", step);
  if (!access(path, R_OK)) put_picture(f, path, caption);
  fputs("</div>\n", f);
}

static void put_grids(FILE *f, const char *run) {
  char folder[TEXT_MAX + 16];
  struct dirent **list;
  snprintf(folder, sizeof folder, "%s/samples", run);
  const int n = scandir(folder, &list, is_grid, by_name), shown = n < GRIDS_MAX ? n : GRIDS_MAX;
  if (n > 0) fputs("<h2>Samples over time</h2><p>A column is a class; each place has the same noise at every step.</p>\n", f);
  for (int i = 0; i < shown; i++)   /* the first, the last, and between them as evenly as it goes */
    put_step(f, folder, list[shown > 1 ? i * (n - 1) / (shown - 1) : 0]->d_name);
  for (int i = 0; i < n; i++) free(list[i]);
  if (n >= 0) free(list);
}

static void put_scores(FILE *f, const char *run) {
  char *text = whole_file_in(run, "score.json");
  cJSON *o = text ? cJSON_Parse(text) : NULL;
  const cJSON *row, *rows = cJSON_GetObjectItemCaseSensitive(o, "scores");
  const int both = isfinite(json_number(o, "train_n"));   /* split=both: the columns beside it stay those against held-out images */
  if (cJSON_GetArraySize(rows) > 0) {
    fputs("<h2>Scores</h2><table><tr><th>images</th><th>N</th><th>FID[classifier]</th>", f);
    if (both) fputs("<th>against training images</th><th>difference</th>", f);
    fputs("<th>KID[classifier]</th><th>agreement</th></tr>\n", f);
    cJSON_ArrayForEach(row, rows) {
      fputs("<tr><td>", f);
      put_text(f, json_text(row, "images"));
      fputs("</td>", f);
      const int deficient = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(row, "rank_deficient"));
      put_number(f, json_number(row, "n"), deficient ? "%.0f &lt; D" : "%.0f");
      put_number(f, json_number(row, "fid_classifier"), "%.4g");
      if (both) put_number(f, json_number(row, "fid_classifier_train"), "%.4g");
      if (both) put_number(f, json_number(row, "fid_classifier_difference"), "%.4g");
      put_number(f, json_number(row, "kid_classifier"), "%.4g");
      put_number(f, 100 * json_number(row, "agreement"), "%.1f %%");
      fputs("</tr>\n", f);
    }
    fputs("</table><p>by classifier ", f);
    put_text(f, json_text(cJSON_GetObjectItemCaseSensitive(o, "classifier"), "hash"));
    fputs("; N &lt; D: no more images than its features. Scores compare by one classifier and at one N alone.</p>\n", f);
  }
  cJSON_Delete(o);
  free(text);
}

/* A file of the run as it is, folded. */
static void put_file(FILE *f, const char *run, const char *name, const char *title) {
  char *text = whole_file_in(run, name);
  if (!text) {
    fprintf(f, "<p>%s: not there, or too long to show</p>\n", title);
    return;
  }
  fprintf(f, "<details><summary>%s</summary><pre>", title);
  put_text(f, text);
  fputs("</pre></details>\n", f);
  free(text);
}

static void put_page(FILE *f, const char *run, const struct history *h, const char *page) {
  fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\"><title>", f);
  put_text(f, run);
  fputs("</title><style>\n"
        "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#222}\n"
        "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}.status{color:#555}\n"
        "table{border-collapse:collapse}th,td{padding:.25rem .9rem;text-align:right;border-bottom:1px solid #ddd}\n"
        "th:first-child,td:first-child{text-align:left}svg,img{max-width:100%;height:auto}\n"
        "figure{display:inline-block;margin:0 1rem 1rem 0;vertical-align:top}figcaption{color:#555;font-size:.85rem}\n"
        ".step{display:flex;flex-wrap:wrap}.step figure{flex:0 1 45%}\n"
        "pre{background:#f6f6f6;padding:1rem;overflow-x:auto;font-size:.85rem}summary{cursor:pointer;margin-top:1rem}\n"
        "</style></head><body>\n<h1>", f);
  put_text(f, run);
  fputs("</h1>\n", f);
  put_facts(f, run, h);
  put_curves(f, run, page);
  put_grids(f, run);
  put_pictures(f, run);
  put_scores(f, run);
  fputs("<h2>Settings and machine</h2>\n", f);
  put_file(f, run, "used_parameters.yml", "settings: used_parameters.yml");
  put_file(f, run, "provenance.json", "starts, versions, hosts: provenance.json");
  fputs("</body></html>\n", f);
}

/* --- the job ----------------------------------------------------------------------------------------------------------- */

/* The page is whole or as it was. */
static int write_page(const char *run, const struct history *h) {
  char fresh[TEXT_MAX + 64];
  if (disk_temporary(out, fresh, sizeof fresh)) return because(STATUS_BAD, "%.64s...: the name is too long", out);
  FILE *f = fopen(fresh, "w");
  if (!f) return because(STATUS_IO, "%s: %s", fresh, strerror(errno));
  put_page(f, run, h, fresh);
  const int bad = ferror(f);
  int status = fclose(f) || bad ? because(STATUS_IO, "%s: it could not be written whole", fresh) : STATUS_OK;
  if (!status && rename(fresh, out)) status = because(STATUS_IO, "%s: %s", out, strerror(errno));
  if (status) remove(fresh);
  return status;
}

static int report(int argc, char **argv) {
  char *run[2] = { 0 };
  struct history h = { 0 };
  int status = words_parse(argc, argv, words, WORDS, run, 1);
  if (status) return status;
  if (!run[0]) return because(STATUS_BAD, "expected the folder of a run: pmf report RUN");
  if (strlen(run[0]) > TEXT_MAX - 32) return because(STATUS_BAD, "%.64s...: the name is too long", run[0]);
  if (!words[OUT].given) snprintf(out, sizeof out, "%.*s/report.html", TEXT_MAX - 32, run[0]);
  status = history_read(&h, run[0]);
  if (!status) status = write_page(run[0], &h);
  if (!status) printf("%s\n", out);
  history_free(&h);
  return status;
}

int report_run(const struct world *w, int argc, char **argv) {
  return agree(w->comm, w->rank ? STATUS_OK : report(argc, argv));
}
