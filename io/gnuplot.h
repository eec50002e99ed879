/* gnuplot.h - pictures drawn by gnuplot, a program of its own that is started when a picture is wanted.
 * The script goes to its standard input and the picture comes from its standard output, so that no name of a file is ever part of
 * a script. Errors: STATUS_MISSING: there is no gnuplot; STATUS_IO: it failed (its own last words), or PATH cannot be written;
 * PATH is whole or as it was. Ranks: local. */
#ifndef IO_GNUPLOT_H
#define IO_GNUPLOT_H
#include <stdio.h>

/* Draws the script, which begins without a terminal of its own, as `width` x `height` pixels into path: FILE.svg as SVG, else PNG. */
int gnuplot_png(const char *path, int width, int height, const char *script);
/* The same of the script that put writes about `what`. Errors: also STATUS_NOMEM. */
int gnuplot_draw(const char *path, int width, int height, void (*put)(FILE *script, const void *what), const void *what);
/* The numbers, as put writes them, into a file that is whole or as it was. Errors: STATUS_IO. */
int gnuplot_write(const char *path, void (*put)(FILE *numbers, const void *what), const void *what);
/* The numbers of a picture lie beside it: csv[room] = FILE.csv for out = FILE.png, and for FILE.csv, which asks for them alone.
 * Errors: STATUS_BAD: another name. */
int gnuplot_numbers(const char *out, char *csv, size_t room);
/* Grey border, light grid: what all pictures begin with. */
void gnuplot_frame(FILE *script);
/* A logarithmic y axis from low to high with numbers at 1, 2 and 5. */
void gnuplot_log_axis(FILE *script, double low, double high);
/* Colours that differ in brightness too, for those who print in grey or see no red and green; again from the first after eight. */
const char *gnuplot_colour(size_t i);
/* Writes text as a string of gnuplot's, whatever is in it; characters that cannot be shown become '?'. */
void gnuplot_text(FILE *script, const char *text);
#endif
