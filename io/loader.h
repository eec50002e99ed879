/* loader.h - a rank's share of each global batch, read two steps ahead by a helper thread (pread, no HDF5, no MPI). The
 * system is told of each batch a step before that is read, so that a disk works on many images at once.
 * Data order (DESIGN): an epoch has S = floor(images/B) steps; step k (from 0) is step k mod S of epoch k / S; its sample
 * i is image random_permute(seed, epoch, images, (k mod S) B + i). With use_flip a sample is mirrored where a bit of
 * (seed, STREAM_FLIP, step, sample) says so. */
#ifndef IO_LOADER_H
#define IO_LOADER_H
#include <stdbool.h>
#include <stdint.h>

#include "io/dataset.h"

struct loader;
/* An image that could not be read or differs from its checksum, and the one taken for it. */
enum { REPLACED_WHY = 160 };
struct replaced { uint64_t image, by; int32_t status; char why[REPLACED_WHY]; };   /* STATUS_IO or STATUS_BAD */
/* A thread that reads samples [first, first + count) of the batch of `step` (count may be 0) and, once that is fetched, of the
 * steps after it in turn. d must stay open. Errors: STATUS_NOMEM; STATUS_BAD if the train split has fewer than B images. */
int loader_start(struct loader **l, const struct dataset *d, uint64_t seed, bool use_flip, size_t batch_size,
                 size_t first, size_t count, uint64_t step);
/* The image that is sample j of the batch of a step, both from 0. */
uint64_t loader_image(const struct dataset *d, uint64_t seed, size_t batch_size, uint64_t step, size_t j);
/* Waits for the batch of the next step: x[count,H,W,C] float32 in [-1,1] (SPEC: (u8/255 - 0.5)/0.5), y[count] labels.
 * index[count], if not NULL, receives the images' numbers.
 * An image that cannot be used gives way, with its label, to the next one of the set that can: a function of its number alone.
 * Errors: STATUS_IO or STATUS_BAD where LOADER_WALK images one after the other cannot be used, or none can. */
enum { LOADER_WALK = 4096 };
int loader_next(struct loader *l, float *x, int32_t *y, uint64_t *index);
/* Those of the batch that loader_next gave last, in the order of its samples; *list stays until the next call. */
size_t loader_replaced(const struct loader *l, const struct replaced **list);
/* Ends the thread and frees all; NULL is fine. */
void loader_stop(struct loader *l);
#endif
