#include "jobs/grids.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/events.h"
#include "io/folder.h"
#include "io/png.h"
#include "io/progress.h"
#include "jobs/delivery.h"
#include "jobs/precision.h"
#include "jobs/setup.h"
#include "mpi/agree.h"
#include "mpi/watch.h"
#include "src/base/matmul.h"
#include "src/base/status.h"
#include "src/score/patch_energy.h"

enum { ROWS = 4, SOME_COLUMNS = 8 };   /* SOME: where classes do not tell how many */

/* All classes, or of many ones as far apart as they go; the labels of the columns. */
static size_t choose_columns(const struct settings *s, int32_t labels[static GRIDS_COLUMNS]) {
  const size_t classes = (size_t)s->dataset.num_classes;
  const size_t columns = classes > 1 && classes <= GRIDS_COLUMNS ? classes : SOME_COLUMNS;
  for (size_t i = 0; i < columns; i++) labels[i] = (int32_t)(i * classes / columns);
  return columns;
}

static double energy(const struct grids *g, const struct trainer *t, size_t n) {
  const struct settings *s = &t->s;
  return patch_energy(g->u8, n, (size_t)s->dataset.image_size, (size_t)s->dataset.image_channels, (size_t)s->model.patch_size);
}

/* Rank 0. Of the data's own contrast some lies at the patch period too. */
static void measure_data(struct grids *g, const struct trainer *t) {
  const size_t all = t->data.count[SPLIT_HELDOUT], n = all < g->rows * g->columns ? all : g->rows * g->columns;
  int status = STATUS_OK;
  g->of_data = NAN;
  for (size_t i = 0; i < n && !status; i++)
    status = dataset_read(&t->data, SPLIT_HELDOUT, i * (all / n), g->u8 + i * t->net.pixels);
  if (n && !status) g->of_data = energy(g, t, n);   /* an image that cannot be had is no reason not to train */
}

int grids_open(struct grids *g, const struct world *w, const struct trainer *t) {
  const struct settings *s = &t->s;
  *g = (struct grids){ .w = w, .every = (uint64_t)s->sampling.grid_every_steps, .steps = t->steps, .rows = ROWS };
  if (!g->every) return STATUS_OK;
  g->columns = choose_columns(s, g->labels);
  g->generate = (struct generate){ .net = &t->net, .sampler = setup_sampler(s), .seed = (uint64_t)s->training.seed,
                                   .labels = g->labels, .n_labels = s->dataset.num_classes ? g->columns : 0 };
  g->generate.sampler.steps = 1;
  g->generate.sampler.omega = setup_omega(s, 1);
  const size_t bytes = w->rank ? 1 : g->rows * g->columns * t->net.pixels;
  g->u8 = malloc(bytes);
  if (!g->u8) return because(STATUS_NOMEM, "no memory for a grid of %zu bytes", bytes);
  if (w->rank == 0) measure_data(g, t);
  return generate_init(&g->generate);
}

int grids_due(const struct grids *g, uint64_t step) { return g->every && (step % g->every == 0 || step == g->steps); }

/* Rank 0: all images, as the ranks make them. */
static void take(struct grids *g, struct delivery *d) {
  uint8_t *to = g->u8;
  for (size_t left = d->n, count; left > 0; left -= count) {
    const uint8_t *u8;
    delivery_next(d, &u8, &count);
    watch_move();
    memcpy(to, u8, count * g->generate.net->pixels);
    to += count * g->generate.net->pixels;
  }
}

static void name_of(uint64_t step, int raw, size_t room, char *name) {
  snprintf(name, room, "step-%08llu%s.png", (unsigned long long)step, raw ? ".raw" : "");
}

static int write(struct grids *g, const struct trainer *t, const char *run, const char *weights, const struct metrics *m) {
  char folder[TEXT_MAX + 16], name[48], path[TEXT_MAX + 64], tag[TEXT_MAX];
  const int beside = !strcmp(weights, "raw") && strcmp(t->s.sampling.ema, "raw");   /* not those that are sampled */
  const struct png_grid grid = { g->rows, g->columns, (size_t)t->s.dataset.image_size, (size_t)t->s.dataset.image_channels, 0,
                                 g->rows * g->columns, g->u8 };
  snprintf(folder, sizeof folder, "%s/samples", run);
  name_of(t->state.step, beside, sizeof name, name);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  snprintf(tag, sizeof tag, "samples/%s", weights);
  g->patch_energy[beside] = energy(g, t, g->rows * g->columns);
  int status = folder_make(folder);
  if (!status) status = png_write_grid(path, &grid);
  if (!status && m->events) status = events_picture(m->events, tag, t->state.step, path);
  return status;
}

/* COLLECTIVE. weights: raw, ema500, ...: they lie as they are, or come together in the gradient's place, which is free between
 * two steps. */
static int make(struct grids *g, struct trainer *t, const char *run, const char *weights, const struct metrics *m) {
  const char *array = strcmp(weights, "raw") ? weights : "weights";
  const real *x = state_whole(t->w, &t->state, &t->net, array, t->step.grads);
  struct delivery d;
  int status = agree(g->w->comm, delivery_open(&d, g->w, &g->generate, x, g->rows * g->columns));
  if (!status) {
    if (g->w->rank == 0) take(g, &d);
    status = delivery_end(&d, g->w->rank ? STATUS_OK : write(g, t, run, weights, m));
  }
  delivery_close(&d);
  return status;
}

int grids_make(struct grids *g, struct trainer *t, const char *run, const struct metrics *metrics) {
  const double began = progress_clock();
  const char *ema = t->s.sampling.ema;
  precision_plain();   /* as pmf sample has it */
  int status = make(g, t, run, ema, metrics);
  if (!status && strcmp(ema, "raw")) status = make(g, t, run, "raw", metrics);
  precision_choose(g->w, &t->s);
  const double seconds = progress_clock() - began;
  g->longest = seconds > g->longest ? seconds : g->longest;
  if (status) return status;
  const struct metric m[] = { { "seconds", seconds }, { "patch_energy", g->patch_energy[0] },
                              { "raw_patch_energy", g->patch_energy[strcmp(ema, "raw") != 0] },
                              { "data_patch_energy", g->of_data } };
  return agree(g->w->comm, metrics_write(metrics, "grid", t->state.step, m, sizeof m / sizeof *m, NULL));
}

int grids_show_patches(struct grids *g) {
  const int shows = patch_energy_shows(g->patch_energy[0], g->of_data), news = shows && !g->told;
  g->told = shows;
  return news;
}

void grids_cut(const char *run, uint64_t step) {
  char folder[TEXT_MAX + 16], name[48], path[TEXT_MAX + 80];
  snprintf(folder, sizeof folder, "%s/samples", run);
  DIR *d = opendir(folder);
  for (struct dirent *e; d && (e = readdir(d));) {
    if (strncmp(e->d_name, "step-", 5)) continue;
    const uint64_t of = strtoull(e->d_name + 5, NULL, 10);
    name_of(of, strstr(e->d_name, ".raw.") != NULL, sizeof name, name);
    if (of <= step || strcmp(name, e->d_name)) continue;   /* a name of someone else's stays */
    snprintf(path, sizeof path, "%s/%s", folder, name);
    remove(path);
  }
  if (d) closedir(d);
}

size_t grids_bytes(const struct net *n, const struct settings *s) {
  int32_t labels[GRIDS_COLUMNS];
  if (!s->sampling.grid_every_steps) return 0;
  return generate_count(n) * sizeof(real) + ROWS * choose_columns(s, labels) * n->pixels;
}

size_t grids_file_most(const struct settings *s) {
  int32_t labels[GRIDS_COLUMNS];
  const struct png_grid grid = { ROWS, choose_columns(s, labels), (size_t)s->dataset.image_size,
                                 (size_t)s->dataset.image_channels, 0, 0, NULL };
  return s->sampling.grid_every_steps ? png_grid_most(&grid) : 0;
}

void grids_close(struct grids *g) {
  generate_free(&g->generate);
  free(g->u8);
  *g = (struct grids){ 0 };
}
