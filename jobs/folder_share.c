#include "jobs/folder_share.h"

#include <limits.h>
#include <stdlib.h>

#include "io/dataset.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "src/base/status.h"

static int list_folders(const char *folder, const char *heldout, struct folder_list *l) {
  int status = folder_list_add(l, folder, SPLIT_TRAIN);
  if (!status && *heldout) status = folder_list_add(l, heldout, SPLIT_HELDOUT);
  if (!status && l->count > INT_MAX) status = because(STATUS_BAD, "%s: more than %d files", folder, INT_MAX);
  return status;
}

int folder_share(const struct world *w, const char *folder, const char *heldout, struct folder_list *l) {
  int status = agree(w->comm, w->rank == 0 ? list_folders(folder, heldout, l) : STATUS_OK);
  if (status) return status;
  size_t sizes[3] = { l->count, l->classes, l->bytes };
  spread(w->comm, 0, sizeof sizes, sizes);
  if (w->rank > 0) {
    l->count = sizes[0], l->classes = sizes[1], l->bytes = sizes[2];
    l->file = malloc((l->count + 1) * sizeof *l->file);
    l->class_name = malloc((l->classes + 1) * sizeof *l->class_name);
    l->text = malloc(l->bytes + 1);
    if (!l->file || !l->class_name || !l->text) status = because(STATUS_NOMEM, "no memory for the list of files");
  }
  if ((status = agree(w->comm, status))) return status;
  spread(w->comm, 0, l->count * sizeof *l->file, l->file);
  spread(w->comm, 0, l->classes * sizeof *l->class_name, l->class_name);
  spread(w->comm, 0, l->bytes, l->text);
  return STATUS_OK;
}
