/* An arm of the toy: one MLP, trained and sampled in this process. Of the first seed its samples are kept, for the scatter plots. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/gnuplot.h"
#include "jobs/study.h"
#include "src/base/random.h"
#include "src/flow/toy.h"
#include "src/optim/adam.h"
#include "src/optim/schedule.h"
#include "src/score/chamfer.h"
#include "src/base/status.h"

enum { BATCH = 128, WIDTH = 1400, HEIGHT = 760, LIMIT = 3 };

struct training {
  struct toy c;
  struct toy_work w;
  struct arena arena;
  real *weights, *grads, *m, *s, *points, *roll;   /* points, roll: [n,2] */
};

static void layout(struct training *t, size_t n) {
  const size_t size = t->c.net.table.size;
  t->weights = arena_take(&t->arena, size), t->grads = arena_take(&t->arena, size);
  t->m = arena_take(&t->arena, size), t->s = arena_take(&t->arena, size);
  t->points = arena_take(&t->arena, 2 * n), t->roll = arena_take(&t->arena, 2 * n);
  toy_layout(&t->arena, &t->c, &t->w);
}

/* "x 512": the prediction, and D. */
static int open_training(struct training *t, const struct study_arm *a, size_t n, long seed) {
  *t = (struct training){ .c = { .prediction = a->name[0] == 'u' ? PREDICT_U : PREDICT_X, .D = (size_t)a->x, .B = BATCH,
                                 .B_dot = BATCH / 2, .seed = (uint64_t)seed } };
  toy_init(&t->c);
  layout(t, n);
  const int status = arena_init(&t->arena);
  if (status) return status;
  layout(t, n);
  toy_begin(&t->c, &t->w);
  table_init_weights(&t->c.net.table, (uint64_t)seed, t->weights);
  return STATUS_OK;
}

static void close_training(struct training *t) {
  toy_free(&t->c);
  arena_free(&t->arena);
}

static int train(struct training *t, long steps) {
  const struct adam adam = { 0.9, 0.95, 0, 1 };
  const struct schedule rate = { 1, 2e-3, 0.01, 0, (double)steps };
  const size_t size = t->c.net.table.size;
  for (long k = 1; k <= steps; k++) {
    if (study_stopped()) return because(STATUS_SAVED, "stopped; the same command goes on");
    memset(t->grads, 0, size * sizeof *t->grads);
    toy_draw(&t->c, (uint64_t)k, &t->w);
    toy_gradient(&t->c, t->weights, &t->w, t->grads);
    adam_update(&adam, size, (uint64_t)k, schedule_rate(&rate, (uint64_t)k - 1), t->grads, t->m, t->s, t->weights);
  }
  return STATUS_OK;
}

/* --- points of a picture, in a file of their own ----------------------------------------------------------------------- */

struct points { size_t n; const real *p; };
static void put_points(FILE *f, const void *what) {
  const struct points *k = what;
  fputs("x,y\n", f);
  for (size_t i = 0; i < k->n; i++) fprintf(f, "%.5g,%.5g\n", (double)k->p[2 * i], (double)k->p[2 * i + 1]);
}

static void points_name(const struct study_job *j, const struct study_arm *a, char *path, size_t room) {
  snprintf(path, room, "%s/points.%c%.0f.csv", j->folder, a->name[0], a->x);
}

/* --- an arm ------------------------------------------------------------------------------------------------------------ */

/* Of n points against the roll: both ways together, samples to roll, roll to samples. */
static void measure(size_t n, const real *p, const real *roll, double *value) {
  value[1] = chamfer_one_way(2, n, p, n, roll), value[2] = chamfer_one_way(2, n, roll, n, p);
  value[0] = value[1] + value[2];
}

int study_toy_run(const struct study_job *j, const struct study_arm *a, long seed, struct study_result *r) {
  struct training t;
  const size_t n = (size_t)j->n;
  char path[TEXT_MAX + 128];
  int status = open_training(&t, a, n, seed);
  if (!status) status = train(&t, j->steps);
  if (!status) {
    toy_roll((uint64_t)seed, 0, n, t.roll);
    r->value[3] = toy_samples(&t.c, t.weights, &t.w, n, t.points);
    measure(n, t.points, t.roll, r->value);
    points_name(j, a, path, sizeof path);
    if (seed == 1) status = gnuplot_write(path, put_points, &(struct points){ n, t.points });
  }
  close_training(&t);
  return status;
}

/* Other points of the roll; points of the noise. */
int study_toy_context(const struct study_job *j, const struct study_arm *a, struct study_context *c) {
  const size_t n = (size_t)j->n;
  real *p = malloc(2 * n * sizeof *p), *roll = malloc(2 * n * sizeof *roll);
  const int status = p && roll ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu points", n);
  (void)a;
  if (!status) {
    toy_roll(1, 0, n, roll);
    toy_roll(1, 1, n, p);
    measure(n, p, roll, c->floor);
    random_normal((struct purpose){ 1, STREAM_SAMPLE, 0, 0 }, 2 * n, p);
    measure(n, p, roll, c->ceiling);
    c->floor[3] = 0, c->ceiling[3] = 1;
  }
  free(p), free(roll);
  return status;
}

/* --- scatter plots: a row for each prediction, a column for each D ----------------------------------------------------- */

static void put_file(FILE *f, const char *path, const char *name) {
  char line[256];
  FILE *in = fopen(path, "r");
  fprintf(f, "$%s << END\n", name);
  if (!in || !fgets(line, sizeof line, in)) fputs("NaN,NaN\n", f);   /* the names */
  else
    while (fgets(line, sizeof line, in)) fputs(line, f);
  fputs("END\n", f);
  if (in) fclose(in);
}

static void put_scatter(FILE *f, const void *job) {
  const struct study_job *j = job;
  const size_t columns = (j->n_arms + 1) / 2;
  fputs("set datafile separator ','\n", f);
  fputs("$roll << END\n", f);
  for (int i = 0; i <= 400; i++) {
    const double pi = 3.14159265358979323846, a = 1.5 * pi + 3 * pi * i / 400.0, s = 1.5 * pi * sqrt(13.0 / 6);
    fprintf(f, "%.5g,%.5g\n", a * cos(a) / s, a * sin(a) / s);
  }
  fputs("END\n", f);
  for (size_t i = 0; i < j->n_arms; i++) {
    char path[TEXT_MAX + 128], name[32];
    points_name(j, j->arms[i], path, sizeof path);
    snprintf(name, sizeof name, "p%zu", i);
    put_file(f, path, name);
  }
  fprintf(f, "set border lc rgb '#a0a0a0'\nunset tics\nset size ratio -1\nset xrange [-%d:%d]\nset yrange [-%d:%d]\n"
             "set multiplot layout 2,%zu margins 0.02,0.99,0.03,0.93 spacing 0.015,0.06\n", LIMIT, LIMIT, LIMIT, LIMIT, columns);
  for (size_t i = 0; i < j->n_arms; i++) {
    char title[128];
    snprintf(title, sizeof title, "%c-prediction, D = %.0f: distance %.3f", j->arms[i]->name[0], j->arms[i]->x,
             j->results[i][0].value[0]);
    fputs("set title ", f);
    gnuplot_text(f, title);
    fprintf(f, "\nplot $roll with lines lw 1 lc rgb '#c0c0c0' notitle, $p%zu with points pt 7 ps 0.25 lc rgb '%s' notitle\n", i,
            gnuplot_colour(j->arms[i]->name[0] == 'u'));
  }
  fputs("unset multiplot\n", f);
}

int study_toy_draw(const struct study_job *j) {
  char path[TEXT_MAX + 128];
  snprintf(path, sizeof path, "%s/toy-samples", j->out);
  return study_picture(path, WIDTH, HEIGHT, put_scatter, j);
}
