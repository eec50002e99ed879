/* plot.h - what pmf plot draws. plot.c gathers it, plot_draw.c makes the picture. */
#ifndef JOBS_PLOT_H
#define JOBS_PLOT_H
#include "io/history.h"
#include "io/settings.h"

enum { PLOT_CURVES = 3, PLOT_ROWS = 16 };

/* A row of `pmf score`: from so many evaluations of the net, or what the scores are compared with (evaluations = 0). */
struct plot_row { char name[64]; double evaluations, fid, kid, agreement; int rank_deficient; };   /* N < D */

struct plot {
  const char *run;
  struct history h;
  double *mean[PLOT_CURVES];       /* [n_steps] running means of loss, mse_u, mse_v */
  struct plot_row rows[PLOT_ROWS];
  size_t n_rows;
  double at;                       /* images seen where the rows' net stood */
  char title[TEXT_MAX + 256];
};
/* The number of a curve at a step as it was logged. */
double plot_value(const struct plot *p, int curve, size_t step);
/* RUN's picture into path, FILE.png or FILE.svg. Local. Errors: those of history_read and plot_draw. */
int plot_picture(const char *run, const char *path);
/* Local. Errors: those of gnuplot_png. */
int plot_draw(const struct plot *p, const char *path);
#endif
