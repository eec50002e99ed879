/* dataset.h - a packed image set: one HDF5 file, uint8 images raw and contiguous, so that a rank can read
 * any image by pread at a known offset, without HDF5 and from any thread.
 *   /train/images, /heldout/images   uint8 [N,H,W,C]      /train/labels, /heldout/labels   int32 [N]
 *   /train/sums, /heldout/sums       uint64 [N]  XXH64 (seed 0) of each image; files of earlier programs lack them
 *   /class_names  fixed-length strings [classes]
 *   /checksums/train_images ...  uint64 [blocks]  XXH64 (seed 0) of each MiB of the dataset's bytes
 *   attributes of /: format = "pmf-dataset", version, complete = 1 (written last), and provenance: program, command,
 *   source, created (UTC), image_size, channels, classes, duplicates_dropped, ...
 * Errors: STATUS_BAD where the file is missing, cut, or not such a file; one line. Ranks: local. */
#ifndef IO_DATASET_H
#define IO_DATASET_H
#include <stddef.h>
#include <stdint.h>

enum split { SPLIT_TRAIN, SPLIT_HELDOUT };
enum { CLASS_NAME_MAX = 64 };

struct dataset {
  char *path;                           /* for reasons */
  int fd;                               /* for pread */
  size_t image_size, channels, classes;
  size_t count[2];                      /* images in each split */
  uint64_t offset[2];                   /* bytes into the file of image 0 */
  int32_t *labels[2];
  uint64_t *sums[2];                    /* of each image; NULL where the file has none */
  char (*class_names)[CLASS_NAME_MAX];
  uint32_t *pick;                       /* [count] places of the training images in the file; NULL: all, but in dataset_half */
};
int dataset_open(struct dataset *d, const char *path);
void dataset_close(struct dataset *d);
/* Half of the training images of d as a set of its own: of each class every other image, from the first on (which = 0) or from the
 * second (1), in their order. The two halves have no image in common and together are d; the held-out ones stay. It looks into
 * d, which lives longer; dataset_half_close ends it. Errors: STATUS_NOMEM; STATUS_BAD: no such image. */
int dataset_half(struct dataset *half, const struct dataset *d, int which);
void dataset_half_close(struct dataset *half);
/* u8[H*W*C] of one image. Thread-safe, no HDF5. Errors: STATUS_IO; STATUS_BAD: it differs from its sum, if there is one. */
int dataset_read(const struct dataset *d, enum split split, size_t index, uint8_t *u8);
uint64_t dataset_sum(const uint8_t *u8, size_t bytes);
/* Says that the image will be read: where the file system can, it fetches it meanwhile. Thread-safe, does not wait for it. */
void dataset_expect(const struct dataset *d, enum split split, size_t index);

/* Images to be packed, in memory one after the other. The caller owns all. */
struct images {
  size_t count, size, channels, classes;
  uint8_t *pixels;                      /* [count,size,size,channels] */
  int32_t *labels;
};
/* Writes the file (as path.tmp, fsync, rename). A held-out image whose bytes occur in train is dropped and counted
 * (also one that occurs twice in held-out). Serial HDF5, one process. */
int dataset_write(const char *path, const struct images *train, const struct images *heldout,
                  char (*class_names)[CLASS_NAME_MAX], const char *source, const char *command, size_t *duplicates_dropped);
/* Re-reads all and compares the checksums; the first difference is named. */
int dataset_verify(const char *path);

/* What is wrong with images [first, end) of a split, or with something else (split -1), in words. */
enum { FLAW_WHY = 200 };
struct dataset_flaw { int32_t split; uint64_t first, end; char why[FLAW_WHY]; };
struct dataset_flaws { struct dataset_flaw *item; size_t count, room; uint64_t images; };   /* images: looked at */
/* Share k of R of the whole check: every block, every image and every label, to the end. flaws: zeroed by the caller, its item to be
 * freed. Errors: STATUS_BAD where the file cannot be looked into, STATUS_NOMEM. */
int dataset_check(const char *path, int k, int R, struct dataset_flaws *flaws);
#endif
