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
/* A thread that reads samples [first, first + count) of the batch of `step` (count may be 0) and, once that is fetched, of the
 * steps after it in turn. d must stay open. Errors: STATUS_NOMEM; STATUS_BAD if the train split has fewer than B images. */
int loader_start(struct loader **l, const struct dataset *d, uint64_t seed, bool use_flip, size_t batch_size,
                 size_t first, size_t count, uint64_t step);
/* The image that is sample j of the batch of a step, both from 0. */
uint64_t loader_image(const struct dataset *d, uint64_t seed, size_t batch_size, uint64_t step, size_t j);
/* Waits for the batch of the next step: x[count,H,W,C] float32 in [-1,1] (SPEC: (u8/255 - 0.5)/0.5), y[count] labels.
 * index[count], if not NULL, receives the images' numbers. Errors: STATUS_IO with the reason. */
int loader_next(struct loader *l, float *x, int32_t *y, uint64_t *index);
/* Ends the thread and frees all; NULL is fine. */
void loader_stop(struct loader *l);
#endif
