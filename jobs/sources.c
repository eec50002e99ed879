#include "jobs/sources.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/shard.h"
#include "src/base/random.h"
#include "src/base/status.h"

enum { SELECTION = 1 << 24 };   /* the permutation that chooses images for a score: no epoch has this number */

static size_t bytes_of(const struct dataset *d) { return d->image_size * d->image_size * d->channels; }

static int make_packed(const void *context, size_t first, size_t count, uint8_t *u8, int32_t *labels) {
  const struct packed_images *c = context;
  const struct dataset *d = c->d;
  const size_t all = d->count[c->split];
  int status = STATUS_OK;
  for (size_t i = 0; i < count && !status; i++) {
    const size_t at = random_permute(0, SELECTION, all, first + i);   /* folders are packed class by class */
    status = dataset_read(d, c->split, at, u8 + i * bytes_of(d));
    labels[i] = d->labels[c->split][at];
  }
  return status;
}

static int make_generated(const void *context, size_t first, size_t count, uint8_t *u8, int32_t *labels) {
  const struct generated_images *c = context;
  generate_images(c->g, c->weights, first, count, u8);
  for (size_t i = 0; i < count; i++) labels[i] = generate_label(c->g, first + i);
  return STATUS_OK;
}

static int make_means(const void *context, size_t first, size_t count, uint8_t *u8, int32_t *labels) {
  const struct mean_images *c = context;
  const size_t bytes = bytes_of(c->d);
  for (size_t i = 0; i < count; i++) {
    labels[i] = c->d->labels[SPLIT_HELDOUT][(first + i) % c->d->count[SPLIT_HELDOUT]];
    memcpy(u8 + i * bytes, c->means + (size_t)labels[i] * bytes, bytes);
  }
  return STATUS_OK;
}

static int make_noise(const void *context, size_t first, size_t count, uint8_t *u8, int32_t *labels) {
  const struct noise_images *c = context;
  for (size_t i = 0; i < count; i++, u8 += c->pixels) {
    labels[i] = -1;
    uint32_t bits[64];
    for (size_t at = 0; at < c->pixels; at += sizeof bits) {
      const size_t left = c->pixels - at, n = left < sizeof bits ? left : sizeof bits;
      random_bits((struct purpose){ c->seed, STREAM_SCORE, at / sizeof bits, (uint32_t)(first + i) }, (n + 3) / 4, bits);
      memcpy(u8 + at, bits, n);
    }
  }
  return STATUS_OK;
}

struct source source_packed(const struct packed_images *context) { return (struct source){ make_packed, context }; }
struct source source_generated(const struct generated_images *context) { return (struct source){ make_generated, context }; }
struct source source_means(const struct mean_images *context) { return (struct source){ make_means, context }; }
struct source source_noise(const struct noise_images *context) { return (struct source){ make_noise, context }; }

size_t source_means_room = 1 << 28;

/* A few classes at a time: those of many large pictures would take more than the nets that are scored. */
struct group { size_t first, end; };   /* of classes */

static size_t group_size(const struct dataset *d) {
  const size_t most = source_means_room / (bytes_of(d) * sizeof(double));
  return most < 1 ? 1 : most < d->classes ? most : d->classes;
}

/* This rank's part of the sums; they are whole numbers, so that their order does not matter. */
static int add_share(const struct world *w, const struct dataset *d, struct group g, double *sums, double *counts, uint8_t *u8) {
  const size_t all = d->count[SPLIT_TRAIN], end = shard_first(all, w->rank + 1, w->ranks), bytes = bytes_of(d);
  int status = STATUS_OK;
  for (size_t i = shard_first(all, w->rank, w->ranks); i < end && !status; i++) {
    const size_t label = (size_t)d->labels[SPLIT_TRAIN][i];
    if (label < g.first || label >= g.end) continue;
    double *sum = sums + (label - g.first) * bytes;
    status = dataset_read(d, SPLIT_TRAIN, i, u8);
    for (size_t j = 0; j < bytes && !status; j++) sum[j] += u8[j];
    counts[label - g.first]++;
  }
  return status;
}

size_t source_means_bytes(const struct dataset *d) {
  return bytes_of(d) * (d->classes + group_size(d) * sizeof(double));
}

int source_class_means(const struct world *w, const struct dataset *d, uint8_t **means) {
  const size_t bytes = bytes_of(d), most = group_size(d), n = most * bytes;
  double *sums = malloc((n + most) * sizeof *sums), *counts = sums ? sums + n : NULL;
  uint8_t *image = malloc(bytes);
  *means = malloc(d->classes * bytes);
  int status = agree(w->comm, sums && image && *means ? STATUS_OK
                                                      : because(STATUS_NOMEM, "no memory for %zu classes' means", d->classes));
  for (struct group g = { 0, most }; g.first < d->classes && !status; g.first = g.end, g.end += most) {
    if (g.end > d->classes) g.end = d->classes;
    memset(sums, 0, (n + most) * sizeof *sums);
    if ((status = agree(w->comm, add_share(w, d, g, sums, counts, image)))) break;
    reduce_sum_double(w->comm, n + most, sums);
    for (size_t i = 0; i < (g.end - g.first) * bytes; i++)
      (*means)[g.first * bytes + i] = counts[i / bytes] > 0 ? (uint8_t)lround(sums[i] / counts[i / bytes]) : 0;
  }
  free(sums);
  free(image);
  return status;
}
