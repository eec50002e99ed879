/* The picture of pmf plot, as a script for gnuplot: a panel of losses and, where there are any, one of scores, over the same
 * axis of images seen. Colours differ in brightness too, for those who print in grey or see no red and green. */
#include <math.h>
#include <stdio.h>

#include "io/gnuplot.h"
#include "jobs/plot.h"

enum { DRAWN_MAX = 4000, WIDTH = 1400, ONE_PANEL = 640, TWO_PANELS = 1120 };

struct drawing {
  FILE *f;
  const struct plot *p;
  double unit;                     /* images in a unit of the axis */
  double least, most;              /* its ends, in units */
};

static const struct { const char *title, *axes, *thick, *thin; } curves[PLOT_CURVES] = {
  { "loss (right axis)",    "x1y2", "#707070", "#d8d8d8" },
  { "mean square error, u", "x1y1", "#0060a8", "#a9cdea" },
  { "mean square error, v", "x1y1", "#d55e00", "#f6c9a4" },
};

static void put(const struct drawing *d, double x) {
  if (isfinite(x)) fprintf(d->f, " %.9g", x);
  else fputs(" nan", d->f);
}

/* The numbers: images and then, of each curve, value and mean; FID and agreement on the way; the same at the end. */
static void put_data(const struct drawing *d) {
  const struct plot *p = d->p;
  const size_t n = p->h.n_steps, every = 1 + n / DRAWN_MAX;
  fputs("$steps << END\n", d->f);
  for (size_t i = 0; i < n; i++) {
    if (i % every && i < n - 1) continue;
    put(d, p->h.steps[i].images / d->unit);
    for (int c = 0; c < PLOT_CURVES; c++) put(d, plot_value(p, c, i)), put(d, p->mean[c][i]);
    fputc('\n', d->f);
  }
  fputs("END\n$scores << END\n", d->f);
  for (size_t i = 0; i < p->h.n_scores; i++) {
    const struct history_score *s = &p->h.scores[i];
    put(d, s->images / d->unit), put(d, s->fid), put(d, 100 * s->agreement);
    fputc('\n', d->f);
  }
  fputs("END\n$rows << END\n", d->f);
  for (size_t i = 0; i < p->n_rows; i++) {
    const struct plot_row *r = &p->rows[i];
    if (!r->evaluations) continue;
    put(d, p->at / d->unit), put(d, r->fid), put(d, 100 * r->agreement);
    fputc('\n', d->f);
  }
  fputs("END\n", d->f);
}

/* Minutes, or hours, along the top. */
static void put_minutes(const struct drawing *d) {
  static const double spacing[] = { 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1440, 2880, 7200, 14400,
                                    43200 };
  enum { SPACINGS = sizeof spacing / sizeof *spacing };
  const double most = d->p->h.steps[d->p->h.n_steps - 1].minutes, hour = most >= 180 ? 60 : 1;
  int i = 0;
  while (i < SPACINGS - 1 && !(most / spacing[i] <= 8)) i++;
  fprintf(d->f, "set x2label '%s of training' offset 0,-0.4\nset x2tics scale 0.5 offset 0,-0.3 (",
          hour > 1 ? "hours" : "minutes");
  for (int k = 0; k * spacing[i] <= most && k < 1000; k++)
    fprintf(d->f, "%s'%g' %.9g", k ? ", " : "", k * spacing[i] / hour, history_images(&d->p->h, k * spacing[i]) / d->unit);
  fputs(")\n", d->f);
}

/* Below the panel, in one row, where it hides nothing. rows: lines of text between. */
static void put_key(const struct drawing *d, double bottom, double rows) {
  fprintf(d->f, "set key at screen 0.5, screen %g center top horizontal Left reverse maxcols 3 samplen 2.5 width -2\n",
          bottom - rows);
}

static void put_losses(const struct drawing *d) {
  double low = INFINITY, high = 0;
  for (size_t i = 0; i < d->p->h.n_steps; i++)
    for (int c = 1; c < PLOT_CURVES; c++) {
      const double y = plot_value(d->p, c, i);
      if (y > 0) low = fmin(low, y), high = fmax(high, y);
    }
  put_minutes(d);
  gnuplot_log_axis(d->f, low / 1.15, high * 1.15);
  const char *line = d->p->h.n_steps > 1 ? "lines" : "points pt 7";   /* a line of one point is not seen */
  fputs("set ylabel 'mean square error'\nset y2label 'loss'\nset y2tics\nset format y2 '%.8g'\nplot ", d->f);
  for (int c = 0; c < PLOT_CURVES; c++)
    fprintf(d->f, "$steps using 1:%d axes %s with %s lw 1 lc rgb '%s' notitle, ", 2 + 2 * c, curves[c].axes, line, curves[c].thin);
  for (int c = 0; c < PLOT_CURVES; c++)
    fprintf(d->f, "$steps using 1:%d axes %s with %s lw 2.5 lc rgb '%s' title '%s'%s", 3 + 2 * c, curves[c].axes, line,
            curves[c].thick, curves[c].title, c < PLOT_CURVES - 1 ? ", " : "\n");
}

/* A score of the net: its label left of the point, at `y`. */
static void put_score(const struct drawing *d, const struct plot_row *r, double y) {
  char label[128], agreement[32] = "";
  if (isfinite(r->agreement)) snprintf(agreement, sizeof agreement, ", %.1f %% agree", 100 * r->agreement);
  snprintf(label, sizeof label, "%s: %.3g%s", r->name, r->fid, agreement);
  fputs("set label ", d->f);
  gnuplot_text(d->f, label);
  fprintf(d->f, " at first %.9g, first %.9g right offset -1.2,-0.6 tc rgb '#004d40' front\n", d->p->at / d->unit, y);
}

/* What scores are compared with: a line across. */
static void put_level(const struct drawing *d, const struct plot_row *r) {
  char label[128];
  snprintf(label, sizeof label, "%s: %.3g", r->name, r->fid);
  fprintf(d->f, "set arrow from graph 0, first %.9g to graph 1, first %.9g nohead lw 1.2 dt (8,5) lc rgb '#606060'\nset label ",
          r->fid, r->fid);
  gnuplot_text(d->f, label);
  fprintf(d->f, " at graph 0.993, first %.9g right offset 0,0.6 tc rgb '#505050' front\n", r->fid);
}

/* Labels from the farthest score to the nearest, `apart` (a ratio) at least. */
static void put_labels(const struct drawing *d, double apart) {
  double last = INFINITY, y = INFINITY;
  for (size_t done = 0; done < d->p->n_rows; done++) {
    const struct plot_row *next = NULL;
    for (size_t i = 0; i < d->p->n_rows; i++) {
      const struct plot_row *r = &d->p->rows[i];
      if (r->evaluations && r->fid < last && (!next || r->fid > next->fid)) next = r;
    }
    if (!next) break;
    last = next->fid;
    y = fmin(last, y / apart);
    put_score(d, next, y);
  }
  for (size_t i = 0; i < d->p->n_rows; i++)
    if (!d->p->rows[i].evaluations) put_level(d, &d->p->rows[i]);
}

static void put_scores(const struct drawing *d) {
  const struct plot *p = d->p;
  double low = INFINITY, high = 0, agreement = 1;
  size_t nets = 0;
  int deficient = 0;
  for (size_t i = 0; i < p->n_rows; i++) {
    low = fmin(low, p->rows[i].fid), high = fmax(high, p->rows[i].fid);
    nets += p->rows[i].evaluations > 0;
    deficient |= p->rows[i].rank_deficient;
  }
  for (size_t i = 0; i < p->h.n_scores; i++) {
    if (p->h.scores[i].fid > 0) low = fmin(low, p->h.scores[i].fid), high = fmax(high, p->h.scores[i].fid);
    deficient |= p->h.scores[i].rank_deficient;
    agreement = fmin(agreement, p->h.scores[i].agreement);   /* fmin passes a NAN over */
  }
  low /= 1.6, high *= 1.8;
  gnuplot_log_axis(d->f, low, high);
  put_labels(d, pow(high / low, 0.05));
  fprintf(d->f, "set ylabel 'FID[classifier]%s'\n", deficient ? ", N < D" : "");
  if (p->h.n_scores) fprintf(d->f, "set y2label 'label agreement, %%'\nset y2tics\nset y2range [%g:100]\n",
                             fmax(0, fmin(90, 10 * floor(10 * agreement - 0.5))));
  else fputs("unset y2label\nunset y2tics\n", d->f);
  fputs("plot NaN notitle", d->f);
  if (p->h.n_scores)
    fputs(", $scores using 1:2 with linespoints lw 2.5 pt 7 ps 1.1 lc rgb '#00795a' title 'FID[classifier] during training'"
          ", $scores using 1:3 axes x1y2 with linespoints lw 1.5 pt 6 ps 1.1 lc rgb '#b0569b'"
          " title 'label agreement (right axis)'", d->f);
  if (nets)
    fputs(", $rows using 1:2 with points pt 5 ps 1.6 lc rgb '#004d40' title 'FID[classifier] at the end'", d->f);
  fputc('\n', d->f);
}

static void put_panel(const struct drawing *d, double top, double bottom) {
  fprintf(d->f, "set tmargin at screen %g\nset bmargin at screen %g\n", top, bottom);
}

static void put_script(const struct drawing *d) {
  const int scores = d->p->h.n_scores || d->p->n_rows;
  const char *images = d->unit >= 1e6 ? "images seen (millions)" : d->unit >= 1e3 ? "images seen (thousands)" : "images seen";
  put_data(d);
  gnuplot_frame(d->f);
  fprintf(d->f, "set datafile missing 'nan'\n"
                "set xrange [%.9g:%.9g]\nset x2range [%.9g:%.9g]\nset lmargin at screen 0.08\nset rmargin at screen 0.90\n"
                "set multiplot\nset label 1000 ", d->least, d->most, d->least, d->most);
  gnuplot_text(d->f, d->p->title);
  fprintf(d->f, " at screen 0.5, screen %g center font ',16'\n", scores ? 0.975 : 0.957);
  if (!scores) {
    put_panel(d, 0.82, 0.19), put_key(d, 0.19, 0.115);
    fprintf(d->f, "set xlabel '%s'\n", images);
    put_losses(d);
  } else {
    put_panel(d, 0.89, 0.545), put_key(d, 0.545, 0.012);
    fputs("set format x ''\n", d->f);
    put_losses(d);
    fprintf(d->f, "unset label 1000\nunset x2tics\nunset x2label\nset format x '%%g'\nset xlabel '%s'\n", images);
    put_panel(d, 0.475, 0.11), put_key(d, 0.11, 0.066);
    put_scores(d);
  }
  fputs("unset multiplot\n", d->f);
}

static void put_plot(FILE *f, const void *plot) {
  const struct plot *p = plot;
  const double last = p->h.steps[p->h.n_steps - 1].images, most = p->n_rows ? fmax(last, p->at) : last;
  struct drawing d = { .f = f, .p = p, .unit = most >= 2e6 ? 1e6 : most >= 2e3 ? 1e3 : 1 };
  d.least = p->h.began / d.unit, d.most = d.least + 1.02 * (most / d.unit - d.least);
  put_script(&d);
}

int plot_draw(const struct plot *p, const char *path) {
  return gnuplot_draw(path, WIDTH, p->h.n_scores || p->n_rows ? TWO_PANELS : ONE_PANEL, put_plot, p);
}
