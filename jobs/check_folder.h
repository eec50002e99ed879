/* check_folder.h - pmf check-data of a folder of pictures: every file of the class folders decoded once, by all ranks.
 * COLLECTIVE over w->comm. manifest: a file to write (io/manifest.h), or "". Rank 0 prints the bad files, in the order of the list, and
 * one line that sums up.
 * Memory: one picture on each rank, the list of files, 40 bytes for each. Errors: STATUS_BAD where a file is bad or there is no good
 * one, or the folder cannot be listed; STATUS_IO, STATUS_NOMEM. */
#ifndef JOBS_CHECK_FOLDER_H
#define JOBS_CHECK_FOLDER_H
#include "mpi/world.h"

int check_folder(const struct world *w, const char *folder, const char *manifest);
#endif
