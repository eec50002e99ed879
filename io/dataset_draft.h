/* dataset_draft.h - a packed image set (dataset.h) in the making. One process creates PATH.tmp with everything but pixels,
 * their places taken; any number of processes fill their share of them, block by block with its checksum, by pwrite; when all
 * are done one process sets the completeness mark and renames. So the bytes do not depend on how many they were.
 * Memory: a draft is plain bytes, to be copied to other ranks; filling takes one MiB, an image and the checksums of a share.
 * Errors: STATUS_IO with the reason, STATUS_NOMEM; after one, dataset_draft_drop. Ranks: local, all. */
#ifndef IO_DATASET_DRAFT_H
#define IO_DATASET_DRAFT_H
#include "io/dataset.h"

struct dataset_plan {
  size_t size, channels, classes;
  size_t count[2];                       /* images by enum split */
  const int32_t *labels[2];              /* [count] */
  char (*class_names)[CLASS_NAME_MAX];
  const char *source, *command;          /* provenance */
  size_t duplicates_dropped;
};
struct dataset_draft {
  char path[4096];
  size_t image_bytes, count[2];
  uint64_t images[2], sums[2];           /* bytes into the file of image 0 and of the first block's checksum */
  uint64_t each[2], each_sums[2];        /* of image 0's own checksum and of the first block's of these */
};
int dataset_draft_create(struct dataset_draft *d, const char *path, const struct dataset_plan *plan);
/* Bytes [skip, skip + n) of an image, n >= 1; from: the caller's. */
typedef int dataset_fetch(void *from, enum split split, size_t index, size_t skip, size_t n, uint8_t *to);
/* Share k of R. */
int dataset_draft_fill(const struct dataset_draft *d, int k, int R, dataset_fetch *fetch, void *from);
int dataset_draft_finish(const struct dataset_draft *d);
void dataset_draft_drop(const struct dataset_draft *d);

/* What reading and writing share. */
enum { DATASET_VERSION = 1 };
extern const char dataset_format[];
extern const char *const dataset_splits[2];
/* checksums/ and the dataset's name with / as _. */
void dataset_checksum_name(const char *name, char out[64]);
#endif
