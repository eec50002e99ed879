/* import_sizes.h - the sizes of a net, read off the shapes of its tensors: all that settings say of a net, image size, channels
 * and classes included. What shapes cannot tell (noise scale, times, guidance) is the preset's or the user's.
 * Errors: STATUS_BAD. Ranks: local. */
#ifndef JOBS_IMPORT_SIZES_H
#define JOBS_IMPORT_SIZES_H
#include "io/weights.h"

enum { IMPORT_SIZES = 12 };
struct import_sizes {
  struct { const char *key; long value; } list[IMPORT_SIZES];   /* dataset.image_size, model.depth, ... */
  char preset[32];                                              /* the preset with these sizes, "" if there is none */
};
/* Of the tensors prefix + name. */
int import_sizes_read(struct import_sizes *s, const struct weights *f, const char *prefix);
#endif
