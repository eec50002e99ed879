/* image_files.h - images that lie in a folder of PNGs (the files *.png in it, by the bytewise order of their names, all of one size) or
 * in an .npz as samplers write it (array arr_0: uint8 [N,H,W,C]), as a source of a score. Folders are read as RGB.
 * Memory: image_files_close; harmless on a zeroed one. Errors: STATUS_BAD: no such file or folder, no images, images of several
 * sizes, damaged. Ranks: local; each rank opens its own and reads the images it is asked for. */
#ifndef JOBS_IMAGE_FILES_H
#define JOBS_IMAGE_FILES_H
#include "io/npz_read.h"
#include "jobs/sources.h"

struct image_files {
  const char *path;
  size_t n, H, W, C;
  char **name;                 /* [n] of a folder; NULL: an .npz */
  struct npz_reader *reader;   /* of an .npz, and the image that it comes to next */
  size_t next;
};
int image_files_open(struct image_files *f, const char *path);
void image_files_close(struct image_files *f);
/* The source is of the pointer *f, which lives as long. */
struct source image_files_source(struct image_files *const *f);
#endif
