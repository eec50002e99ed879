/* checkpoint_head.h - all of a checkpoint but its arrays: written and read here, so that both sides stand together. */
#ifndef IO_CHECKPOINT_HEAD_H
#define IO_CHECKPOINT_HEAD_H
#include <hdf5.h>

#include "io/blocks.h"
#include "io/checkpoint.h"

#define CHECKPOINT_ARRAYS "/arrays/"
#define CHECKPOINT_SUMS "/checksums/"

/* "group" "name" in path[64]. */
void checkpoint_member(char path[64], const char *group, const char *name);
/* Local. Writes index, settings and attributes, and makes the arrays and their checksums, empty. 0 or -1 (hdf.h). */
int checkpoint_head_write(hid_t file, const struct checkpoint_info *info, int ranks);
/* Local. Writes the checksums of the arrays and that of the head. 0 or -1. */
int checkpoint_sums_write(hid_t file, const struct checkpoint_info *info);
/* Local. The mark of a whole file. 0 or -1. */
int checkpoint_mark_write(hid_t file);
/* Local. What checkpoint_info does, for an open file whose mark may still be missing (marked = false). */
int checkpoint_head_read(hid_t file, const char *path, bool marked, struct checkpoint_info *info);
/* Local. Reads these blocks of array i, one behind the other into data or, if that is NULL, only to check them.
 * Errors: STATUS_BAD, naming array and block; STATUS_NOMEM. */
int checkpoint_blocks_read(hid_t file, const char *path, const struct checkpoint_info *info, size_t i,
                           struct slab share, float *data);
#endif
