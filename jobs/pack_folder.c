#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/dataset_draft.h"
#include "io/folder_list.h"
#include "io/parts.h"
#include "io/picture.h"
#include "io/progress.h"
#include "io/seen.h"
#include "jobs/pack.h"
#include "jobs/pack_sort.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/shard.h"
#include "src/base/status.h"
#include "src/vision/crop.h"

/* ---- the list ---- */

static int list_folders(const struct folder_order *o, struct folder_list *l) {
  int status = folder_list_add(l, o->folder, SPLIT_TRAIN);
  if (!status && *o->heldout) status = folder_list_add(l, o->heldout, SPLIT_HELDOUT);
  if (!status && l->count > INT_MAX) status = because(STATUS_BAD, "%s: more than %d files", o->folder, INT_MAX);
  return status;
}

/* COLLECTIVE. One rank asks the file system, so that all have the same list. */
static int share_list(const struct world *w, const struct folder_order *o, struct folder_list *l) {
  int status = agree(w->comm, w->rank == 0 ? list_folders(o, l) : STATUS_OK);
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

/* ---- a rank's share: decode, crop, keep ---- */

static enum fate fate_of(enum picture_fault fault) {
  switch (fault) {
    case PICTURE_UNREADABLE: return FATE_UNREADABLE;
    case PICTURE_EMPTY:      return FATE_EMPTY;
    case PICTURE_UNKNOWN:    return FATE_UNKNOWN;
    case PICTURE_DAMAGED:    return FATE_DAMAGED;
    default:                 return FATE_UNSUPPORTED;
  }
}

static int crop(const struct folder_order *o, struct picture *p, uint8_t *image) {
  if (o->channels == 1) crop_grey(p->w * p->h, p->rgb, p->rgb);
  return crop_square(p->h, p->w, (size_t)o->channels, p->rgb, (size_t)o->size, image);
}

/* One file; what became of it, in words if there is more to say than its fate. image: scratch of one crop. */
static int take(const struct folder_order *o, const char *path, struct parts *parts, uint8_t *image, struct outcome *x,
                char detail[DETAIL]) {
  struct picture p;
  int status = picture_read(path, &p);
  detail[0] = 0;
  if (status == STATUS_BAD) {
    x->fate = fate_of(p.fault);
    snprintf(detail, DETAIL, "%s", status_reason());
    status = STATUS_OK;
  } else if (!status && !o->upscale && (p.w < (size_t)o->size || p.h < (size_t)o->size)) {
    x->fate = FATE_SMALL;
    snprintf(detail, DETAIL, "%zu x %zu pixels", p.w, p.h);
  } else if (!status) {
    x->turned = p.orientation != 1, x->grey16 = p.grey16 != 0;
    status = crop(o, &p, image);
    if (!status) x->hash = seen_hash(image, parts->bytes);
    if (!status) status = parts_add(parts, image);
  }
  picture_free(&p);
  return status;
}

/* Local. outcome[i] of each file of the share, which begins at `first` of the list. */
static int take_share(const struct world *w, const struct folder_order *o, const struct folder_list *l, size_t first,
                      size_t count, struct parts *parts, struct outcome *outcome, struct details *details) {
  static const enum fate fates[] = { [LISTED_HIDDEN] = FATE_HIDDEN, [LISTED_STRAY] = FATE_STRAY, [LISTED_DEEP] = FATE_DEEP,
                                     [LISTED_SPECIAL] = FATE_SPECIAL };
  struct progress progress;
  uint8_t *image = malloc(parts->bytes);
  int status = image ? STATUS_OK : because(STATUS_NOMEM, "no memory for an image of %ld pixels a side", o->size);
  progress_start(&progress, l->count, 1, 0);
  for (size_t i = 0; i < count && !status; i++) {
    const struct listed_file *f = &l->file[first + i];
    struct outcome *x = &outcome[i];
    char detail[DETAIL] = "";
    *x = (struct outcome) { 0 };
    if (f->what == LISTED_FILE || f->what == LISTED_UNREADABLE) status = take(o, l->text + f->path, parts, image, x, detail);
    else x->fate = fates[f->what];
    if (*detail && !status) status = details_add(details, first + i, detail);
    if (w->rank == 0 && i % 16 == 0) progress_count(&progress, "pictures", l->count * i / count);   /* as if all kept pace */
  }
  if (progress.live) progress_say(&progress, "%zu of %zu pictures", l->count, l->count);
  free(image);
  return status;
}

/* COLLECTIVE. The ranks' items, mine[count] of them here, in rank order on rank 0: *all[*total], malloc'ed; NULL elsewhere. */
static int gather(const struct world *w, size_t item, size_t count, const void *mine, void **all, size_t *total) {
  int *counts = calloc((size_t)w->ranks, sizeof *counts), *places = calloc((size_t)w->ranks, sizeof *places);
  const int n = (int)count;
  MPI_Datatype type;
  int status = counts && places ? STATUS_OK : STATUS_NOMEM;
  *all = NULL, *total = 0;
  if (!agree_any(w->comm, status)) {
    MPI_Gather(&n, 1, MPI_INT, counts, 1, MPI_INT, 0, w->comm);
    for (int k = 0; k < w->ranks && w->rank == 0; k++) places[k] = (int)*total, *total += (size_t)counts[k];
    if (w->rank == 0) *all = malloc((*total + 1) * item);
    status = w->rank == 0 && !*all ? STATUS_NOMEM : STATUS_OK;
    if (!agree_any(w->comm, status)) {
      MPI_Type_contiguous((int)item, MPI_BYTE, &type);
      MPI_Type_commit(&type);
      MPI_Gatherv(mine, n, type, *all, counts, places, type, 0, w->comm);
      MPI_Type_free(&type);
    }
  }
  free(counts), free(places);
  return agree(w->comm, status ? because(status, "no memory for what became of the files") : STATUS_OK);
}

/* COLLECTIVE. Decodes all; rank 0 then has an outcome for each file, and the details. */
static int take_all(const struct world *w, const struct folder_order *o, const struct folder_list *l, struct parts *parts,
                    struct sorting *s) {
  const size_t first = shard_first(l->count, w->rank, w->ranks), count = shard_count(l->count, w->rank, w->ranks);
  struct outcome *mine = malloc((count + 1) * sizeof *mine);
  struct details details = { 0 };
  void *all;
  size_t total;
  int status = mine ? STATUS_OK : because(STATUS_NOMEM, "no memory for what became of %zu files", count);
  if (!status) status = take_share(w, o, l, first, count, parts, mine, &details);
  if (!status) status = parts_settle(parts);
  status = agree(w->comm, status);
  if (!status) {
    status = gather(w, sizeof *mine, count, mine, &all, &total);
    s->outcome = all;
    assert(status || w->rank > 0 || total == l->count);
  }
  if (!status) {
    status = gather(w, sizeof *details.item, details.count, details.item, &all, &total);
    s->details = (struct details) { .item = all, .count = total };
  }
  free(mine), free(details.item);
  return status;
}

/* ---- the file ---- */

struct origin { const struct sorting *sorting; struct parts *parts; };

static int from_parts(void *from, enum split split, size_t index, size_t skip, size_t n, uint8_t *to) {
  const struct origin *x = from;
  const struct place *place = &x->sorting->image[split][index];
  return parts_read(x->parts, place->rank, place->slot, skip, n, to);
}

static int create(const struct folder_order *o, const struct sorting *s, struct dataset_draft *draft) {
  char source[2 * 1024 + 128];
  if (*o->heldout) snprintf(source, sizeof source, "pictures of %s, held out %s", o->folder, o->heldout);
  else snprintf(source, sizeof source, "pictures of %s, seed %llu", o->folder, (unsigned long long)o->seed);
  const struct dataset_plan plan = {
    .size = (size_t)o->size, .channels = (size_t)o->channels, .classes = s->classes, .count = { s->count[0], s->count[1] },
    .labels = { s->labels[0], s->labels[1] }, .class_names = s->class_names, .source = source, .command = o->command,
    .duplicates_dropped = s->dropped,
  };
  return dataset_draft_create(draft, o->out, &plan);
}

/* COLLECTIVE. */
static int write_file(const struct world *w, const struct folder_order *o, struct sorting *s, struct parts *parts) {
  struct dataset_draft draft;
  struct origin origin = { s, parts };
  int status = agree(w->comm, w->rank == 0 ? create(o, s, &draft) : STATUS_OK);
  if (status) return status;
  spread(w->comm, 0, sizeof draft, &draft);
  status = agree(w->comm, dataset_draft_fill(&draft, w->rank, w->ranks, from_parts, &origin));
  if (!status) status = agree(w->comm, w->rank == 0 ? dataset_draft_finish(&draft) : STATUS_OK);
  if (status && w->rank == 0) dataset_draft_drop(&draft);
  return status;
}

/* COLLECTIVE. What rank 0 decided: which piece of which rank is which image. */
static int share_places(const struct world *w, struct sorting *s) {
  spread(w->comm, 0, sizeof s->count, s->count);
  int status = STATUS_OK;
  for (int split = 0; split < 2 && w->rank > 0; split++) {
    s->image[split] = malloc((s->count[split] + 1) * sizeof *s->image[split]);
    if (!s->image[split]) status = because(STATUS_NOMEM, "no memory for the places of %zu images", s->count[split]);
  }
  if ((status = agree(w->comm, status))) return status;
  for (int split = 0; split < 2; split++) spread(w->comm, 0, s->count[split] * sizeof *s->image[split], s->image[split]);
  return STATUS_OK;
}

int pack_folder(const struct world *w, const struct folder_order *o) {
  struct folder_list list = { 0 };
  struct sorting s = { 0 };
  struct parts parts;
  int status = share_list(w, o, &list);
  if (!status) {
    status = agree(w->comm, parts_init(&parts, o->out, w->rank, (size_t)(o->size * o->size * o->channels)));
    if (!status) status = take_all(w, o, &list, &parts, &s);
    if (!status) status = agree(w->comm, w->rank == 0 ? pack_sort(&s, o, &list, w->ranks) : STATUS_OK);
    if (!status) status = share_places(w, &s);
    if (!status) status = write_file(w, o, &s, &parts);
    parts_free(&parts);
  }
  if (!status) status = agree(w->comm, w->rank == 0 ? pack_sort_report(&s, o, &list) : STATUS_OK);
  pack_sort_free(&s);
  folder_list_free(&list);
  return status;
}
