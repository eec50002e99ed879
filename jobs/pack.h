/* pack.h - the parts of pmf pack: what every source ends with, and class folders of pictures. */
#ifndef JOBS_PACK_H
#define JOBS_PACK_H
#include <stdbool.h>
#include <stdint.h>

#include "mpi/world.h"

enum { HOLDOUT_DEFAULT = -1, HOLDOUT_MOST = 10000 };   /* by default a tenth is held out, not more than that */

struct folder_order {
  const char *folder, *heldout;   /* class folders; of held-out pictures, or "" */
  const char *manifest;           /* of pmf check-data, of the first folder, or "": only what it calls good and has not changed */
  const char *out, *command;      /* the file to write; how it was asked for */
  long size, channels;            /* of the packed images */
  long holdout;                   /* without heldout: images drawn to be held out */
  uint64_t seed;                  /* of that draw */
  bool upscale;                   /* takes pictures smaller than size */
};
/* COLLECTIVE over w->comm. Each rank decodes and crops a share of the files into FILE.part-RANK; rank 0 decides which image
 * goes where; all write. What cannot be used is left out and named on standard output and in FILE.left_out.txt.
 * Memory: a few pictures on each rank, and the list of files. Errors: STATUS_BAD where no picture can be used or the folder
 * cannot be listed, STATUS_IO, STATUS_NOMEM; then nothing is left behind. */
int pack_folder(const struct world *w, const struct folder_order *o);
/* The first lines of the report, up to the number of held-out images, without the last newline. Local, rank 0. */
int pack_report(const char *out);
#endif
