/* folder_share.h - the files of class folders (io/folder_list.h), the same list on every rank: one of them asks the file system.
 * COLLECTIVE over w->comm. Memory: folder_list_free, also after an error. Errors: STATUS_BAD where the folder cannot be listed or
 * holds more than INT_MAX files, STATUS_NOMEM. */
#ifndef JOBS_FOLDER_SHARE_H
#define JOBS_FOLDER_SHARE_H
#include "io/folder_list.h"
#include "mpi/world.h"

/* The list begins as all zero. heldout: another such folder, or "". Sources of the files are of enum split. */
int folder_share(const struct world *w, const char *folder, const char *heldout, struct folder_list *l);
#endif
