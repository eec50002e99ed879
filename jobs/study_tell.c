/* What a study says at its end: every number, a picture of the first measure, and the verdict with each claim. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/gnuplot.h"
#include "jobs/study.h"
#include "src/base/status.h"
#include "src/score/verdict.h"

enum { WIDTH = 1100, HEIGHT = 700 };
_Static_assert((int)STUDY_SEEDS <= VERDICT_SEEDS, "quantiles for all seeds");
static const char *const words_of[] = { [VERDICT_UNDECIDED] = "undecided", [VERDICT_HOLDS] = "holds", [VERDICT_FAILS] = "fails" };
static const char *const verdicts[] = { [VERDICT_UNDECIDED] = "undecided", [VERDICT_HOLDS] = "reproduced",
                                        [VERDICT_FAILS] = "not reproduced" };

/* By seed. */
static void values_of(const struct study_job *j, size_t arm, int m, double x[STUDY_SEEDS]) {
  for (long s = 0; s < j->seeds; s++) x[s] = j->results[arm][s].value[m];
}
static struct verdict_range range_of(const struct study_job *j, size_t arm, int m) {
  double x[STUDY_SEEDS];
  values_of(j, arm, m, x);
  return verdict_range((size_t)j->seeds, x);
}

/* Where an arm stands on the axis. */
static double place(const struct study_job *j, size_t i) {
  const struct study *s = j->study;
  return s->x_measure ? range_of(j, i, s->x_measure).mean : s->x_name ? j->arms[i]->x : (double)i;
}

/* --- numbers ----------------------------------------------------------------------------------------------------------- */

static void put_value(FILE *f, double v) {
  if (isfinite(v)) fprintf(f, ",%.9g", v);
  else fputc(',', f);
}

static void print_numbers(FILE *f, const void *what) {
  const struct study_job *j = what;
  const struct study *s = j->study;
  fputs("study,arm,group,x,seed,steps,n", f);
  for (int m = 0; m < STUDY_MEASURES && s->measures[m]; m++) fprintf(f, ",%s", s->measures[m]);
  fputs(",seconds\n", f);
  for (size_t i = 0; i < j->n_arms; i++)
    for (long k = 0; k < j->seeds; k++) {
      const struct study_result *r = &j->results[i][k];
      char group[64];
      study_group(j->arms[i]->name, group, sizeof group);
      fprintf(f, "%s,%s,%s,%g,%ld,%ld,%ld", s->name, j->arms[i]->name, group, j->arms[i]->x, k + 1, j->steps, j->n);
      for (int m = 0; m < STUDY_MEASURES && s->measures[m]; m++) put_value(f, r->value[m]);
      fprintf(f, ",%.1f\n", r->seconds);
    }
}

/* --- the picture ------------------------------------------------------------------------------------------------------- */

int study_picture(const char *path, int width, int height, void (*put)(FILE *, const void *), const void *what) {
  static const char *const ends[] = { "png", "svg" };
  char name[TEXT_MAX + 160];
  int status = STATUS_OK;
  for (int i = 0; i < 2 && !status; i++) {
    snprintf(name, sizeof name, "%s.%s", path, ends[i]);
    status = gnuplot_draw(name, width, height, put, what);
    if (!status) printf("%s\n", name);
  }
  return status;
}

struct drawn { const struct study_job *j; double floor, ceiling; char groups[STUDY_ARMS][64]; size_t n_groups; };

static void find_groups(struct drawn *d) {
  for (size_t i = 0; i < d->j->n_arms; i++) {
    char group[64];
    size_t k = 0;
    study_group(d->j->arms[i]->name, group, sizeof group);
    while (k < d->n_groups && strcmp(d->groups[k], group)) k++;
    if (k == d->n_groups) memcpy(d->groups[d->n_groups++], group, sizeof group);
  }
}


/* Of each group a block of means, and one of all seeds: arms of one group stand in the order of the table. */
static void put_data(FILE *f, const struct drawn *d) {
  const struct study_job *j = d->j;
  for (size_t g = 0; g < d->n_groups; g++)
    for (int all = 0; all < 2; all++) {
      fprintf(f, "$%s%zu << END\n", all ? "seeds" : "mean", g);
      for (size_t i = 0; i < j->n_arms; i++) {
        char group[64];
        study_group(j->arms[i]->name, group, sizeof group);
        if (strcmp(group, d->groups[g])) continue;
        const struct verdict_range r = range_of(j, i, 0);
        if (!all && isfinite(r.mean)) fprintf(f, "%.9g %.9g\n", place(j, i), r.mean);
        for (long k = 0; k < j->seeds && all; k++)
          if (isfinite(j->results[i][k].value[0])) fprintf(f, "%.9g %.9g\n", place(j, i), j->results[i][k].value[0]);
      }
      fputs("NaN NaN\nEND\n", f);
    }
}

static void limits(const struct drawn *d, double *low, double *high) {
  *low = isfinite(d->floor) && d->floor > 0 ? d->floor : INFINITY;
  *high = isfinite(d->ceiling) ? d->ceiling : 0;
  for (size_t i = 0; i < d->j->n_arms; i++)
    for (long k = 0; k < d->j->seeds; k++) {
      const double y = d->j->results[i][k].value[0];
      if (isfinite(y) && y > 0) *low = fmin(*low, y), *high = fmax(*high, y);
    }
  *low /= 1.3, *high *= 1.3;
}

/* Every x that an arm has, on a logarithmic axis; or the arms' names. */
static void put_places(FILE *f, const struct drawn *d) {
  double least = INFINITY, most = 0;
  fputs("set xtics (", f);
  for (size_t i = 0; i < d->j->n_arms; i++) {
    const double x = place(d->j, i);
    char label[64];
    snprintf(label, sizeof label, d->j->study->x_measure ? "%.2g" : "%g", x);   /* counted, or given */
    if (i) fputs(", ", f);
    gnuplot_text(f, d->j->study->x_name ? label : d->j->arms[i]->name);
    fprintf(f, " %.9g", x);
    least = fmin(least, x), most = fmax(most, x);
  }
  fputs(")\n", f);
  if (d->j->study->x_name) {
    fprintf(f, "set logscale x\nset xrange [%.6g:%.6g]\nset xlabel ", least / 1.3, most * 1.3);
    gnuplot_text(f, d->j->study->x_name);
    fputc('\n', f);
  } else {
    fprintf(f, "set xrange [-0.5:%.1f]\nset xtics rotate by -30\n", (double)d->j->n_arms - 0.5);
  }
}

static void put_script(FILE *f, const void *what) {
  const struct drawn *d = what;
  const struct study_job *j = d->j;
  char title[512];
  double low, high;
  limits(d, &low, &high);
  put_data(f, d);
  gnuplot_frame(f);
  snprintf(title, sizeof title, "study %s: %ld seed%s, %ld steps, %ld a score", j->study->name, j->seeds, j->seeds > 1 ? "s" : "",
           j->steps, j->n);
  fputs("set title ", f);
  gnuplot_text(f, title);
  fputs("\nset ylabel ", f);
  gnuplot_text(f, j->study->measures[0]);
  fputs("\nset key outside right top\n", f);
  put_places(f, d);
  gnuplot_log_axis(f, low, high);
  fputs("plot ", f);
  if (isfinite(d->floor)) fprintf(f, "%.9g with lines lw 1.5 dt 2 lc rgb '#909090' title 'floor', ", d->floor);
  if (isfinite(d->ceiling)) fprintf(f, "%.9g with lines lw 1.5 dt 3 lc rgb '#909090' title 'ceiling', ", d->ceiling);
  for (size_t g = 0; g < d->n_groups; g++) {
    fprintf(f, "%s$seeds%zu using 1:2 with points pt 6 ps 1.1 lc rgb '%s' notitle, $mean%zu using 1:2 with linespoints lw 2 pt 7 ps 0.9"
               " lc rgb '%s' title ", g ? ", " : "", g, gnuplot_colour(g), g, gnuplot_colour(g));
    gnuplot_text(f, d->groups[g]);
  }
  fputc('\n', f);
}

/* --- the verdict ------------------------------------------------------------------------------------------------------- */

/* The arm of that name, or the best of the group of that name by its mean; SIZE_MAX: none. */
static size_t find_arm(const struct study_job *j, const char *name, int m) {
  size_t best = (size_t)-1;
  double least = INFINITY;
  for (size_t i = 0; i < j->n_arms; i++) {
    char group[64];
    if (!strcmp(j->arms[i]->name, name)) return i;
    study_group(j->arms[i]->name, group, sizeof group);
    const double mean = range_of(j, i, m).mean;
    if (!strcmp(group, name) && (best == (size_t)-1 || mean < least)) best = i, least = mean;
  }
  return best;
}

static void print_side(FILE *f, const struct study_job *j, size_t i, int m) {
  const struct verdict_range r = range_of(j, i, m);
  if (!r.finite) fprintf(f, "%s: diverged", j->arms[i]->name);
  else if (r.finite < r.n) fprintf(f, "%s: %zu of %zu diverged", j->arms[i]->name, r.n - r.finite, r.n);
  else fprintf(f, "%s: %.4g (%.4g .. %.4g)", j->arms[i]->name, r.mean, r.least, r.most);
}

/* Slope of log y over log x, by least squares; NAN where there is none. */
static double exponent(size_t n, const double *x, const double *y) {
  double X = 0, Y = 0, XX = 0, XY = 0;
  for (size_t i = 0; i < n; i++) X += log(x[i]) / (double)n, Y += log(y[i]) / (double)n;
  for (size_t i = 0; i < n; i++) XX += (log(x[i]) - X) * (log(x[i]) - X), XY += (log(x[i]) - X) * (log(y[i]) - Y);
  return XX > 0 ? XY / XX : NAN;
}

/* Of the measures that the study has fitted, for each group of three arms and more, over the seeds. */
static void print_fits(FILE *f, const struct study_job *j) {
  struct drawn d = { .j = j };
  find_groups(&d);
  for (int m = 0; m < j->study->fits; m++)
    for (size_t g = 0; g < d.n_groups; g++) {
      double x[STUDY_ARMS], y[STUDY_ARMS], slope[STUDY_SEEDS];
      size_t n = 0;
      for (long s = 0; s < j->seeds; s++) {
        n = 0;
        for (size_t i = 0; i < j->n_arms; i++) {
          char group[64];
          study_group(j->arms[i]->name, group, sizeof group);
          if (strcmp(group, d.groups[g])) continue;
          x[n] = place(j, i), y[n] = j->results[i][s].value[m];
          n++;
        }
        slope[s] = n > 2 ? exponent(n, x, y) : NAN;
      }
      const struct verdict_range r = verdict_range((size_t)j->seeds, slope);
      if (r.finite == r.n)
        fprintf(f, "  fitted     %s of %s goes with %s to the power %.3f (%.3f .. %.3f)\n", j->study->measures[m], d.groups[g],
                j->study->x_name, r.mean, r.least, r.most);
    }
}

static enum verdict print_claim(FILE *f, const struct study_job *j, const struct study_claim *c) {
  const size_t low = find_arm(j, c->low, c->measure), high = find_arm(j, c->high, c->measure);
  if (low == (size_t)-1 || high == (size_t)-1) {
    fprintf(f, "  undecided  %s\n             an arm was not run\n", c->says);
    return VERDICT_UNDECIDED;
  }
  double below[STUDY_SEEDS], above[STUDY_SEEDS];
  struct verdict_range apart;
  values_of(j, low, c->measure, below), values_of(j, high, c->measure, above);
  const enum verdict v = verdict_below(c->factor, (size_t)j->seeds, below, above, &apart);
  fprintf(f, "  %-9s  %s\n             %s of ", words_of[v], c->says, j->study->measures[c->measure]);
  print_side(f, j, low, c->measure);
  if (c->factor != 1) fprintf(f, ", times %g", c->factor);
  fputs(", against ", f);
  print_side(f, j, high, c->measure);
  if (isfinite(apart.mean)) fprintf(f, "; apart by %.4g (%.4g .. %.4g)", apart.mean, apart.least, apart.most);
  fputc('\n', f);
  return v;
}

static void print_verdict(FILE *f, const void *what) {
  const struct drawn *d = what;
  const struct study_job *j = d->j;
  enum verdict of[STUDY_CLAIMS];
  char *claims = NULL;
  size_t size, n = 0;
  double seconds = 0;
  FILE *text = open_memstream(&claims, &size);
  for (const struct study_claim *c = j->study->claims; text && c->says && n < STUDY_CLAIMS; c++) of[n++] = print_claim(text, j, c);
  if (text) fclose(text);
  for (size_t i = 0; i < j->n_arms; i++)
    for (long k = 0; k < j->seeds; k++) seconds += j->results[i][k].seconds;
  fprintf(f, "study %s: %s\n  the finding: %s\n%s", j->study->name, verdicts[verdict_all(n, of)], j->study->finding, claims ? claims : "");
  print_fits(f, j);
  fprintf(f, "  rule: factor x low lies below high where the mean of high - factor x low, seed by seed, is above 0 by Student's paired"
             " one-sided test at 5 %%; the best of several arms is chosen by the same numbers, and then it is not 5 %%\n  %zu arms, %ld seed%s, %ld steps, %ld a score; ",
          j->n_arms, j->seeds, j->seeds > 1 ? "s" : "", j->steps, j->n);
  if (isfinite(d->floor)) fprintf(f, "%s: floor %.4g, ceiling %.4g; ", j->study->measures[0], d->floor, d->ceiling);
  fprintf(f, "%.0f s in all\n", seconds);
  free(claims);
}

/* The first known of those who have judged an arm and what it is compared with; "": none. */
static const char *first_judge(const struct study_job *j, const struct study_context *c, const struct study_arm *a) {
  if (*c->judge && study_judged_alike(j->arms[0], a)) return c->judge;
  for (size_t i = 0; i < j->n_arms; i++)
    for (long s = 0; s < j->seeds; s++)
      if (*j->results[i][s].judge && study_judged_alike(j->arms[i], a)) return j->results[i][s].judge;
  return "";
}

/* Scores compare under one judge alone. Where his file was made anew meanwhile none of them is to be told. */
static int one_judge(const struct study_job *j, const struct study_context *c) {
  for (size_t i = 0; i < j->n_arms; i++)
    for (long s = 0; s < j->seeds; s++) {
      const char *judge = j->results[i][s].judge, *first = first_judge(j, c, j->arms[i]);
      if (*judge && strcmp(judge, first))
        return because(STATUS_BAD, "no verdict: %s, seed %ld, was scored by the judge %s, what it is compared with by %s: remove"
                       " %s/*.json and %s/runs/*/context*.json, and the same command scores all again and trains none",
                       j->arms[i]->name, s + 1, judge, first, j->folder, j->out);
    }
  return STATUS_OK;
}

int study_tell(const struct study_job *j) {
  char path[TEXT_MAX + 128];
  struct study_context c = { .judge = "" };
  int status = j->study->context(j, j->arms[0], &c);
  if (!status) status = one_judge(j, &c);
  if (status) return status;
  struct drawn d = { .j = j, .floor = c.floor[0], .ceiling = c.ceiling[0] };
  find_groups(&d);
  snprintf(path, sizeof path, "%s/%s.txt", j->out, j->study->name);
  status = gnuplot_write(path, print_verdict, &d);
  if (status) return status;
  print_verdict(stdout, &d);
  snprintf(path, sizeof path, "%s/%s.csv", j->out, j->study->name);
  status = gnuplot_write(path, print_numbers, j);
  if (status) return status;
  printf("%s\n", path);
  path[strlen(path) - 4] = 0;
  status = study_picture(path, WIDTH, HEIGHT, put_script, &d);
  if (!status && j->study->draw) status = j->study->draw(j);
  if (status != STATUS_MISSING) return status;
  fprintf(stderr, "%s\n", status_reason());
  return STATUS_OK;
}
