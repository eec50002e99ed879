#include "jobs/nearest.h"

#include <math.h>
#include <stdlib.h>

#include "jobs/generate.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/shard.h"
#include "src/base/status.h"
#include "src/score/kernel.h"
#include "src/score/neighbours.h"

enum { CHUNK = GENERATE_CHUNK, TILE = KERNEL_TILE };

struct search {
  const struct dataset *d;
  size_t pixels;                  /* bytes of an image */
  size_t first, count;            /* this rank's images */
  uint8_t *x, *y;                 /* [count,pixels]; a tile of training images */
  double *nearest, *scratch;      /* [count,NEIGHBOURS] squares */
  int32_t *labels;
};

static size_t pixels_of(const struct dataset *d) { return d->image_size * d->image_size * d->channels; }
static size_t scratch_size(size_t pixels) {
  return (size_t)TILE * (2 * (pixels < NEIGHBOURS_DEPTH ? pixels : NEIGHBOURS_DEPTH) + TILE);
}

static int allocate(struct search *s) {
  s->x = malloc((s->count + 1) * s->pixels);
  s->y = malloc(TILE * s->pixels);
  s->nearest = malloc((s->count + 1) * NEIGHBOURS * sizeof *s->nearest);
  s->scratch = malloc(scratch_size(s->pixels) * sizeof *s->scratch);
  s->labels = malloc(CHUNK * sizeof *s->labels);
  if (s->x && s->y && s->nearest && s->scratch && s->labels) return STATUS_OK;
  return because(STATUS_NOMEM, "no memory to compare images with those of %s", s->d->path);
}

static void release(struct search *s) { free(s->x), free(s->y), free(s->nearest), free(s->scratch), free(s->labels); }

/* This rank's images. */
static int make(struct search *s, const struct source *source) {
  int status = STATUS_OK;
  for (size_t i = 0; i < s->count && !status; i += CHUNK) {
    const size_t n = s->count - i < CHUNK ? s->count - i : CHUNK;
    status = source->make(source->context, s->first + i, n, s->x + i * s->pixels, s->labels);
  }
  for (size_t i = 0; i < s->count * NEIGHBOURS; i++) s->nearest[i] = INFINITY;
  return status;
}

/* All training images, a tile at a time. */
static int compare(struct search *s) {
  const size_t all = s->d->count[SPLIT_TRAIN];
  for (size_t j = 0; j < all && s->count; j += TILE) {
    const size_t m = all - j < TILE ? all - j : TILE;
    for (size_t k = 0; k < m; k++) {
      const int status = dataset_read(s->d, SPLIT_TRAIN, j + k, s->y + k * s->pixels);
      if (status) return status;
    }
    neighbours_add_bytes(s->pixels, s->count, s->x, m, s->y, s->nearest, s->scratch);
  }
  return STATUS_OK;
}

size_t nearest_bytes(const struct dataset *d, size_t n, int ranks) {
  const size_t chunks = ((n < NEAREST_IMAGES ? n : NEAREST_IMAGES) + CHUNK - 1) / CHUNK, pixels = pixels_of(d);
  return (shard_most(chunks, ranks) * CHUNK + TILE) * pixels + scratch_size(pixels) * sizeof(double);
}

int nearest_training(const struct world *w, const struct dataset *d, const struct source *source, size_t n, struct nearest *result) {
  if (n > NEAREST_IMAGES) n = NEAREST_IMAGES;
  const size_t chunks = (n + CHUNK - 1) / CHUNK, first = shard_first(chunks, w->rank, w->ranks) * CHUNK;
  const size_t end = shard_first(chunks, w->rank + 1, w->ranks) * CHUNK, last = end < n ? end : n;
  struct search s = { .d = d, .pixels = pixels_of(d), .first = first, .count = last > first ? last - first : 0 };
  double d1[NEAREST_IMAGES] = { 0 }, memorised = 0, sum = 0;
  int status = allocate(&s);
  if (!status) status = make(&s, source);
  if (!status) status = compare(&s);
  if (!(status = agree(w->comm, status))) {
    for (size_t i = 0; i < s.count; i++) {
      const double *square = s.nearest + i * NEIGHBOURS;
      d1[first + i] = sqrt(square[0] / (double)s.pixels);
      memorised += square[0] * 9 < square[1];
    }
    reduce_sum_double(w->comm, n, d1);
    reduce_sum_double(w->comm, 1, &memorised);
    for (size_t i = 0; i < n; i++) sum += d1[i];
    *result = (struct nearest){ n, d->count[SPLIT_TRAIN] < 2 ? NAN : memorised / (double)n, sum / (double)n };
  }
  release(&s);
  return status;
}
