#include "io/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/disk.h"
#include "src/base/status.h"

extern char **environ;

void gnuplot_text(FILE *script, const char *text) {
  fputc('\'', script);
  for (; *text; text++) {
    if (*text == '\'') fputs("''", script);
    else fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, script);
  }
  fputc('\'', script);
}

static int is_svg(const char *path) {
  const size_t n = strlen(path);
  return n > 4 && !strcmp(path + n - 4, ".svg");
}

/* Cairo's lines and letters where they are, else those of the GD library. */
static void begin(FILE *in, const char *path, int width, int height) {
  if (is_svg(path)) {
    fprintf(in, "set encoding utf8\nset terminal svg noenhanced size %d,%d background '#ffffff' font 'sans,13' linewidth 1.5\n", width, height);
    return;
  }
  fprintf(in, "set encoding utf8\n"
              "if (strstrt(GPVAL_TERMINALS, 'pngcairo') > 0) {\n"
              "  set terminal pngcairo noenhanced size %d,%d background '#ffffff' font 'sans,13' linewidth 1.5\n"
              "} else {\n"
              "  set terminal png noenhanced truecolor size %d,%d font ',12'\n"
              "}\n", width, height, width, height);
}

/* The last line that is not empty. */
static void last_words(FILE *err, char words[256]) {
  char line[256];
  *words = 0;
  rewind(err);
  while (fgets(line, sizeof line, err))
    if (line[strspn(line, " \t\n^")]) snprintf(words, 256, "%s", line + strspn(line, " \t"));
  words[strcspn(words, "\n")] = 0;
}

static int start(pid_t *child, int in, int out, int err) {
  static char *const words[] = { "gnuplot", "-d", NULL };   /* -d: without the user's own settings */
  const int from[] = { in, out, err };
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int to = 0; to < 3; to++) posix_spawn_file_actions_adddup2(&actions, from[to], to);
  const int error = posix_spawnp(child, words[0], &actions, NULL, words, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT || error == EACCES)
    return because(STATUS_MISSING, "no gnuplot here, which draws the picture: apt-get install gnuplot-nox (Fedora:"
                   " gnuplot-minimal, Spack: gnuplot)");
  return error ? because(STATUS_IO, "gnuplot: %s", strerror(error)) : STATUS_OK;
}

static int run(FILE *in, int out, FILE *err) {
  pid_t child;
  int code = 0;
  char words[256];
  const int status = start(&child, fileno(in), out, fileno(err));
  if (status) return status;
  while (waitpid(child, &code, 0) < 0 && errno == EINTR) {}
  last_words(err, words);
  if (!WIFEXITED(code) || WEXITSTATUS(code)) return because(STATUS_IO, "gnuplot failed: %s", *words ? words : "without a word");
  if (lseek(out, 0, SEEK_END) < 8) return because(STATUS_IO, "gnuplot drew nothing: %s", *words ? words : "without a word");
  return STATUS_OK;
}

static int draw(const char *path, const char *partial, int width, int height, const char *script) {
  FILE *in = tmpfile(), *err = tmpfile();
  const int out = open(partial, O_RDWR | O_CREAT | O_TRUNC, 0666);
  int status = STATUS_OK;
  if (out < 0) status = because(STATUS_IO, "%s: %s", partial, strerror(errno));
  else if (!in || !err) status = because(STATUS_IO, "no room for gnuplot's script: %s", strerror(errno));
  if (!status) {
    begin(in, path, width, height);
    fputs(script, in);
    if (fflush(in) || ferror(in)) status = because(STATUS_IO, "no room for gnuplot's script: %s", strerror(errno));
    lseek(fileno(in), 0, SEEK_SET);
  }
  if (!status) status = run(in, out, err);
  if (in) fclose(in);
  if (err) fclose(err);
  if (out >= 0) close(out);
  if (!status && rename(partial, path)) status = because(STATUS_IO, "%s: %s", path, strerror(errno));
  if (status && out >= 0) unlink(partial);
  return status;
}

int gnuplot_png(const char *path, int width, int height, const char *script) {
  char partial[PATH_MAX];
  if (disk_temporary(path, partial, sizeof partial))
    return because(STATUS_BAD, "%.64s...: the name is too long", path);
  return draw(path, partial, width, height, script);
}

int gnuplot_numbers(const char *out, char *csv, size_t room) {
  const size_t n = strlen(out);
  if (n < 5 || n >= room || (strcmp(out + n - 4, ".png") && strcmp(out + n - 4, ".csv")))
    return because(STATUS_BAD, "out=%s: expected FILE.png or FILE.csv", out);
  snprintf(csv, room, "%.*s.csv", (int)n - 4, out);
  return STATUS_OK;
}

int gnuplot_draw(const char *path, int width, int height, void (*put)(FILE *, const void *), const void *what) {
  char *script = NULL;
  size_t size;
  FILE *f = open_memstream(&script, &size);
  if (f) put(f, what);
  int status = !f || fclose(f) ? because(STATUS_NOMEM, "no memory for the picture's script") : STATUS_OK;
  if (!status) status = gnuplot_png(path, width, height, script);
  free(script);
  return status;
}

int gnuplot_write(const char *path, void (*put)(FILE *, const void *), const void *what) {
  char partial[PATH_MAX];
  if (disk_temporary(path, partial, sizeof partial))
    return because(STATUS_BAD, "%.64s...: the name is too long", path);
  FILE *f = fopen(partial, "w");
  if (!f) return because(STATUS_IO, "%s: %s", partial, strerror(errno));
  put(f, what);
  const int failed = ferror(f);
  if (!fclose(f) && !failed && !rename(partial, path)) return STATUS_OK;
  const int status = because(STATUS_IO, "%s: %s", path, strerror(errno));
  unlink(partial);
  return status;
}

void gnuplot_frame(FILE *script) {
  fputs("set border lc rgb '#404040'\nset tics nomirror\nset grid xtics ytics lt 1 lw 0.6 lc rgb '#e0e0e0'\n", script);
}

const char *gnuplot_colour(size_t i) {
  static const char *const colours[] = { "#0060a8", "#d55e00", "#00795a", "#b0569b", "#707070", "#c9a400", "#56b4e9", "#8b2e16" };
  return colours[i % (sizeof colours / sizeof *colours)];
}

void gnuplot_log_axis(FILE *script, double low, double high) {
  if (!(low > 0 && high > 0)) low = 1, high = 10;
  fprintf(script, "set logscale y\nset yrange [%.6g:%.6g]\nset ytics (", low, high);
  const char *comma = "";
  for (int e = (int)floor(log10(low)); e <= (int)ceil(log10(high)); e++)
    for (int m = 1; m < 10; m++) {
      const double y = m * pow(10, e);
      if (m == 1 || m == 2 || m == 5) fprintf(script, "%s'%g' %g", comma, y, y);
      else fprintf(script, "%s'' %g 1", comma, y);
      comma = ", ";
    }
  fputs(")\n", script);
}
