/* The picture of a scaling study: speed-up, efficiency and waiting over the number of ranks. Points are medians of the repeats,
 * bars reach from the least to the most. */
#include <string.h>

#include "io/gnuplot.h"
#include "jobs/scaling.h"

enum { WIDTH = 1400, HEIGHT = 1500 };

static void put_data(FILE *f, const struct scaling *s) {
  for (size_t i = 0; i < s->count; i++) {
    fprintf(f, "$s%zu << END\n", i);
    for (size_t k = 0; k < s->series[i].count; k++) {
      const struct scaling_point *p = &s->series[i].points[k];
      fprintf(f, "%d", p->ranks);
      const struct spread all[] = { p->speed_up, p->efficiency, p->exposed };
      for (int j = 0; j < 3; j++) {
        const double by = j ? 100 : 1;
        fprintf(f, " %.9g %.9g %.9g", by * all[j].middle, by * all[j].low, by * all[j].high);
      }
      fputc('\n', f);
    }
    fputs("END\n", f);
  }
}

/* Every number of ranks that was run, on a logarithmic axis, with an eighth of a step free at each end. */
static void put_ranks(FILE *f, const struct scaling *s) {
  int least = s->series->points->ranks, most = least;
  fputs("set xtics (", f);
  const char *comma = "";
  for (size_t i = 0; i < s->count; i++)
    for (size_t k = 0; k < s->series[i].count; k++) {
      const int ranks = s->series[i].points[k].ranks;
      least = ranks < least ? ranks : least, most = ranks > most ? ranks : most;
      fprintf(f, "%s%d", comma, ranks);
      comma = ", ";
    }
  fprintf(f, ")\nset logscale x 2\nset xrange [%.6g:%.6g]\n", least / 1.15, most * 1.15);
}

static size_t first_of_net(const struct scaling *s, size_t i) {
  size_t k = 0;
  while (strcmp(s->series[k].name, s->series[i].name)) k++;
  return k;
}

/* One colour for both studies of a net. */
static const char *colour_of(const struct scaling *s, size_t i) {
  size_t nets = 0;
  for (size_t k = 0; k < first_of_net(s, i); k++) nets += first_of_net(s, k) == k;
  return gnuplot_colour(nets);
}

/* Studies of a net in turn. */
static int dash_of(const struct scaling *s, size_t i) {
  int dash = 1;
  for (size_t k = 0; k < i; k++) dash += !strcmp(s->series[k].name, s->series[i].name);
  return dash;
}

/* Columns at, at + 1, at + 2: median, least, most. */
static void put_curves(FILE *f, const struct scaling *s, int at, int named) {
  for (size_t i = 0; i < s->count; i++) {
    const struct scaling_series *e = &s->series[i];
    const char *colour = colour_of(s, i);
    const int dash = dash_of(s, i), kind = !strcmp(e->study, "strong") || !strcmp(e->study, "weak");
    fprintf(f, ", $s%zu using 1:%d:%d:%d with yerrorbars lw 1.5 pt %d ps 1.2 lc rgb '%s' notitle"
               ", $s%zu using 1:%d with lines lw 2 dt %d lc rgb '%s' ",
            i, at, at + 1, at + 2, dash == 1 ? 7 : 5, colour, i, at, dash, colour);
    if (!named) {
      fputs("notitle", f);
      continue;
    }
    char title[128];
    snprintf(title, sizeof title, "%s, %s%s", e->name, e->study, kind ? " scaling" : "");
    fputs("title ", f);
    gnuplot_text(f, title);
  }
  fputc('\n', f);
}

static void put_panel(FILE *f, double top, double bottom, const char *label) {
  fprintf(f, "set tmargin at screen %g\nset bmargin at screen %g\nset ylabel '%s'\n", top, bottom, label);
}

static void put_script(FILE *f, const void *scaling) {
  const struct scaling *s = scaling;
  char title[256];
  snprintf(title, sizeof title, "%zu runs; against the fewest ranks of the same net and study; bars: least to most of the repeats",
           s->runs);
  put_data(f, s);
  gnuplot_frame(f);
  fputs("set lmargin at screen 0.08\nset rmargin at screen 0.97\nset bars 0.6\nset multiplot\nset label 1 ", f);
  gnuplot_text(f, title);
  fputs(" at screen 0.5, screen 0.98 center font ',16'\n", f);
  put_ranks(f, s);
  put_panel(f, 0.95, 0.66, "speed-up");
  fputs("set format x ''\nset key at graph 0.02, graph 0.97 left top Left reverse samplen 3\nset logscale y 2\n"
        "plot x with lines lw 1.2 dt (8,5) lc rgb '#909090' title 'as many times as fast as there are ranks'", f);
  put_curves(f, s, 2, 1);
  fputs("unset label 1\nunset logscale y\nunset key\n", f);
  put_panel(f, 0.635, 0.355, "efficiency, %");
  fputs("set yrange [0:*]\nplot 100 with lines lw 1.2 dt (8,5) lc rgb '#909090'", f);
  put_curves(f, s, 5, 0);
  put_panel(f, 0.33, 0.06, "waiting for gradients, % of a step");
  fputs("set format x '%g'\nset xlabel 'ranks'\nplot NaN notitle", f);
  put_curves(f, s, 8, 0);
  fputs("unset multiplot\n", f);
}

int scaling_draw(const struct scaling *s, const char *path) { return gnuplot_draw(path, WIDTH, HEIGHT, put_script, s); }
