/* compare.c - pmf compare: runs side by side: the settings in which they differ, how far they are, their errors after as many
 * images and after as many minutes, their scores; and if asked for, a picture. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/gnuplot.h"
#include "io/history.h"
#include "io/settings.h"
#include "io/whole_file.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "mpi/agree.h"
#include "src/base/status.h"

static char out[TEXT_MAX];
static struct word words[] = {
  { .name = "out", .type = WORD_TEXT, .value = out, .help = "FILE.png or FILE.svg: errors and scores of all runs as a picture" },
};
enum { OUT, WORDS, RUNS_MAX = 8, WIDTH = 1400, HEIGHT = 1120, DRAWN_MAX = 2000 };

void compare_help(void) {
  puts("usage: pmf compare RUN RUN [RUN ...]  [out=FILE.png]\n\n"
       "Up to eight runs side by side: the settings in which they differ, how far they are, errors and\n"
       "scores after as many images as the shortest run has seen, and after as many minutes of training\n"
       "as it had. Errors are means over the tenth of the images before. Scores by different classifiers\n"
       "or of different numbers of images are marked: they do not compare.\n\nwords:");
  words_help(words, WORDS);
  puts("\nexample:\n  pmf compare runs/base runs/other out=both.png");
}

struct runs {
  int count;
  const char *folder[RUNS_MAX];
  struct history h[RUNS_MAX];
  char *settings[RUNS_MAX];   /* as this version writes them; NULL: not there */
};

static const struct history_step *last(const struct history *h) { return &h->steps[h->n_steps - 1]; }

/* RUN/used_parameters.yml, read and written again, so that runs of other versions have the same lines. */
static char *read_settings(const char *run) {
  struct settings s;
  char *text = whole_file_in(run, "used_parameters.yml");
  settings_default(&s);
  const int good = text && !settings_parse(&s, text, strlen(text), run);
  free(text);
  return good ? settings_text(&s) : NULL;
}

static int has_errors(const struct history *h) {
  for (size_t i = 0; i < h->n_steps; i++)
    if (h->steps[i].mse_u > 0) return 1;
  return 0;
}

static int gather(struct runs *r) {
  for (int i = 0; i < r->count; i++) {
    const int status = history_read(&r->h[i], r->folder[i]);
    if (status) return status;
    if (!isfinite(last(&r->h[i])->images) || !has_errors(&r->h[i]))
      return because(STATUS_BAD, "%s: no error of a step in its metrics.jsonl: nothing to compare", r->folder[i]);
    r->settings[i] = read_settings(r->folder[i]);
  }
  return STATUS_OK;
}

static void let_go(struct runs *r) {
  for (int i = 0; i < r->count; i++) {
    history_free(&r->h[i]);
    free(r->settings[i]);
  }
}

/* --- the table --------------------------------------------------------------------------------------------------------- */

/* The names of the columns: A, B, ... */
static void print_heading(const struct runs *r) {
  for (int i = 0; i < r->count; i++) printf("%c  %s\n", 'A' + i, r->folder[i]);
  printf("\n%-34s", "");
  for (int i = 0; i < r->count; i++) printf(" %13c", 'A' + i);
  puts("");
}

/* The lines in which the runs' settings differ, as section.key. */
static void print_settings(const struct runs *r) {
  const char *at[RUNS_MAX];
  char section[64] = "";
  int differ = 0;
  for (int i = 0; i < r->count; i++)
    if (!(at[i] = r->settings[i])) {
      printf("%s has no used_parameters.yml that can be read\n", r->folder[i]);
      return;
    }
  puts("settings that differ");
  while (*at[0]) {
    const size_t length = strcspn(at[0], "\n"), indent = strspn(at[0], " ");
    int same = 1;
    for (int i = 1; i < r->count; i++) same &= strcspn(at[i], "\n") == length && !strncmp(at[i], at[0], length);
    if (!indent) snprintf(section, sizeof section, "%.*s", (int)strcspn(at[0], ":\n"), at[0]);
    if (!same) {
      char key[128];
      const int name = indent ? (int)strcspn(at[0] + indent, ":\n") : 0;
      snprintf(key, sizeof key, "%s%s%.*s", section, indent ? "." : "", name, at[0] + indent);
      printf("  %-32s", key);
      for (int i = 0; i < r->count; i++) {
        const char *value = at[i] + strcspn(at[i], ":\n");
        value += strspn(value, ": ");
        printf(" %13.*s", (int)strcspn(value, "\n"), value);
      }
      puts("");
      differ++;
    }
    for (int i = 0; i < r->count; i++) at[i] += strcspn(at[i], "\n"), at[i] += *at[i] == '\n';
  }
  if (!differ) puts("  none");
}

enum figure { LOSS, MSE_U, MSE_V };

/* The mean over the lines in the tenth of the images up to `images`, or the line before where there is none. */
static double mean_before(const struct history *h, double images, enum figure what) {
  double sum = 0, before = NAN;
  int n = 0;
  for (size_t i = 0; i < h->n_steps && h->steps[i].images <= images; i++) {
    const struct history_step *s = &h->steps[i];
    const double x = what == LOSS ? s->loss : what == MSE_U ? s->mse_u : s->mse_v;
    if (!isfinite(x)) continue;
    before = x;
    if (s->images > 0.9 * images) sum += x, n++;
  }
  return n ? sum / n : before;
}

/* The last score up to so many images, or the best one; NULL: there is none. */
static const struct history_score *score_before(const struct history *h, double images, int best) {
  const struct history_score *found = NULL;
  for (size_t i = 0; i < h->n_scores && h->scores[i].images <= images; i++)
    if (isfinite(h->scores[i].fid) && (!found || !best || h->scores[i].fid < found->fid)) found = &h->scores[i];
  return found;
}

static void print_cell(double x, const char *format) {
  char cell[32] = "-";
  if (isfinite(x)) snprintf(cell, sizeof cell, format, x);
  printf(" %13s", cell);
}

/* Errors and the last score of each run after images[i]. */
static void print_at(const struct runs *r, const double *images) {
  static const char *const names[] = { "loss", "mean square error, u", "mean square error, v" };
  for (int what = LOSS; what <= MSE_V; what++) {
    printf("  %-32s", names[what]);
    for (int i = 0; i < r->count; i++) print_cell(mean_before(&r->h[i], images[i], (enum figure)what), "%.5g");
    puts("");
  }
  printf("  %-32s", "last FID[classifier]");
  for (int i = 0; i < r->count; i++) {
    const struct history_score *s = score_before(&r->h[i], images[i], 0);
    print_cell(s ? s->fid : NAN, "%.4g");
  }
  puts("");
}

static void print_row(const struct runs *r, const char *name, const char *format, double (*value)(const struct history *)) {
  printf("  %-32s", name);
  for (int i = 0; i < r->count; i++) print_cell(value(&r->h[i]), format);
  puts("");
}
static double steps_of(const struct history *h) { return last(h)->step; }
static double images_of(const struct history *h) { return last(h)->images; }
static double minutes_of(const struct history *h) { return last(h)->minutes; }
static double best_of(const struct history *h) {
  const struct history_score *s = score_before(h, INFINITY, 1);
  return s ? s->fid : NAN;
}
static double best_at(const struct history *h) {
  const struct history_score *s = score_before(h, INFINITY, 1);
  return s ? s->images : NAN;
}

/* Of how many images the best score is, and by which classifier. */
static void print_best(const struct runs *r) {
  printf("  %-32s", "  of images");
  for (int i = 0; i < r->count; i++) {
    const struct history_score *s = score_before(&r->h[i], INFINITY, 1);
    print_cell(s ? s->n : NAN, s && s->rank_deficient ? "%.0f < D" : "%.0f");
  }
  printf("\n  %-32s", "  by classifier");
  for (int i = 0; i < r->count; i++) {
    const struct history_score *s = score_before(&r->h[i], INFINITY, 1);
    printf(" %13.12s", s && *s->judge ? s->judge : "-");
  }
  puts("");
}

enum { OTHER_JUDGE = 1, OTHER_N = 2, DEFICIENT = 4 };

/* What keeps the scores of these runs from being compared, as far as it is told. */
static int caveats(const struct runs *r) {
  const char *judge = "";
  double n = NAN;
  int found = 0;
  for (int i = 0; i < r->count; i++)
    for (size_t k = 0; k < r->h[i].n_scores; k++) {
      const struct history_score *s = &r->h[i].scores[k];
      if (*judge && *s->judge && strcmp(judge, s->judge)) found |= OTHER_JUDGE;
      if (fabs(n - s->n) > 0) found |= OTHER_N;   /* NAN: not told */
      if (s->rank_deficient) found |= DEFICIENT;
      if (*s->judge) judge = s->judge;
      if (isfinite(s->n)) n = s->n;
    }
  return found;
}

static void print_caveats(const struct runs *r) {
  const int found = caveats(r);
  if (found & OTHER_JUDGE) puts("FID[classifier] by different classifiers: do not compare it");
  if (found & OTHER_N) puts("FID[classifier] of different numbers of images: do not compare it, more images make it smaller");
  if (found & DEFICIENT) puts("N < D: no more images than the classifier's features, the covariance is rank-deficient");
}

static void print(const struct runs *r) {
  double images = INFINITY, minutes = INFINITY, at[RUNS_MAX];
  for (int i = 0; i < r->count; i++) images = fmin(images, images_of(&r->h[i])), minutes = fmin(minutes, minutes_of(&r->h[i]));
  print_heading(r);
  print_settings(r);
  puts("how far");
  print_row(r, "steps", "%.0f", steps_of);
  print_row(r, "images seen", "%.0f", images_of);
  print_row(r, "minutes of training", "%.2f", minutes_of);
  print_row(r, "images/s", "%.1f", history_rate);
  print_row(r, "best FID[classifier]", "%.4g", best_of);
  print_row(r, "  after images", "%.0f", best_at);
  print_best(r);
  printf("after %.0f images\n", images);
  for (int i = 0; i < r->count; i++) at[i] = images;
  print_at(r, at);
  printf("after %.2f minutes\n", minutes);
  for (int i = 0; i < r->count; i++) at[i] = history_images(&r->h[i], minutes);
  print_at(r, at);
  print_caveats(r);
}

/* --- the picture ------------------------------------------------------------------------------------------------------- */

static void put_curve(FILE *f, const struct history *h) {
  const size_t every = 1 + h->n_steps / DRAWN_MAX;
  for (size_t i = 0; i < h->n_steps; i++)
    if (i % every == 0 && isfinite(h->steps[i].mse_u))
      fprintf(f, "%.9g %.9g\n", h->steps[i].images, mean_before(h, h->steps[i].images, MSE_U));
  fputs("END\n", f);
}

static void put(FILE *f, const void *what) {
  const struct runs *r = what;
  double low = INFINITY, high = 0;
  const int found = caveats(r);
  int scores = 0;
  gnuplot_frame(f);
  for (int i = 0; i < r->count; i++) {
    fprintf(f, "$steps%d << END\n", i);
    put_curve(f, &r->h[i]);
    fprintf(f, "$scores%d << END\n", i);
    for (size_t k = 0; k < r->h[i].n_scores; k++) fprintf(f, "%.9g %.9g\n", r->h[i].scores[k].images, r->h[i].scores[k].fid);
    fputs("END\n", f);
    scores += r->h[i].n_scores > 0;
    for (size_t k = 0; k < r->h[i].n_steps; k++)
      if (r->h[i].steps[k].mse_u > 0) low = fmin(low, r->h[i].steps[k].mse_u), high = fmax(high, r->h[i].steps[k].mse_u);
  }
  double most = 0;
  for (int i = 0; i < r->count; i++) most = fmax(most, images_of(&r->h[i]));
  fprintf(f, "set xrange [0:%.9g]\nset rmargin 6\nset multiplot layout %d,1\nset xlabel 'images seen'\nset key top right\n"
          "set ylabel 'mean square error, u: running mean'\n", 1.02 * most, scores ? 2 : 1);
  gnuplot_log_axis(f, low / 1.15, high * 1.15);
  for (int panel = 0; panel < (scores ? 2 : 1); panel++) {
    if (panel)
      fprintf(f, "unset logscale\nset ytics auto\nset yrange [0:*]\nset ylabel 'FID[classifier]%s%s'\n",
              found & DEFICIENT ? ", N < D" : "", found & (OTHER_JUDGE | OTHER_N) ? ": not to be compared" : "");
    int any = 0;
    for (int i = 0; i < r->count; i++) {
      if (panel && !r->h[i].n_scores) continue;
      fprintf(f, "%s $%s%d using 1:2 with %s lw 2.5 pt 7 lc rgb '%s' title ", any++ ? "," : "plot", panel ? "scores" : "steps", i,
              panel ? "linespoints" : "lines", gnuplot_colour((size_t)i));
      gnuplot_text(f, r->folder[i]);
    }
    fputs("\n", f);
  }
  fputs("unset multiplot\n", f);
}

/* --- the job ----------------------------------------------------------------------------------------------------------- */

static int compare(int argc, char **argv) {
  struct runs r = { 0 };
  char *bare[RUNS_MAX + 1] = { 0 };
  int status = words_parse(argc, argv, words, WORDS, bare, RUNS_MAX);
  if (status) return status;
  while (r.count < RUNS_MAX && bare[r.count]) r.folder[r.count] = bare[r.count], r.count++;
  if (r.count < 2) return because(STATUS_BAD, "expected the folders of two runs or more: pmf compare RUN RUN");
  if (words[OUT].given && !words_ends(out, ".png") && !words_ends(out, ".svg"))
    return because(STATUS_BAD, "out=%s: expected FILE.png or FILE.svg", out);
  status = gather(&r);
  if (!status) print(&r);
  if (!status && words[OUT].given) status = gnuplot_draw(out, WIDTH, HEIGHT, put, &r);
  if (!status && words[OUT].given) printf("%s\n", out);
  let_go(&r);
  return status;
}

int compare_run(const struct world *w, int argc, char **argv) {
  return agree(w->comm, w->rank ? STATUS_OK : compare(argc, argv));
}
