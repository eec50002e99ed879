#include "jobs/sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/gnuplot.h"
#include "jobs/setup.h"
#include "src/base/status.h"

/* --- the words --------------------------------------------------------------------------------------------------------- */

/* Numbers with commas between, each from low to high. */
static int read_numbers(const char *word, const char *text, double low, double high, double x[SWEEP_EACH], size_t *count) {
  char *end;
  for (const char *c = text; *text; c = end + 1) {
    const double value = strtod(c, &end);
    if (end == c || !(value >= low && value <= high) || (*end && *end != ',') || *count == SWEEP_EACH)
      return because(STATUS_BAD, "%s=%s: expected up to %d numbers from %g to %g with commas between", word, text, SWEEP_EACH, low,
                     high);
    x[(*count)++] = value;
    if (!*end) break;
  }
  return STATUS_OK;
}

static int read_steps(struct sweep *s, const char *text) {
  double x[SWEEP_EACH];
  const int status = read_numbers("steps", text, 1, 1000, x, &s->n_steps);
  for (size_t i = 0; i < s->n_steps && !status; i++) {
    s->steps[i] = (size_t)x[i];
    if ((double)s->steps[i] != x[i]) return because(STATUS_BAD, "steps=%s: expected whole numbers", text);
  }
  return status || s->n_steps ? status : because(STATUS_BAD, "steps=: expected numbers from 1 to 1000 with commas between");
}

static int read_seeds(struct sweep *s, const char *text) {
  double x[SWEEP_EACH];
  const int status = read_numbers("seed", text, 0, 9e15, x, &s->seeds);
  for (size_t i = 0; i < s->seeds && !status; i++) {
    s->seed[i] = (uint64_t)x[i];
    if ((double)s->seed[i] != x[i]) return because(STATUS_BAD, "seed=%s: expected whole numbers", text);
    for (size_t k = 0; k < i; k++)
      if (s->seed[k] == s->seed[i]) return because(STATUS_BAD, "seed=%s: one of them comes twice", text);
  }
  return status;
}

static int read_intervals(struct sweep *s, const char *text) {
  char *end;
  for (const char *c = text; *text; c = end + 1) {
    const double from = strtod(c, &end);
    const int first = end != c && *end == ':';
    c = first ? end + 1 : c;
    const double to = strtod(c, &end);
    if (!first || end == c || !(from >= 0 && from < to && to <= 1) || (*end && *end != ',') || s->intervals == SWEEP_EACH)
      return because(STATUS_BAD, "interval=%s: expected up to %d of FROM:TO with 0 <= FROM < TO <= 1 and commas between", text,
                     SWEEP_EACH);
    s->interval[s->intervals][0] = from, s->interval[s->intervals++][1] = to;
    if (!*end) break;
  }
  return STATUS_OK;
}

static int read_emas(struct sweep *s, const char *text) {
  for (const char *c = text; *text; c++) {
    const size_t n = strcspn(c, ",");
    if (!n || n >= sizeof *s->ema || s->emas == SWEEP_EACH)
      return because(STATUS_BAD, "ema=%s: expected up to %d names with commas between", text, SWEEP_EACH);
    memcpy(s->ema[s->emas], c, n);
    s->ema[s->emas++][n] = 0;
    c += n;
    if (!*c) break;
  }
  return STATUS_OK;
}

static size_t at_least_one(size_t n) { return n ? n : 1; }

int sweep_read(struct sweep *s, const char *steps, const char *omega, const char *interval, const char *ema, const char *seed) {
  *s = (struct sweep){ .omegas = 0 };
  int status = read_steps(s, steps);
  if (!status) status = read_numbers("omega", omega, 1, 1000, s->omega, &s->omegas);
  if (!status) status = read_intervals(s, interval);
  if (!status) status = read_emas(s, ema);
  if (!status) status = read_seeds(s, seed);
  if (status) return status;
  const size_t guided = at_least_one(s->omegas) * at_least_one(s->intervals);
  const size_t points = s->n_steps * guided * at_least_one(s->emas) * at_least_one(s->seeds);
  return points <= SWEEP_POINTS ? STATUS_OK : because(STATUS_BAD, "%zu scores asked for: expected at most %d", points, SWEEP_POINTS);
}

int sweep_is(const struct sweep *s) { return s->omegas > 1 || s->intervals > 1 || s->emas > 1 || s->seeds > 1; }

uint64_t sweep_seed(const struct sweep *s, const struct settings *run) {
  return s->seeds ? s->seed[0] : (uint64_t)run->training.seed;
}

const char *sweep_ema(const struct sweep *s, size_t i) { return s->emas ? s->ema[i] : NULL; }

int sweep_sampler(const struct sweep *s, const struct trained *t, double t_min, double t_max, struct sampler *sampler) {
  if (s->intervals && !(isnan(t_min) && isnan(t_max))) return because(STATUS_BAD, "interval= goes without t_min= and t_max=");
  int status = trained_sampler(t, s->omegas ? *s->omega : NAN, s->intervals ? s->interval[0][0] : t_min,
                               s->intervals ? s->interval[0][1] : t_max, sampler);
  for (size_t i = 1; i < s->emas && !status; i++) {
    struct trained other = *t;
    status = trained_choose(&other, s->ema[i]);
  }
  return status;
}

/* --- the work ---------------------------------------------------------------------------------------------------------- */

static void add(char *name, size_t room, const char *format, const char *text, double a, double b) {
  const size_t n = strlen(name);
  if (text) snprintf(name + n, room - n, format, text);
  else snprintf(name + n, room - n, format, a, b);
}

/* "4 steps of v, heun, ema3, omega 5 in [0.1, 0.7]": averages and intervals where there are several, the scale where it is not
 * the usual one. */
static void name_point(const struct sweep *s, double usual, const struct sampler *sampler, struct sweep_point *p) {
  const char *way = sampler->head == HEAD_U ? "" : sampler->solver == SOLVER_HEUN ? " of v, heun" : " of v, euler";
  snprintf(p->name, sizeof p->name, "%zu step%s%s", p->steps, p->steps > 1 ? "s" : "", way);
  if (s->emas > 1) add(p->name, sizeof p->name, ", %s", p->ema, 0, 0);
  if (s->omegas > 1 || s->intervals > 1 || p->omega != usual)
    add(p->name, sizeof p->name, ", omega %g", NULL, p->omega, 0);
  if (s->intervals > 1) add(p->name, sizeof p->name, " in [%g, %g]", NULL, p->t_min, p->t_max);
  p->stem = (int)strlen(p->name);
  if (s->seeds > 1) add(p->name, sizeof p->name, ", seed %.0f", NULL, (double)p->seed, 0);
}

int sweep_run(const struct sweep *s, struct trained *t, const struct world *w, struct sampler *sampler,
              int (*score)(void *context, const struct sweep_point *p), void *context) {
  const struct sampler own = *sampler;
  int status = STATUS_OK;
  for (size_t e = 0; e < at_least_one(s->emas) && !status; e++) {
    if (e && strcmp(t->ema, s->ema[e])) {
      snprintf(t->ema, sizeof t->ema, "%s", s->ema[e]);
      status = trained_load(t, w);
    }
    for (size_t n = 0; n < s->n_steps; n++)
      for (size_t k = 0; k < at_least_one(s->intervals); k++)
        for (size_t at = 0; at < at_least_one(s->omegas) * at_least_one(s->seeds) && !status; at++) {
          const size_t i = at / at_least_one(s->seeds);
          struct sweep_point p = { .steps = s->steps[n], .seed = s->seeds ? s->seed[at % s->seeds] : sweep_seed(s, &t->s),
                                   .omega = s->omegas ? s->omega[i] : setup_omega(&t->s, s->steps[n]),
                                   .t_min = s->intervals ? s->interval[k][0] : own.t_min,
                                   .t_max = s->intervals ? s->interval[k][1] : own.t_max };
          snprintf(p.ema, sizeof p.ema, "%.63s", t->ema);
          sampler->steps = p.steps, sampler->omega = p.omega, sampler->t_min = p.t_min, sampler->t_max = p.t_max;
          name_point(s, own.omega, sampler, &p);
          status = score(context, &p);
        }
  }
  return status;
}

/* --- telling ----------------------------------------------------------------------------------------------------------- */

struct telling { const struct sweep_point *p; size_t n; const char *name; };

static void put_numbers(FILE *f, const void *telling) {
  const struct telling *t = telling;
  fprintf(f, "ema,steps,t_min,t_max,omega,%s,n,rank_deficient,seed\n", t->name);
  for (size_t i = 0; i < t->n; i++) {
    const struct sweep_point *p = &t->p[i];
    fprintf(f, "%s,%zu,%g,%g,%g,%.9g,%zu,%d,%.0f\n", p->ema, p->steps, p->t_min, p->t_max, p->omega, p->score, p->n,
            p->rank_deficient, (double)p->seed);
  }
}

/* Of one curve: all but the scale are equal. */
static int same_curve(const struct sweep_point *a, const struct sweep_point *b) {
  return !strcmp(a->ema, b->ema) && a->steps == b->steps && a->t_min == b->t_min && a->t_max == b->t_max;
}

static void put_curves(FILE *f, const struct sweep_point *p, size_t n) {
  size_t curves = 0;
  for (size_t i = 0; i < n; i++) {
    if (!i || !same_curve(&p[i - 1], &p[i])) fprintf(f, "%s$c%zu << END\n", i ? "END\n" : "", curves++);
    fprintf(f, "%.9g %.9g\n", p[i].omega, p[i].score);
  }
  fputs("END\n", f);
}

/* A little more than all points take. */
static void put_axes(FILE *f, const struct sweep_point *p, size_t n) {
  double low = INFINITY, high = 0, left = INFINITY, right = 0;
  for (size_t i = 0; i < n; i++) {
    left = fmin(left, p[i].omega), right = fmax(right, p[i].omega);
    if (p[i].score > 0) low = fmin(low, p[i].score), high = fmax(high, p[i].score);
  }
  const double margin = right > left ? 0.04 * (right - left) : 1;
  fprintf(f, "set xrange [%.9g:%.9g]\n", left - margin, right + margin);
  gnuplot_log_axis(f, low / 1.15, high * 1.15);
}

static void put_script(FILE *f, const void *telling) {
  const struct sweep_point *p = ((const struct telling *)telling)->p;
  const size_t n = ((const struct telling *)telling)->n;
  size_t curves = 0;
  put_curves(f, p, n);
  gnuplot_frame(f);
  put_axes(f, p, n);
  fputs("set xlabel 'guidance scale'\nset key outside right top Left reverse samplen 2\nset ylabel ", f);
  char label[160];
  snprintf(label, sizeof label, "%s, N %zu%s%s", ((const struct telling *)telling)->name, p->n, p->rank_deficient ? " < D" : "",
           n > 1 && p[0].seed != p[1].seed ? ", mean over seeds" : "");
  gnuplot_text(f, label);
  for (size_t i = 0; i < n; i++) {
    char title[160];
    if (i && same_curve(&p[i - 1], &p[i])) continue;
    snprintf(title, sizeof title, "%zu step%s, %s, [%g, %g]", p[i].steps, p[i].steps > 1 ? "s" : "", p[i].ema, p[i].t_min,
             p[i].t_max);
    fprintf(f, "%s $c%zu using 1:2 smooth unique with linespoints lw 2 pt %d ps 1.2 dt %zu lc rgb '%s' title ",
            curves ? "," : "\nplot", curves, p[i].steps > 1 ? 5 : 7, curves / 8 + 1, gnuplot_colour(curves));
    gnuplot_text(f, title);
    curves++;
  }
  fputc('\n', f);
}

int sweep_tell(const struct sweep_point *p, size_t n, const char *name, const char *out) {
  const struct telling t = { p, n, name };
  char csv[TEXT_MAX];
  int status = gnuplot_numbers(out, csv, sizeof csv);
  if (!status) status = gnuplot_write(csv, put_numbers, &t);
  if (!status && strcmp(csv, out)) status = gnuplot_draw(out, 1200, 700, put_script, &t);
  if (status != STATUS_MISSING) return status;   /* gnuplot alone can be missing */
  fprintf(stderr, "pmf: %s; the numbers are in %s\n", status_reason(), csv);
  return STATUS_OK;
}
