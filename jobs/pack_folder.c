#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/dataset_draft.h"
#include "io/folder_list.h"
#include "io/manifest.h"
#include "io/parts.h"
#include "io/picture.h"
#include "io/progress.h"
#include "io/seen.h"
#include "jobs/folder_share.h"
#include "jobs/pack.h"
#include "jobs/pack_sort.h"
#include "mpi/agree.h"
#include "mpi/gather.h"
#include "mpi/reduce.h"
#include "mpi/shard.h"
#include "src/base/status.h"
#include "src/vision/crop.h"

/* ---- the manifest ---- */

/* What it says of each file of the list; NULL: there is none. */
struct expected { uint64_t hash; int64_t fate; };
enum { TAKE_ANY = -1 };   /* of the held-out folder, which it does not speak of */

/* Rank 0. What the manifest calls good and the folder lacks is said at once. */
static int look_up_all(const struct folder_order *o, const struct folder_list *l, struct expected *e) {
  struct manifest m;
  const size_t skip = strlen(o->folder) + 1;
  size_t good = 0, met = 0;
  const int status = manifest_read(o->manifest, &m);
  for (size_t k = 0; k < m.count && !status; k++) good += m.entry[k].good != 0;
  for (size_t i = 0; i < l->count && !status; i++) {
    e[i] = (struct expected){ .fate = TAKE_ANY };
    if (l->file[i].source != SPLIT_TRAIN) continue;
    const struct manifest_entry *x = manifest_find(&m, l->text + l->file[i].path + skip);
    e[i] = (struct expected){ x ? x->hash : 0, !x ? FATE_UNLISTED : x->good ? FATE_USED : FATE_LISTED_BAD };
    met += x && x->good;
  }
  if (met < good) fprintf(stderr, "warning: %zu of %zu files that %s calls good are not in %s\n", good - met, good, o->manifest, o->folder);
  manifest_free(&m);
  return status;
}

/* COLLECTIVE. */
static int share_expected(const struct world *w, const struct folder_order *o, const struct folder_list *l, struct expected **e) {
  if (!*o->manifest) return STATUS_OK;
  *e = malloc((l->count + 1) * sizeof **e);
  int status = *e ? STATUS_OK : because(STATUS_NOMEM, "no memory for what the manifest says of %zu files", l->count);
  if (!status && w->rank == 0) status = look_up_all(o, l, *e);
  if ((status = agree(w->comm, status))) return status;
  spread(w->comm, 0, l->count * sizeof **e, *e);
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
static int take(const struct folder_order *o, const char *path, const struct expected *expected, struct parts *parts, uint8_t *image, struct outcome *x,
                char detail[DETAIL]) {
  struct picture p;
  detail[0] = 0;
  if (expected && expected->fate > FATE_USED) {
    x->fate = (int16_t)expected->fate;
    return STATUS_OK;
  }
  int status = picture_read(path, &p);
  if (status == STATUS_BAD) {
    x->fate = fate_of(p.fault);
    snprintf(detail, DETAIL, "%s", status_reason());
    status = STATUS_OK;
  } else if (!status && expected && expected->fate == FATE_USED && p.hash != expected->hash) {
    x->fate = FATE_CHANGED;
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
                      const struct expected *e, size_t count, struct parts *parts, struct outcome *outcome,
                      struct details *details) {
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
    if (f->what == LISTED_FILE || f->what == LISTED_UNREADABLE) status = take(o, l->text + f->path, e ? &e[first + i] : NULL, parts, image, x, detail);
    else x->fate = fates[f->what];
    if (*detail && !status) status = details_add(details, first + i, detail);
    if (w->rank == 0 && i % 16 == 0) progress_count(&progress, "pictures", l->count * i / count);   /* as if all kept pace */
  }
  if (progress.live) progress_say(&progress, "%zu of %zu pictures", l->count, l->count);
  free(image);
  return status;
}

/* COLLECTIVE. Decodes all; rank 0 then has an outcome for each file, and the details. */
static int take_all(const struct world *w, const struct folder_order *o, const struct folder_list *l, const struct expected *e,
                    struct parts *parts, struct sorting *s) {
  const size_t first = shard_first(l->count, w->rank, w->ranks), count = shard_count(l->count, w->rank, w->ranks);
  struct outcome *mine = malloc((count + 1) * sizeof *mine);
  struct details details = { 0 };
  void *all;
  size_t total;
  int status = mine ? STATUS_OK : because(STATUS_NOMEM, "no memory for what became of %zu files", count);
  if (!status) status = take_share(w, o, l, first, e, count, parts, mine, &details);
  if (!status) status = parts_settle(parts);
  status = agree(w->comm, status);
  if (!status) {
    status = gather(w->comm, sizeof *mine, count, mine, &all, &total, "what became of the files");
    s->outcome = all;
    assert(status || w->rank > 0 || total == l->count);
  }
  if (!status) {
    status = gather(w->comm, sizeof *details.item, details.count, details.item, &all, &total, "what became of the files");
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
  struct expected *expected = NULL;
  int status = folder_share(w, o->folder, o->heldout, &list);
  if (!status) status = share_expected(w, o, &list, &expected);
  if (!status) {
    status = agree(w->comm, parts_init(&parts, o->out, w->rank, (size_t)(o->size * o->size * o->channels)));
    if (!status) status = take_all(w, o, &list, expected, &parts, &s);
    if (!status) status = agree(w->comm, w->rank == 0 ? pack_sort(&s, o, &list, w->ranks) : STATUS_OK);
    if (!status) status = share_places(w, &s);
    if (!status) status = write_file(w, o, &s, &parts);
    parts_free(&parts);
  }
  if (!status) status = agree(w->comm, w->rank == 0 ? pack_sort_report(&s, o, &list) : STATUS_OK);
  free(expected);
  pack_sort_free(&s);
  folder_list_free(&list);
  return status;
}
