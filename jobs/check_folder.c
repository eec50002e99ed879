#include "jobs/check_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/disk.h"
#include "io/manifest.h"
#include "io/picture.h"
#include "io/progress.h"
#include "jobs/folder_share.h"
#include "jobs/pack_sort.h"
#include "mpi/agree.h"
#include "mpi/gather.h"
#include "mpi/shard.h"
#include "src/base/status.h"

struct looked { uint64_t bytes, hash; uint32_t width, height; uint8_t state, hashed; };
struct found { struct looked *file; struct details details; double seconds; };   /* rank 0; [files of the list] */

/* Why such an entry of a folder is left alone; NULL for what should be a picture. */
static const char *left_alone(int what) {
  switch (what) {
    case LISTED_HIDDEN: return "hidden";
    case LISTED_STRAY:  return "outside of the class folders";
    case LISTED_DEEP:   return "a folder inside a class folder";
    default:            return NULL;
  }
}

/* One file; why it is bad, if it is. */
static int look(const struct folder_list *l, size_t i, struct looked *x, struct details *details) {
  const struct listed_file *f = &l->file[i];
  struct picture p;
  *x = (struct looked){ .state = MANIFEST_IGNORED };
  if (left_alone(f->what)) return STATUS_OK;
  if (f->what == LISTED_SPECIAL) {
    x->state = MANIFEST_BAD;
    return details_add(details, i, "not a regular file");
  }
  int status = picture_read(l->text + f->path, &p);
  *x = (struct looked){ p.bytes, p.hash, (uint32_t)p.w, (uint32_t)p.h, status ? MANIFEST_BAD : MANIFEST_GOOD, p.hashed != 0 };
  if (status == STATUS_BAD) status = details_add(details, i, status_reason());
  picture_free(&p);
  return status;
}

/* Local. The rank's share of the list. */
static int look_share(const struct world *w, const struct folder_list *l, struct looked *mine, struct details *details) {
  const size_t first = shard_first(l->count, w->rank, w->ranks), count = shard_count(l->count, w->rank, w->ranks);
  struct progress progress;
  int status = STATUS_OK;
  progress_start(&progress, l->count, 1, 0);
  for (size_t i = 0; i < count && !status; i++) {
    status = look(l, first + i, &mine[i], details);
    if (w->rank == 0 && i % 16 == 0) progress_count(&progress, "pictures", l->count * i / count);   /* as if all kept pace */
  }
  if (progress.live) progress_say(&progress, "%zu of %zu pictures", l->count, l->count);
  return status;
}

/* COLLECTIVE. */
static int look_all(const struct world *w, const struct folder_list *l, struct found *found) {
  const size_t count = shard_count(l->count, w->rank, w->ranks);
  struct looked *mine = calloc(count + 1, sizeof *mine);
  struct details details = { 0 };
  const double began = progress_clock();
  void *all;
  size_t total;
  int status = agree(w->comm, mine ? look_share(w, l, mine, &details) : because(STATUS_NOMEM, "no memory for %zu files", count));
  if (!status) status = gather(w->comm, sizeof *mine, count, mine, &all, &total, "what was found of the files");
  if (!status) {
    found->file = all, found->seconds = progress_clock() - began;
    status = gather(w->comm, sizeof *details.item, details.count, details.item, &all, &total, "what was found of the files");
  }
  if (!status) found->details = (struct details){ .item = all, .count = total };
  free(mine), free(details.item);
  return status;
}

/* Calls tell with every file, in the list's order, and the reason of those that are not good. */
typedef void tell_file(void *to, const struct folder_list *l, const struct listed_file *f, const struct looked *x, const char *why);
static void tell_all(const struct folder_list *l, const struct found *found, tell_file *tell, void *to) {
  for (size_t i = 0, next = 0; i < l->count; i++) {
    const struct looked *x = &found->file[i];
    const char *why = "";
    if (x->state == MANIFEST_IGNORED) why = left_alone(l->file[i].what);
    if (x->state == MANIFEST_BAD) why = found->details.item[next++].text;
    tell(to, l, &l->file[i], x, why);
  }
}

struct totals { size_t good, bad, ignored, classes; struct looked least, most; char *class; };   /* class[c]: it has a good one */

static uint32_t shorter(const struct looked *x) { return x->width < x->height ? x->width : x->height; }

static void count_file(void *to, const struct folder_list *l, const struct listed_file *f, const struct looked *x, const char *why) {
  struct totals *t = to;
  char path[4 * 4096];
  t->good += x->state == MANIFEST_GOOD, t->bad += x->state == MANIFEST_BAD, t->ignored += x->state == MANIFEST_IGNORED;
  if (x->state == MANIFEST_BAD) printf("%s: %s\n", folder_list_escape(l->text + f->path, path, sizeof path), why);
  if (x->state != MANIFEST_GOOD) return;
  if (!t->class[f->class]) t->class[f->class] = 1, t->classes++;
  if (t->good == 1 || shorter(x) < shorter(&t->least)) t->least = *x;
  if (t->good == 1 || shorter(x) > shorter(&t->most)) t->most = *x;
}

struct listing { FILE *file; size_t skip; };   /* skip: the folder's name and a slash */

static void write_row(void *to, const struct folder_list *l, const struct listed_file *f, const struct looked *x, const char *why) {
  const struct listing *m = to;
  const char *class = f->class < 0 ? "" : l->text + l->class_name[f->class];
  manifest_put(m->file, &(struct manifest_row){ l->text + f->path + m->skip, class, why, x->width, x->height, x->bytes, x->hash,
                                                x->hashed, x->state });
}

static int write_manifest(const char *path, const char *folder, const struct folder_list *l, const struct found *found) {
  struct listing m = { .skip = strlen(folder) + 1 };
  const int status = manifest_create(&m.file, path);
  if (status) return status;
  tell_all(l, found, write_row, &m);
  return manifest_close(m.file, path);
}

static int report(const char *folder, const struct folder_list *l, const struct found *found) {
  struct totals t = { .class = calloc(l->classes + 1, 1) };
  if (!t.class) return because(STATUS_NOMEM, "no memory for %zu classes", l->classes);
  tell_all(l, found, count_file, &t);
  free(t.class);
  const size_t files = t.good + t.bad;
  printf("%s: %zu file%s, %zu bad, %zu more not looked at (hidden, outside of the class folders, or deeper); %zu class%s", folder, files,
         files == 1 ? "" : "s", t.bad, t.ignored, t.classes, t.classes == 1 ? "" : "es");
  if (t.good) printf("; %u x %u to %u x %u pixels by the shorter side", t.least.width, t.least.height, t.most.width, t.most.height);
  printf("; %.0f images/s\n", (double)files / found->seconds);
  if (t.bad) return because(STATUS_BAD, "%s: %zu of %zu files are bad", folder, t.bad, files);
  if (!t.good) return because(STATUS_BAD, "%s: holds no pictures, expected class folders of PNG or JPEG files", folder);
  return STATUS_OK;
}

/* Before all pictures are looked at, not after. */
static int may_write(const char *manifest) {
  return disk_may_write(manifest) ? because(STATUS_IO, "%s: the manifest cannot be written there: %s", manifest, strerror(errno))
                                  : STATUS_OK;
}

int check_folder(const struct world *w, const char *folder, const char *manifest) {
  struct folder_list l = { 0 };
  struct found found = { 0 };
  int status = folder_share(w, folder, "", &l);
  if (!status && *manifest) status = agree(w->comm, w->rank == 0 ? may_write(manifest) : STATUS_OK);
  if (!status) status = look_all(w, &l, &found);
  if (!status && *manifest) status = agree(w->comm, w->rank == 0 ? write_manifest(manifest, folder, &l, &found) : STATUS_OK);
  if (!status) status = agree(w->comm, w->rank == 0 ? report(folder, &l, &found) : STATUS_OK);
  free(found.file), free(found.details.item);
  folder_list_free(&l);
  return status;
}
