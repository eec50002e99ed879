/* How fast images of a packed file are read in the order of a training, from disk (cold: the system was asked to forget the
 * file) and from memory (warm): one by one, through the loader, and behind steps that keep the processor busy for so long. */
#include <fcntl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/json.h"
#include "io/loader.h"
#include "io/progress.h"
#include "jobs/bench.h"
#include "mpi/agree.h"
#include "mpi/shard.h"
#include "src/base/matmul.h"
#include "src/base/median.h"
#include "src/base/random.h"
#include "src/base/status.h"

enum { COLD, WARM, HEATS };
static const char *const heat_name[HEATS] = { "cold", "warm" };
struct result {
  double kept;            /* share of the images that stayed in memory when the system was asked to forget them */
  double alone[HEATS];    /* images/s of all ranks: one by one, in one thread a rank */
  double loader[HEATS];   /*   through the loader, step after step */
  double wait[HEATS];     /* seconds a step for its batch, of the rank that waits longest; the median */
  double pace[HEATS];     /* of products in such a step, as a share of what they do without a loader; rank 0 */
  long steps;             /* that were measured */
};
struct reading {
  const struct bench *b;
  struct dataset d;
  size_t n, batch, first, count;   /* images that are read, none twice; of a batch; this rank's share of that */
  float *x;                        /* [count], or one image's bytes */
  int32_t *y;
  real *product;                   /* [3,SIDE,SIDE] */
};
enum { SEED = 1, SIDE = 512 };

static double worst(MPI_Comm comm, double seconds) {
  MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, comm);
  return seconds;
}

static size_t image_bytes(const struct dataset *d) { return d->image_size * d->image_size * d->channels; }

/* The share of the training images' pages that this node holds in memory; 1 where the system does not say. */
static double resident(const struct dataset *d) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), skip = d->offset[SPLIT_TRAIN] % page;
  const size_t bytes = skip + d->count[SPLIT_TRAIN] * image_bytes(d), pages = (bytes + page - 1) / page;
  unsigned char *held = malloc(pages);
  void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, d->fd, (off_t)(d->offset[SPLIT_TRAIN] - skip));
  size_t n = pages;
  if (held && map != MAP_FAILED && !mincore(map, bytes, held)) {
    n = 0;
    for (size_t i = 0; i < pages; i++) n += held[i] & 1;
  }
  if (map != MAP_FAILED) munmap(map, bytes);
  free(held);
  return (double)n / (double)pages;
}

/* Image i in the order of the first epoch. */
static int read_one(const struct reading *r, size_t i) {
  return dataset_read(&r->d, SPLIT_TRAIN, random_permute(SEED, 0, r->d.count[SPLIT_TRAIN], i), (uint8_t *)r->x);
}

/* COLLECTIVE. Cold: forgotten on every node. Warm: read by every rank. */
static int prepare(const struct reading *r, int heat) {
  int status = STATUS_OK;
  MPI_Barrier(r->b->w->comm);
  if (heat == COLD) posix_fadvise(r->d.fd, 0, 0, POSIX_FADV_DONTNEED);
  for (size_t i = 0; i < r->n && heat == WARM && !status; i++) status = read_one(r, i);
  return agree(r->b->w->comm, status);
}

/* COLLECTIVE. Each rank its share. */
static int read_alone(const struct reading *r, double *rate) {
  const struct world *w = r->b->w;
  int status = STATUS_OK;
  const double began = progress_clock();
  for (size_t i = shard_first(r->n, w->rank, w->ranks); i < shard_first(r->n, w->rank + 1, w->ranks) && !status; i++)
    status = read_one(r, i);
  *rate = (double)r->n / worst(w->comm, progress_clock() - began);
  return agree(w->comm, status);
}

/* COLLECTIVE. */
static int start(const struct reading *r, struct loader **l) {
  return agree(r->b->w->comm, loader_start(l, &r->d, SEED, r->b->s.dataset.use_flip, r->batch, r->first, r->count, 0));
}

static int read_by_loader(const struct reading *r, double *rate) {
  struct loader *l;
  const double began = progress_clock();
  const size_t steps = r->n / r->batch;
  int status = start(r, &l);
  for (size_t k = 0; k < steps && !status; k++) status = agree(r->b->w->comm, loader_next(l, r->x, r->y, NULL));
  *rate = (double)(steps * r->batch) / worst(r->b->w->comm, progress_clock() - began);
  loader_stop(l);
  return status;
}

/* A step's stand-in: products in all threads for so long. Returns how many in a second. */
static double stand_in(const struct reading *r) {
  const double began = progress_clock();
  long n = 0;
  real *A = r->product, *B = A + SIDE * SIDE, *C = B + SIDE * SIDE;
  do matmul_nt(SIDE, SIDE, SIDE, 1, A, SIDE, B, SIDE, 0, C, SIDE), n++;
  while (progress_clock() - began < r->b->step_seconds);
  return (double)n / (progress_clock() - began);
}

/* COLLECTIVE. The first batch is waited for as long as it takes, in training too: it does not count. */
static int read_behind_steps(const struct reading *r, double alone, struct result *f, int heat) {
  double wait[1000], rate[1000];
  struct loader *l;
  int status = start(r, &l);
  for (long k = -1; k < f->steps && !status; k++) {
    const double began = progress_clock();
    status = loader_next(l, r->x, r->y, NULL);
    const double took = worst(r->b->w->comm, progress_clock() - began), products = status ? 0 : stand_in(r);
    status = agree(r->b->w->comm, status);
    if (k >= 0) wait[k] = took, rate[k] = products / alone;
  }
  loader_stop(l);
  if (status) return status;
  f->wait[heat] = median(wait, (size_t)f->steps);
  f->pace[heat] = median(rate, (size_t)f->steps);
  return STATUS_OK;
}

/* COLLECTIVE. */
static int measure(const struct reading *r, struct result *f) {
  int status = STATUS_OK;
  stand_in(r);   /* the first finds cold caches */
  const double alone = stand_in(r);
  for (int heat = COLD; heat < HEATS && !status; heat++) {
    status = prepare(r, heat);
    if (heat == COLD) f->kept = worst(r->b->w->comm, resident(&r->d));
    if (!status) status = read_alone(r, &f->alone[heat]);
    if (!status) status = prepare(r, heat);
    if (!status) status = read_by_loader(r, &f->loader[heat]);
    if (!status) status = prepare(r, heat);
    if (!status) status = read_behind_steps(r, alone, f, heat);
  }
  return status;
}

static void print_json(const struct reading *r, const struct result *f) {
  cJSON *o = cJSON_CreateObject();
  const struct { const char *name; double value; } all[] = {
    { "ranks", r->b->w->ranks }, { "threads", omp_get_max_threads() }, { "images", (double)r->n },
    { "image_size", (double)r->d.image_size }, { "image_bytes", (double)image_bytes(&r->d) },
    { "batch_size", (double)r->batch }, { "kept_in_memory", f->kept },
    { "alone_cold_images_per_s", f->alone[COLD] }, { "alone_warm_images_per_s", f->alone[WARM] },
    { "loader_cold_images_per_s", f->loader[COLD] }, { "loader_warm_images_per_s", f->loader[WARM] },
    { "step_seconds", r->b->step_seconds }, { "steps", (double)f->steps },
    { "wait_cold_seconds", f->wait[COLD] }, { "wait_warm_seconds", f->wait[WARM] },
    { "pace_cold", f->pace[COLD] }, { "pace_warm", f->pace[WARM] },
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cJSON_AddNumberToObject(o, all[i].name, all[i].value);
  json_print(o);
}

static void print_table(const struct reading *r, const struct result *f) {
  const size_t size = r->d.image_size;
  const double MB = (double)image_bytes(&r->d) / 1e6;
  printf("%zu images of %zu x %zu x %zu (%.3f MB) at random, batches of %zu, %d rank%s of %d thread%s\n\n", r->n, size, size,
         r->d.channels, MB, r->batch, r->b->w->ranks, r->b->w->ranks > 1 ? "s" : "", omp_get_max_threads(),
         omp_get_max_threads() > 1 ? "s" : "");
  printf("                           one by one            by the loader     behind steps of %.3f s\n", r->b->step_seconds);
  printf("             images/s     MB/s    images/s     MB/s    ms of waiting    products' pace\n");
  for (int h = COLD; h < HEATS; h++)
    printf("  %-8s %10.0f %8.0f  %10.0f %8.0f %11.2f (%.1f %%) %10.1f %%\n", heat_name[h], f->alone[h], f->alone[h] * MB,
           f->loader[h], f->loader[h] * MB, 1e3 * f->wait[h], 100 * f->wait[h] / r->b->step_seconds, 100 * f->pace[h]);
  printf("\ncold: the system was asked to forget the file; %.0f %% of it stayed in memory%s\n", 100 * f->kept,
         f->kept > 0.1 ? ", so cold is not cold" : "");
}

/* The share and its memory. Local. */
static int plan(struct reading *r, const struct bench *b, struct result *f) {
  const size_t pixels = image_bytes(&r->d), asked = (size_t)b->s.training.batch_size;
  r->n = (size_t)b->n < r->d.count[SPLIT_TRAIN] ? (size_t)b->n : r->d.count[SPLIT_TRAIN];
  if (r->n < 4) return because(STATUS_BAD, "%s: %zu training images, expected 4 or more", r->d.path, r->n);
  r->batch = asked < r->n / 4 ? asked : r->n / 4;
  r->first = shard_first(r->batch, b->w->rank, b->w->ranks);
  r->count = shard_count(r->batch, b->w->rank, b->w->ranks);
  f->steps = b->steps < (long)(r->n / r->batch) ? b->steps : (long)(r->n / r->batch) - 1;
  r->x = malloc((r->count + 1) * pixels * sizeof *r->x), r->y = malloc((r->count + 1) * sizeof *r->y);
  r->product = calloc(3 * SIDE * SIDE, sizeof *r->product);
  return r->x && r->y && r->product ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu images", r->count);
}

int bench_data(struct bench *b) {
  char path[TEXT_MAX];
  struct result f = { 0 };
  struct reading r = { .b = b, .d.fd = -1 };
  const bool given = *b->s.dataset.root;
  int status = given ? STATUS_OK : bench_noise(b->w, &b->s, (size_t)b->n, path);
  if (status) return status;
  status = dataset_open(&r.d, given ? b->s.dataset.root : path);
  if (!status) status = plan(&r, b, &f);
  status = agree(b->w->comm, status);
  if (!given) unlink(path);   /* all have it open, or none needs it */
  if (!status) status = measure(&r, &f);
  if (!status && b->w->rank == 0) (b->json ? print_json : print_table)(&r, &f);
  free(r.x), free(r.y), free(r.product);
  dataset_close(&r.d);
  return status;
}
