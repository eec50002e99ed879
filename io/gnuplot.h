/* gnuplot.h - pictures drawn by gnuplot, a program of its own that is started when a picture is wanted.
 * The script goes to its standard input and the PNG comes from its standard output, so that no name of a file is ever part of
 * a script. Errors: STATUS_MISSING: there is no gnuplot; STATUS_IO: it failed (its own last words), or PATH cannot be written;
 * PATH is whole or as it was. Ranks: local. */
#ifndef IO_GNUPLOT_H
#define IO_GNUPLOT_H
#include <stdio.h>

/* Draws the script, which begins without a terminal of its own, as `width` x `height` pixels into path. */
int gnuplot_png(const char *path, int width, int height, const char *script);
/* The numbers of a picture lie beside it: csv[room] = FILE.csv for out = FILE.png, and for FILE.csv, which asks for them alone.
 * Errors: STATUS_BAD: another name. */
int gnuplot_numbers(const char *out, char *csv, size_t room);
/* Writes text as a string of gnuplot's, whatever is in it; characters that cannot be shown become '?'. */
void gnuplot_text(FILE *script, const char *text);
#endif
