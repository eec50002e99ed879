/* sample.c - pmf sample: images from noise with a trained net, in one or more evaluations, as a grid or single files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/folder.h"
#include "io/png.h"
#include "io/words.h"
#include "jobs/generate.h"
#include "jobs/jobs.h"
#include "jobs/trained.h"
#include "mpi/agree.h"
#include "src/base/status.h"

struct sampling {
  const struct world *w;
  struct trained t;
  struct generate generate;
  int32_t *labels;                 /* the classes to go round */
  size_t n_labels, n, first, count;
  uint8_t *u8;                     /* [count] images of this rank; on rank 0 of all */
};

static char run[TEXT_MAX], checkpoint[TEXT_MAX], out[TEXT_MAX], classes[TEXT_MAX], ema[TEXT_MAX], head[TEXT_MAX];
static long n = 80, steps, seed;
static double omega = NAN, t_min = NAN, t_max = NAN;
static struct word words[] = {
  { .name = "run", .type = WORD_TEXT, .value = run, .help = "folder of a run: its newest sound checkpoint" },
  { .name = "checkpoint", .type = WORD_TEXT, .value = checkpoint, .help = "or one file" },
  { .name = "out", .type = WORD_TEXT, .value = out, .help = "FILE.png: one grid; otherwise a folder for single PNG files" },
  { .name = "n", .type = WORD_INTEGER, .value = &n, .min = 1, .max = 1e7, .help = "images; 80" },
  { .name = "steps", .type = WORD_INTEGER, .value = &steps, .min = 1, .max = 1000,
    .help = "evaluations of the net for an image; the run's sampling.num_steps" },
  { .name = "omega", .type = WORD_REAL, .value = &omega, .min = 1, .max = 1000, .help = "guidance scale; the run's" },
  { .name = "t_min", .type = WORD_REAL, .value = &t_min, .min = 0, .max = 1, .help = "guidance acts from here; the run's" },
  { .name = "t_max", .type = WORD_REAL, .value = &t_max, .min = 0, .max = 1, .help = "to here; the run's" },
  { .name = "classes", .type = WORD_TEXT, .value = classes, .help = "labels to go round: all, 3, 0,4,7 or 2-5; all" },
  { .name = "ema", .type = WORD_TEXT, .value = ema, .help = "weights: raw, ema500, ...; the run's sampling.ema" },
  { .name = "head", .type = WORD_TEXT, .value = head, .help = "u: the average velocity; v comes in a later version; u" },
  { .name = "seed", .type = WORD_INTEGER, .value = &seed, .min = 0, .max = 9e15,
    .help = "of the noise; the run's training.seed" },
};
enum { RUN, CHECKPOINT, OUT, N, STEPS, OMEGA, T_MIN, T_MAX, CLASSES, EMA, HEAD, SEED, WORDS };

void sample_help(void) {
  puts("usage: pmf sample run=DIR | checkpoint=FILE  out=FILE.png | DIR  [key=value ...]\n\n"
       "Makes images with a trained net. In a grid each column is a class where classes go round all of\n"
       "them.\n\nwords:");
  words_help(words, WORDS);
  puts("\nexamples:\n"
       "  pmf sample run=runs/fashion out=samples.png                  80 images, one evaluation each\n"
       "  pmf sample run=runs/fashion steps=4 classes=7 n=16 out=sneakers.png\n"
       "  mpirun -np 2 pmf sample run=runs/fashion n=1000 omega=3 out=images");
}

static int ends_with(const char *text, const char *end) {
  const size_t a = strlen(text), b = strlen(end);
  return a >= b && !strcmp(text + a - b, end);
}

static int read_words(int argc, char **argv) {
  const int status = words_parse(argc, argv, words, WORDS, NULL, 0);
  if (status) return status;
  if (words[RUN].given == words[CHECKPOINT].given)
    return because(STATUS_BAD, "expected one of run=DIR and checkpoint=FILE.h5");
  if (!words[OUT].given) return because(STATUS_BAD, "out= is missing: FILE.png for a grid, or a folder");
  if (ends_with(out, ".npz"))
    return because(STATUS_BAD, "out=%s: .npz comes in a later version; this one has .png and folders", out);
  if (words[HEAD].given && !strcmp(head, "v"))
    return because(STATUS_BAD, "head=v: sampling along the v head comes in a later version; this one has head=u");
  if (words[HEAD].given && strcmp(head, "u")) return because(STATUS_BAD, "head=%s: expected u", head);
  static const char *const pictures[] = { ".jpg", ".jpeg", ".PNG", ".gif", ".webp" };
  for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
    if (ends_with(out, pictures[i])) return because(STATUS_BAD, "out=%s: expected FILE.png, or a folder", out);
  struct stat is;
  if (!stat(out, &is) && S_ISDIR(is.st_mode) && ends_with(out, ".png"))
    return because(STATUS_BAD, "out=%s is a folder; expected the name of a PNG file", out);
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
  if (!words[CLASSES].given || !strcmp(classes, "all")) return add_labels(p, 0, p->t.s.dataset.num_classes - 1);
  char *end;
  for (const char *c = classes;; c = end + 1) {
    const long first = strtol(c, &end, 10);
    long last = first;
    const int bad = end == c;
    if (!bad && *end == '-') c = end + 1, last = strtol(c, &end, 10);
    if (bad || end == c || (*end && *end != ','))
      return because(STATUS_BAD, "classes=%s: expected all, a number, a list as 0,4,7 or a range as 2-5", classes);
    const int status = add_labels(p, first, last);
    if (status || !*end) return status;
  }
}

static int prepare(struct sampling *p) {
  struct generate *g = &p->generate;
  struct sampler *c = &g->sampler;
  int status = trained_sampler(&p->t, omega, t_min, t_max, c);
  if (!status) status = read_labels(p);
  if (status) return status;
  if (words[STEPS].given) c->steps = (size_t)steps;
  if (!words[SEED].given) seed = p->t.s.training.seed;
  g->net = &p->t.net;
  g->seed = (uint64_t)seed;
  g->labels = p->labels;
  g->n_labels = p->n_labels;
  if (p->w->rank == 0)
    fprintf(stderr, "%s: step %llu, %s, %zu image%s, %zu evaluation%s each, omega %g in [%g, %g], seed %ld\n", p->t.path,
            (unsigned long long)p->t.step, p->t.ema, (size_t)n, n > 1 ? "s" : "", c->steps, c->steps > 1 ? "s" : "", c->omega,
            c->t_min, c->t_max, seed);
  return generate_init(g);
}

/* Rank 0 gets all images, one rank after the other. COLLECTIVE. */
static void gather(struct sampling *p) {
  const size_t P = p->t.net.pixels, piece = (size_t)1 << 28;
  for (int rank = 1; rank < p->w->ranks; rank++) {
    size_t first, count;
    generate_share(p->n, rank, p->w->ranks, &first, &count);
    for (size_t i = 0; i < count * P; i += piece) {
      const int bytes = (int)(count * P - i < piece ? count * P - i : piece);
      if (p->w->rank == 0) MPI_Recv(p->u8 + first * P + i, bytes, MPI_BYTE, rank, 0, p->w->comm, MPI_STATUS_IGNORE);
      if (p->w->rank == rank) MPI_Send(p->u8 + i, bytes, MPI_BYTE, 0, 0, p->w->comm);
    }
  }
}

static int write_grid(const struct sampling *p) {
  size_t cols = 1;
  if (p->n_labels > 1 && p->n_labels <= 16) cols = p->n_labels;
  else while (cols * cols < p->n) cols++;
  const struct png_grid grid = { (p->n + cols - 1) / cols, cols, (size_t)p->t.s.dataset.image_size,
                                 (size_t)p->t.s.dataset.image_channels, 0, p->n, p->u8 };
  return png_write_grid(out, &grid);
}

static int write_files(const struct sampling *p) {
  const size_t P = p->t.net.pixels, size = (size_t)p->t.s.dataset.image_size;
  for (size_t i = 0; i < p->count; i++) {
    char path[TEXT_MAX + 64];
    snprintf(path, sizeof path, "%s/%06zu_class%d.png", out, p->first + i, (int)generate_label(&p->generate, p->first + i));
    const int status = png_write(path, size, size, (size_t)p->t.s.dataset.image_channels, p->u8 + i * P);
    if (status) return status;
  }
  return STATUS_OK;
}

/* The folder of the files, or the one that the grid goes into: before the work, so that it is not lost. */
static int make_folder(int grid) {
  char path[TEXT_MAX];
  snprintf(path, sizeof path, "%s", out);
  char *slash = strrchr(path, '/');
  if (grid && (!slash || slash == path)) return STATUS_OK;
  if (grid) *slash = 0;
  return folder_make(path);
}

static int make_and_write(struct sampling *p) {
  const int grid = ends_with(out, ".png"), root = p->w->rank == 0;
  p->n = (size_t)n;
  generate_share(p->n, p->w->rank, p->w->ranks, &p->first, &p->count);
  p->u8 = malloc((grid && root ? p->n : p->count) * p->t.net.pixels + 1);
  int status = agree(p->w->comm, p->u8 ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu images", p->n));
  if (status) return status;
  status = agree(p->w->comm, root ? make_folder(grid) : STATUS_OK);
  if (status) return status;
  generate_images(&p->generate, p->t.weights, p->first, p->count, p->u8);
  if (!grid) return agree(p->w->comm, write_files(p));
  gather(p);
  return agree(p->w->comm, root ? write_grid(p) : STATUS_OK);
}

/* What a word was given, or NULL. */
static const char *given(int word) { return words[word].given ? words[word].value : NULL; }

int sample_run(const struct world *w, int argc, char **argv) {
  struct sampling p = { .w = w };
  int status = agree(w->comm, read_words(argc, argv));
  if (!status) status = trained_open(&p.t, w, given(RUN), given(CHECKPOINT), given(EMA));
  if (!status) status = agree(w->comm, prepare(&p));
  if (!status) status = trained_load(&p.t, w);
  if (!status) status = make_and_write(&p);
  if (!status && w->rank == 0) printf("%s\n", out);
  free(p.u8);
  free(p.labels);
  generate_free(&p.generate);
  trained_close(&p.t);
  return status;
}
