/* classifier_file.h - the weights of a trained classifier in a small HDF5 file, and whose they are.
 *   /weights  float32 [n], flat, as the classifier's table lays them out
 *   attributes of /: format = "pmf-classifier", version, size, channels, classes, kernel (pixels a side), images
 *   (classifier_file_images of the data it was trained on), part (of their training split: all, first half, second half; a file
 *   without it: all), seed, blas_core, accuracy (on the held-out images, 0..1), hash (XXH64 of the weights' bytes), complete
 * Hashes are 16 hexadecimal digits. It is never half a file (whole.h).
 * Ranks: local. */
#ifndef IO_CLASSIFIER_FILE_H
#define IO_CLASSIFIER_FILE_H
#include <stddef.h>
#include <stdint.h>

enum { CLASSIFIER_HASH = 20 };

struct classifier_facts {
  size_t size, channels, classes, kernel;
  char images[CLASSIFIER_HASH], part[16];
  uint64_t seed;
  char blas_core[32];
  double accuracy;
};
/* The identity of a packed file's training images: the XXH64 of the checksums of its train split, images and labels, in one.
 * Errors: STATUS_BAD: it has none. */
int classifier_file_images(const char *data, char images[CLASSIFIER_HASH]);
/* The same of a split (dataset.h), 0 train, 1 held out. */
int classifier_file_split(const char *data, int split, char images[CLASSIFIER_HASH]);
void classifier_file_hash(size_t n, const float *weights, char hash[CLASSIFIER_HASH]);
/* Whether a file can be made there, before hours of work: leaves nothing behind. Errors: STATUS_IO. */
int classifier_file_may_write(const char *path);
/* Errors: STATUS_IO, and then a file of that name is as it was; STATUS_NOMEM. */
int classifier_file_write(const char *path, const struct classifier_facts *facts, size_t n, const float *weights);
/* weights[n] of a classifier for `facts`: size, channels, classes, kernel, images (of the packed file `data`) and part must agree;
 * the rest is filled in. Errors: STATUS_BAD: missing, cut, damaged, of another format, kind or of other images; one line, with
 * what helps. */
int classifier_file_read(const char *path, const char *data, struct classifier_facts *facts, size_t n, float *weights);
#endif
