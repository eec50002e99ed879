/* plot.c - pmf plot: how a run went, as a picture by gnuplot and as the numbers drawn; or a scaling study (jobs/scaling.h). Of
 * a run above: loss and errors of each line of metrics.jsonl and their running means; below, where there are any: scores
 * taken during training, and those in RUN/score.json, which is a line of `pmf score --json`. */
#include "jobs/plot.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/gnuplot.h"
#include "io/json.h"
#include "io/whole_file.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "jobs/scaling.h"
#include "jobs/setup.h"
#include "mpi/agree.h"
#include "src/base/status.h"

static char out[TEXT_MAX];
static struct word words[] = {
  { .name = "out", .type = WORD_TEXT, .value = out,
    .help = "FILE.png, and the numbers in FILE.csv beside it; FILE.csv: the numbers alone; RUN/plot.png, or FOLDER/scaling.png" },
};
enum { OUT, WORDS };

void plot_help(void) {
  puts("usage: pmf plot RUN             [out=FILE.png | FILE.csv]\n"
       "       pmf plot scaling FOLDER\n\n"
       "Draws loss and errors of a run over the images seen, the scores taken during training, and those\n"
       "in RUN/score.json (a line of `pmf score --json`). Needs the program gnuplot for the picture\n"
       "(Debian: gnuplot-nox). The numbers are rows of series,step,images,minutes,value.\n\n"
       "plot scaling: what slurm/scaling/study.sh left in FOLDER, as speed-up, efficiency and time spent in\n"
       "waiting for gradients over the ranks; medians of the repeats, with the least and the most.\n\nwords:");
  words_help(words, WORDS);
  puts("\nexamples:\n  pmf plot runs/fashion\n  pmf plot scaling runs/scaling");
}

double plot_value(const struct plot *p, int curve, size_t step) {
  const struct history_step *s = &p->h.steps[step];
  return curve == 0 ? s->loss : curve == 1 ? s->mse_u : s->mse_v;
}

/* --- what is drawn ----------------------------------------------------------------------------------------------------- */

/* Means over up to n/20 neighbours, as many on one side as on the other; what is no number is left out. */
static int running_mean(struct plot *p, int curve) {
  const size_t n = p->h.n_steps, most = n / 40;
  double *sum = malloc((n + 1) * sizeof *sum), *count = malloc((n + 1) * sizeof *count);
  double *mean = p->mean[curve] = malloc(n * sizeof *mean);
  const int status = sum && count && mean ? STATUS_OK : because(STATUS_NOMEM, "no memory for the running means");
  if (!status) sum[0] = count[0] = 0;
  for (size_t i = 0; i < n && !status; i++) {
    const double x = plot_value(p, curve, i);
    sum[i + 1] = sum[i] + (isfinite(x) ? x : 0);
    count[i + 1] = count[i] + isfinite(x);
  }
  for (size_t i = 0; i < n && !status; i++) {
    size_t side = i < n - 1 - i ? i : n - 1 - i;
    if (side > most) side = most;
    mean[i] = (sum[i + side + 1] - sum[i - side]) / (count[i + side + 1] - count[i - side]);
  }
  free(sum);
  free(count);
  return status;
}

/* The rows of RUN/score.json, but for noise, which is farther than anything here; a file that is none leaves none. */
static void read_scores(struct plot *p) {
  char *text = whole_file_in(p->run, "score.json");
  cJSON *o = text ? cJSON_Parse(text) : NULL;
  const cJSON *row;
  p->at = json_number(o, "images_seen");
  cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(o, "scores")) {
    struct plot_row r = { .evaluations = json_number(row, "evaluations"), .fid = json_number(row, "fid_classifier"),
                          .kid = json_number(row, "kid_classifier"), .agreement = json_number(row, "agreement"),
                          .rank_deficient = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(row, "rank_deficient")) };
    const char *name = json_text(row, "images");
    if (!*name || !strcmp(name, "uniform noise") || !(r.fid > 0) || p->n_rows == PLOT_ROWS) continue;
    if (!(r.evaluations > 0)) r.evaluations = 0;
    snprintf(r.name, sizeof r.name, "%s", name);
    p->rows[p->n_rows++] = r;
  }
  cJSON_Delete(o);
  free(text);
}

/* "runs/fashion:  1.42 M parameters, patches of 4, batch 64, 2 ranks", as far as it is known. */
static void make_title(struct plot *p) {
  struct settings s;
  struct net net;
  char *text = whole_file_in(p->run, "used_parameters.yml"), about[192] = "", ranks[64] = "";
  size_t length = strlen(p->run);
  while (length > 1 && p->run[length - 1] == '/') length--;
  settings_default(&s);
  if (text && !settings_parse(&s, text, strlen(text), "used_parameters.yml") && !settings_check(&s)) {
    const struct net_config config = setup_net(&s);
    if (!net_init(&net, &config, 0))
      snprintf(about, sizeof about, ":  %.2f M parameters, patches of %ld, batch %ld",
               (double)table_parameters(&net.table) / 1e6, s.model.patch_size, s.training.batch_size);
    net_free(&net);
  }
  free(text);
  if (p->h.ranks) snprintf(ranks, sizeof ranks, "%s%d rank%s", *about ? ", " : ":  ", p->h.ranks, p->h.ranks > 1 ? "s" : "");
  snprintf(p->title, sizeof p->title, "%.*s%s%s", (int)length, p->run, about, ranks);
}

static int gather(struct plot *p) {
  int status = history_read(&p->h, p->run);
  for (int c = 0; c < PLOT_CURVES && !status; c++) status = running_mean(p, c);
  if (status) return status;
  read_scores(p);
  make_title(p);
  if (!isfinite(p->at)) p->at = p->h.steps[p->h.n_steps - 1].images;
  return STATUS_OK;
}

static void let_go(struct plot *p) {
  for (int c = 0; c < PLOT_CURVES; c++) free(p->mean[c]);
  history_free(&p->h);
}

int plot_picture(const char *run, const char *path) {
  struct plot p = { .run = run, .n_rows = 0 };
  int status = gather(&p);
  if (!status) status = plot_draw(&p, path);
  let_go(&p);
  return status;
}

/* --- numbers ----------------------------------------------------------------------------------------------------------- */

/* a and b as one field: between quotes, with those in it doubled. */
static void print_field(FILE *f, const char *a, const char *b) {
  fputc('"', f);
  const char *const parts[] = { a, b };
  for (int i = 0; i < 2; i++)
    for (const char *c = parts[i]; *c; c++) {
      if (*c == '"') fputc('"', f);
      fputc(*c, f);
    }
  fputc('"', f);
}

static void print_number(FILE *f, double x) {
  if (isfinite(x)) fprintf(f, ",%.9g", x);
  else fputc(',', f);
}

static void print_row(FILE *f, const char *a, const char *b, double step, double images, double minutes, double y) {
  if (!isfinite(y)) return;
  print_field(f, a, b);
  print_number(f, step), print_number(f, images), print_number(f, minutes), print_number(f, y);
  fputc('\n', f);
}

static void print_numbers(FILE *f, const void *what) {
  const struct plot *p = what;
  fputs("series,step,images,minutes,value\n", f);
  static const char *const names[PLOT_CURVES] = { "loss", "mse u", "mse v" };
  for (int c = 0; c < PLOT_CURVES; c++)
    for (int mean = 0; mean < 2; mean++)
      for (size_t i = 0; i < p->h.n_steps; i++) {
        const struct history_step *s = &p->h.steps[i];
        print_row(f, names[c], mean ? ", running mean" : "", s->step, s->images, s->minutes,
                  mean ? p->mean[c][i] : plot_value(p, c, i));
      }
  for (size_t i = 0; i < p->h.n_scores; i++) {
    const struct history_score *s = &p->h.scores[i];
    print_row(f, "FID[classifier]", s->rank_deficient ? ", N < D" : "", s->step, s->images, s->minutes, s->fid);
    print_row(f, "KID[classifier]", "", s->step, s->images, s->minutes, s->kid);
    print_row(f, "label agreement", "", s->step, s->images, s->minutes, s->agreement);
  }
  for (size_t i = 0; i < p->n_rows; i++) {
    const struct plot_row *r = &p->rows[i];
    const double at = r->evaluations ? p->at : NAN, minutes = history_minutes(&p->h, at);
    print_row(f, r->rank_deficient ? "FID[classifier], N < D: " : "FID[classifier]: ", r->name, NAN, at, minutes, r->fid);
    print_row(f, "KID[classifier]: ", r->name, NAN, at, minutes, r->kid);
    print_row(f, "label agreement: ", r->name, NAN, at, minutes, r->agreement);
  }
}

/* --- the job ----------------------------------------------------------------------------------------------------------- */

/* NAME.png or NAME.csv, by default in `folder`; csv: the numbers' name. */
static int choose_names(const char *folder, const char *name, char csv[TEXT_MAX]) {
  if (strlen(folder) > TEXT_MAX - 32) return because(STATUS_BAD, "%.64s...: the name is too long", folder);
  if (!words[OUT].given) snprintf(out, sizeof out, "%.*s/%s", TEXT_MAX - 32, folder, name);
  return gnuplot_numbers(out, csv, TEXT_MAX);
}

static int draw_run(const void *what) { return plot_draw(what, out); }
static int draw_scaling(const void *what) { return scaling_draw(what, out); }

/* The numbers, and where a picture is asked for the picture. */
static int write_both(const char *csv, void (*print)(FILE *, const void *), int (*draw)(const void *), const void *what) {
  const int picture = strcmp(out, csv) != 0;
  int status = gnuplot_write(csv, print, what);
  if (!status && picture) status = draw(what);
  if (status == STATUS_MISSING) because(status, "%s; the numbers are in %s", status_reason(), csv);
  if (!status && picture) printf("%s\n", out);
  if (!status) printf("%s\n", csv);
  return status;
}

static int plot_one(const char *run) {
  struct plot p = { .run = run, .n_rows = 0 };
  char csv[TEXT_MAX];
  int status = choose_names(run, "plot.png", csv);
  if (!status) status = gather(&p);
  if (!status) status = write_both(csv, print_numbers, draw_run, &p);
  let_go(&p);
  return status;
}

static void print_scaling(FILE *f, const void *what) { scaling_print(what, f); }

static int plot_study(const char *folder) {
  struct scaling s = { .count = 0 };
  char csv[TEXT_MAX];
  int status = choose_names(folder, "scaling.png", csv);
  if (!status) status = scaling_read(&s, folder);
  if (!status) status = write_both(csv, print_scaling, draw_scaling, &s);
  scaling_free(&s);
  return status;
}

static int plot(int argc, char **argv) {
  char *bare[2];
  const int status = words_parse(argc, argv, words, WORDS, bare, 2);
  if (status) return status;
  if (!bare[0]) return because(STATUS_BAD, "expected the folder of a run: pmf plot RUN");
  if (bare[1] && strcmp(bare[0], "scaling"))
    return because(STATUS_BAD, "%s: expected one folder, or plot scaling FOLDER", bare[1]);
  if (bare[1]) return plot_study(bare[1]);
  if (!strcmp(bare[0], "scaling"))
    return because(STATUS_BAD, "expected the folder of a study: pmf plot scaling FOLDER (a run of that name: ./scaling)");
  return plot_one(bare[0]);
}

int plot_run(const struct world *w, int argc, char **argv) {
  return agree(w->comm, w->rank ? STATUS_OK : plot(argc, argv));
}
