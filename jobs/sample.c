/* sample.c - pmf sample: images from noise with a trained net, in one or more evaluations, as a grid, as single files, or as
 * one .npz for other programs. */
#include <assert.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/folder.h"
#include "io/npz.h"
#include "io/png.h"
#include "io/progress.h"
#include "io/words.h"
#include "jobs/generate.h"
#include "jobs/jobs.h"
#include "jobs/delivery.h"
#include "jobs/setup.h"
#include "jobs/trained.h"
#include "mpi/agree.h"
#include "mpi/shard.h"
#include "src/base/status.h"

enum { LABELS = 1024 };

struct sampling {
  const struct world *w;
  struct trained t;
  struct generate generate;
  int32_t *labels;                 /* the classes to go round; none for a net without classes */
  size_t n_labels, n;
  struct delivery delivery;
  size_t labelled;                 /* labels handed out */
  int64_t some_labels[LABELS];
  struct progress progress;
};

static char run[TEXT_MAX], checkpoint[TEXT_MAX], out[TEXT_MAX], classes[TEXT_MAX], ema[TEXT_MAX], head[TEXT_MAX],
    solver[TEXT_MAX];
static long n = 80, steps, seed;
static double omega = NAN, t_min = NAN, t_max = NAN;
static struct word words[] = {
  { .name = "run", .type = WORD_TEXT, .value = run, .help = "folder of a run: its newest sound checkpoint" },
  { .name = "checkpoint", .type = WORD_TEXT, .value = checkpoint, .help = "or one file" },
  { .name = "out", .type = WORD_TEXT, .value = out,
    .help = "FILE.png: one grid; FILE.npz: arrays for other programs; else a folder for PNG files" },
  { .name = "n", .type = WORD_INTEGER, .value = &n, .min = 1, .max = 1e7, .help = "images; 80" },
  { .name = "steps", .type = WORD_INTEGER, .value = &steps, .min = 1, .max = 1000,
    .help = "steps from noise to image; the run's sampling.num_steps" },
  { .name = "omega", .type = WORD_REAL, .value = &omega, .min = 1, .max = 1000,
    .help = "guidance scale; the run's, which may have one for several steps" },
  { .name = "t_min", .type = WORD_REAL, .value = &t_min, .min = 0, .max = 1, .help = "guidance acts from here; the run's" },
  { .name = "t_max", .type = WORD_REAL, .value = &t_max, .min = 0, .max = 1, .help = "to here; the run's" },
  { .name = "classes", .type = WORD_TEXT, .value = classes, .help = "labels to go round: all, 3, 0,4,7 or 2-5; all" },
  { .name = "ema", .type = WORD_TEXT, .value = ema, .help = "weights: raw, ema500, ...; the run's sampling.ema" },
  { .name = "head", .type = WORD_TEXT, .value = head,
    .help = "u: the average velocity, a jump a step; v: the flow, many small steps; u" },
  { .name = "solver", .type = WORD_TEXT, .value = solver,
    .help = "of head=v: euler, or heun with two evaluations a step but for the last; euler" },
  { .name = "seed", .type = WORD_INTEGER, .value = &seed, .min = 0, .max = 9e15,
    .help = "of the noise; the run's training.seed" },
};
enum { RUN, CHECKPOINT, OUT, N, STEPS, OMEGA, T_MIN, T_MAX, CLASSES, EMA, HEAD, SOLVER, SEED, WORDS };

void sample_help(void) {
  puts("usage: pmf sample run=DIR | checkpoint=FILE  out=FILE.png | FILE.npz | DIR  [key=value ...]\n\n"
       "Makes images with a trained net. In a grid each column is a class where classes go round all of\n"
       "them. FILE.npz has the images as arr_0 (uint8 [n,height,width,channels]) and their classes as arr_1\n"
       "(int64 [n]), as numpy.load and the usual evaluators read them. A net trained without classes takes\n"
       "no classes, omega, t_min or t_max.\n\nwords:");
  words_help(words, WORDS);
  puts("\nexamples:\n"
       "  pmf sample run=runs/fashion out=samples.png                  80 images, one evaluation each\n"
       "  pmf sample run=runs/fashion steps=4 classes=7 n=16 out=sneakers.png\n"
       "  pmf sample run=runs/fashion head=v solver=heun steps=50 out=flow.png\n"
       "  mpirun -np 2 pmf sample run=runs/fashion n=50000 out=images.npz");
}

/* What a word was given, or NULL. */
static const char *given(int word) { return words[word].given ? words[word].value : NULL; }

static int read_words(int argc, char **argv) {
  const int status = words_parse(argc, argv, words, WORDS, NULL, 0);
  if (status) return status;
  if (words[RUN].given == words[CHECKPOINT].given)
    return because(STATUS_BAD, "expected one of run=DIR and checkpoint=FILE.h5");
  if (!words[OUT].given) return because(STATUS_BAD, "out= is missing: FILE.png for a grid, or a folder");
  static const char *const pictures[] = { ".jpg", ".jpeg", ".PNG", ".gif", ".webp" };
  for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
    if (words_ends(out, pictures[i])) return because(STATUS_BAD, "out=%s: expected FILE.png, FILE.npz, or a folder", out);
  struct stat is;
  if (!stat(out, &is) && S_ISDIR(is.st_mode) && (words_ends(out, ".png") || words_ends(out, ".npz")))
    return because(STATUS_BAD, "out=%s is a folder; expected the name of a file", out);
  return STATUS_OK;
}

/* classes=: adds first..last. */
static int add_labels(struct sampling *p, long first, long last) {
  const long all = p->t.s.dataset.num_classes;
  if (first < 0 || last >= all || first > last)
    return because(STATUS_BAD, "classes=%s: expected numbers from 0 to %ld", classes, all - 1);
  int32_t *more = realloc(p->labels, (p->n_labels + (size_t)(last - first) + 1) * sizeof *more);
  if (!more) return because(STATUS_NOMEM, "no memory for the labels");
  p->labels = more;
  for (long label = first; label <= last; label++) p->labels[p->n_labels++] = (int32_t)label;
  return STATUS_OK;
}

static int read_labels(struct sampling *p) {
  if (!p->t.s.dataset.num_classes)
    return words[CLASSES].given ? because(STATUS_BAD, "classes=%s: %s was trained without classes", classes, p->t.path)
                                : STATUS_OK;
  if (!words[CLASSES].given || !strcmp(classes, "all")) return add_labels(p, 0, p->t.s.dataset.num_classes - 1);
  char *end;
  for (const char *c = classes;; c = end + 1) {
    const long first = strtol(c, &end, 10);
    long last = first;
    const int bad = end == c;
    if (!bad && *end == '-') c = end + 1, last = strtol(c, &end, 10);
    if (bad || end == c || (*end && *end != ','))
      return because(STATUS_BAD, "classes=%s: expected all, a number, a list as 0,4,7 or a range as 2-5; pmf inspect of the data names them",
                     classes);
    const int status = add_labels(p, first, last);
    if (status || !*end) return status;
  }
}

/* Rank 0: what will be made, and how. */
static void describe(const struct sampling *p) {
  const struct sampler *c = &p->generate.sampler;
  const size_t evaluations = sampler_evaluations(c);
  const char *const way = c->head == HEAD_U ? "" : c->solver == SOLVER_HEUN ? " (head v, heun)" : " (head v, euler)";
  char guided[128] = "no classes";
  if (p->n_labels) snprintf(guided, sizeof guided, "omega %g in [%g, %g]", c->omega, c->t_min, c->t_max);
  fprintf(stderr, "%s: step %llu, %s, %zu image%s, %zu evaluation%s each%s, %s, seed %ld\n", p->t.path,
          (unsigned long long)p->t.step, p->t.ema, p->n, p->n > 1 ? "s" : "", evaluations, evaluations > 1 ? "s" : "", way,
          guided, seed);
}

static int prepare(struct sampling *p) {
  struct generate *g = &p->generate;
  struct sampler *c = &g->sampler;
  int status = trained_sampler(&p->t, omega, t_min, t_max, c);
  if (!status) status = trained_head(&p->t, given(HEAD), given(SOLVER), c);
  if (!status) status = read_labels(p);
  if (status) return status;
  if (words[STEPS].given) c->steps = (size_t)steps;
  if (isnan(omega)) c->omega = setup_omega(&p->t.s, c->steps);
  if (!words[SEED].given) seed = p->t.s.training.seed;
  g->net = &p->t.net;
  g->seed = (uint64_t)seed;
  g->labels = p->labels;
  g->n_labels = p->n_labels;
  p->n = (size_t)n;
  if (p->w->rank == 0) describe(p);
  return generate_init(g);
}

/* Rank 0: how far it has come, where that takes long. */
static void show(struct sampling *p, size_t done) { progress_count(&p->progress, "images", done < p->n ? done : p->n); }

/* --- one file, on rank 0 ---------------------------------------------------------------------------------------------- */

static int next_images(void *context, const void **data, size_t *bytes) {
  struct sampling *p = context;
  const uint8_t *u8;
  size_t count;
  delivery_next(&p->delivery, &u8, &count);
  show(p, p->delivery.next * GENERATE_CHUNK);
  *data = u8;
  *bytes = count * p->t.net.pixels;
  return STATUS_OK;
}

static int next_labels(void *context, const void **data, size_t *bytes) {
  struct sampling *p = context;
  size_t i = 0;
  for (; i < LABELS && p->labelled < p->n; i++) p->some_labels[i] = generate_label(&p->generate, p->labelled++);
  *data = p->some_labels;
  *bytes = i * sizeof *p->some_labels;
  return STATUS_OK;
}

static int write_arrays(struct sampling *p) {
  const size_t size = (size_t)p->t.s.dataset.image_size, C = (size_t)p->t.s.dataset.image_channels;
  const struct npz_array arrays[] = { { "arr_0", "|u1", 4, { p->n, size, size, C }, next_images, p },
                                      { "arr_1", "<i8", 1, { p->n }, next_labels, p } };
  return npz_write(out, p->n_labels ? 2 : 1, arrays);
}

static int write_grid(struct sampling *p) {
  const size_t P = p->t.net.pixels;
  size_t cols = 1;
  if (p->n_labels > 1 && p->n_labels <= 16) cols = p->n_labels;
  else while (cols * cols < p->n) cols++;
  uint8_t *all = malloc(p->n * P);
  if (!all) return because(STATUS_NOMEM, "no memory for a grid of %zu images; out=FOLDER keeps none", p->n);
  for (size_t done = 0; done < p->n;) {
    const void *data;
    size_t bytes;
    next_images(p, &data, &bytes);
    memcpy(all + done * P, data, bytes);
    done += bytes / P;
  }
  const struct png_grid grid = { (p->n + cols - 1) / cols, cols, (size_t)p->t.s.dataset.image_size,
                                 (size_t)p->t.s.dataset.image_channels, 0, p->n, all };
  const int status = png_write_grid(out, &grid);
  free(all);
  return status;
}

/* COLLECTIVE. */
static int write_one(struct sampling *p, int (*write)(struct sampling *p)) {
  int status = agree(p->w->comm, delivery_open(&p->delivery, p->w, &p->generate, p->t.weights, p->n));
  if (!status) status = delivery_end(&p->delivery, p->w->rank ? STATUS_OK : write(p));
  delivery_close(&p->delivery);
  return status;
}

/* --- a folder, by each rank its share ---------------------------------------------------------------------------------- */

static int write_file(const struct sampling *p, size_t i, const uint8_t *u8) {
  char path[TEXT_MAX + 64], class[32] = "";
  const size_t size = (size_t)p->t.s.dataset.image_size;
  if (p->n_labels) snprintf(class, sizeof class, "_class%d", (int)generate_label(&p->generate, i));
  snprintf(path, sizeof path, "%s/%06zu%s.png", out, i, class);
  return png_write(path, size, size, (size_t)p->t.s.dataset.image_channels, u8);
}

/* Rank 0: pictures that are there already may be taken for these. */
static void count_others(void) {
  struct dirent *e;
  size_t others = 0;
  DIR *d = opendir(out);
  while (d && (e = readdir(d))) others += words_ends(e->d_name, ".png");
  if (d) closedir(d);
  if (others)
    fprintf(stderr, "WARNING: %s has %zu picture%s already: those that get no new ones stay among these\n", out, others,
            others > 1 ? "s" : "");
}

/* COLLECTIVE. The ranks agree after each chunk, so that a full disk ends the work of all. */
static int write_files(struct sampling *p) {
  size_t first, count;
  uint8_t *u8 = malloc(GENERATE_CHUNK * p->t.net.pixels);
  int status = agree(p->w->comm, u8 ? STATUS_OK : because(STATUS_NOMEM, "no memory for %d images", GENERATE_CHUNK));
  generate_share(p->n, p->w->rank, p->w->ranks, &first, &count);
  const size_t most = shard_most((p->n + GENERATE_CHUNK - 1) / GENERATE_CHUNK, p->w->ranks);
  for (size_t at = 0; at < most * GENERATE_CHUNK && !status; at += GENERATE_CHUNK) {
    const size_t left = at < count ? count - at : 0, m = left < GENERATE_CHUNK ? left : GENERATE_CHUNK;
    if (m) generate_images(&p->generate, p->t.weights, first + at, m, u8);
    for (size_t i = 0; i < m && !status; i++) status = write_file(p, first + at + i, u8 + i * p->t.net.pixels);
    status = agree(p->w->comm, status);
    if (p->w->rank == 0) show(p, (at + GENERATE_CHUNK) * (size_t)p->w->ranks);   /* as if all kept pace */
  }
  free(u8);
  return status;
}

/* The folder of the files, or the one that the file goes into: before the work, so that it is not lost. */
static int make_folder(int one) {
  char path[TEXT_MAX];
  snprintf(path, sizeof path, "%s", out);
  char *slash = strrchr(path, '/');
  if (one && (!slash || slash == path)) return STATUS_OK;
  if (one) *slash = 0;
  return folder_make(path);
}

/* COLLECTIVE. */
static int make_and_write(struct sampling *p) {
  const int grid = words_ends(out, ".png"), arrays = words_ends(out, ".npz");
  int status = agree(p->w->comm, p->w->rank ? STATUS_OK : make_folder(grid || arrays));
  if (status) return status;
  if (p->w->rank == 0 && !grid && !arrays) count_others();
  progress_start(&p->progress, p->n, 1, 0);
  status = grid ? write_one(p, write_grid) : arrays ? write_one(p, write_arrays) : write_files(p);
  if (p->progress.live) progress_say(&p->progress, "%s", status ? "stopped" : "written");
  return status;
}

int sample_run(const struct world *w, int argc, char **argv) {
  struct sampling p = { .w = w };
  int status = agree(w->comm, read_words(argc, argv));
  if (!status) status = trained_open(&p.t, w, given(RUN), given(CHECKPOINT), given(EMA));
  if (!status) status = agree(w->comm, prepare(&p));
  if (!status) status = trained_load(&p.t, w);
  if (!status) status = make_and_write(&p);
  if (!status && w->rank == 0) printf("%s\n", out);
  free(p.labels);
  generate_free(&p.generate);
  trained_close(&p.t);
  return status;
}
