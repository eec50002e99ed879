#include "jobs/pack_sort.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mpi/shard.h"
#include "src/base/random.h"
#include "src/base/status.h"

enum { NAMED = 20, LINE = 4 * 4096 };
#define HOLDOUT_DRAW (((uint64_t)1 << 56) - 1)   /* the permutation that no epoch of a training reaches */

static const char *const fates[FATES] = {
  [FATE_HIDDEN] = "hidden", [FATE_STRAY] = "outside of the class folders", [FATE_DEEP] = "folders inside a class folder",
  [FATE_SPECIAL] = "not regular files", [FATE_UNREADABLE] = "unreadable", [FATE_EMPTY] = "empty",
  [FATE_UNKNOWN] = "neither PNG nor JPEG", [FATE_DAMAGED] = "damaged", [FATE_UNSUPPORTED] = "unsupported",
  [FATE_UNLISTED] = "not in the manifest", [FATE_LISTED_BAD] = "not good by the manifest", [FATE_CHANGED] = "changed since the manifest",
  [FATE_SMALL] = "smaller than size= (upscale=yes takes them)", [FATE_CLASS] = "of a class without training pictures",
  [FATE_COPY] = "held-out copies",
};

int details_add(struct details *d, size_t file, const char *text) {
  if (d->count == d->room) {
    const size_t room = 2 * d->room + 64;
    struct detail *larger = realloc(d->item, room * sizeof *larger);
    if (!larger) return because(STATUS_NOMEM, "no memory for the report");
    d->item = larger, d->room = room;
  }
  struct detail *x = &d->item[d->count++];
  x->file = file;
  memset(x->text, 0, sizeof x->text);
  snprintf(x->text, sizeof x->text, "%s", text);
  return STATUS_OK;
}

/* ---- sorting ---- */

/* Classes with a usable training picture get labels in the order of their names; says how many such pictures there are. */
static size_t give_labels(struct sorting *s, const struct folder_list *l) {
  size_t usable = 0;
  for (size_t c = 0; c < l->classes; c++) s->label[c] = -1;
  for (size_t i = 0; i < l->count; i++)
    if (s->outcome[i].fate == FATE_USED && l->file[i].source == SPLIT_TRAIN) s->label[l->file[i].class] = 0, usable++;
  for (size_t c = 0; c < l->classes; c++) {
    if (s->label[c] < 0) continue;
    s->label[c] = (int32_t)s->classes;
    snprintf(s->class_names[s->classes++], CLASS_NAME_MAX, "%s", l->text + l->class_name[c]);
  }
  return usable;
}

/* The counts by fate, as "2 damaged, 1 empty"; returns how many files they are. */
static size_t count_fates(const struct sorting *s, const struct folder_list *l, char *text, size_t room) {
  size_t count[FATES] = { 0 }, all = 0, at = 0;
  for (size_t i = 0; i < l->count; i++) count[s->outcome[i].fate]++;
  text[0] = 0;
  for (int f = FATE_USED + 1; f < FATES; f++) {
    if (count[f] == 0) continue;
    at += (size_t)snprintf(text + at, room - at, "%s%zu %s", all ? ", " : "", count[f], fates[f]);
    assert(at < room);
    all += count[f];
  }
  return all;
}

static int nothing_usable(const struct sorting *s, const struct folder_order *o, const struct folder_list *l) {
  char text[1024];
  const size_t all = count_fates(s, l, text, sizeof text);
  if (all == 0) return because(STATUS_BAD, "folder=%s: holds no files, expected class folders of PNG or JPEG files", o->folder);
  return because(STATUS_BAD, "folder=%s: no picture can be used: %s; the first file is %s", o->folder, text,
                 l->text + l->file[0].path);
}

/* Which split each usable file belongs to, -1 for none; held out by draw or by its folder. */
static int draw_split(const struct folder_order *o, const struct listed_file *f, size_t usable, size_t number, size_t holdout) {
  if (*o->heldout) return f->source;
  return random_permute(o->seed, HOLDOUT_DRAW, usable, number) < holdout ? SPLIT_HELDOUT : SPLIT_TRAIN;
}

static void put_image(struct sorting *s, int split, struct place place, int32_t label) {
  s->image[split][s->count[split]] = place;
  s->labels[split][s->count[split]++] = label;
}

/* First all that is trained on, then the held-out ones, as only these give way to copies. */
static int sort_images(struct sorting *s, const struct folder_order *o, const struct folder_list *l, int ranks, size_t usable,
                       size_t holdout, size_t kept) {
  struct seen seen;
  int status = seen_init(&seen, kept);
  for (int split = 0; split < 2 && !status; split++) {
    size_t i = 0, number = 0;
    for (int k = 0; k < ranks; k++) {
      const size_t end = shard_first(l->count, k + 1, ranks);
      for (uint32_t slot = 0; i < end; i++) {
        struct outcome *x = &s->outcome[i];
        const struct listed_file *f = &l->file[i];
        if (x->fate != FATE_USED && x->fate != FATE_CLASS) continue;   /* no piece was kept of it */
        const struct place place = { k, slot++ };
        if (s->label[f->class] < 0) x->fate = FATE_CLASS;
        else if (draw_split(o, f, usable, f->source == SPLIT_TRAIN ? number++ : 0, holdout) == split) {
          const size_t same = seen_add(&seen, x->hash, i);
          s->copy_of[i] = same;
          if (same != i && split == SPLIT_HELDOUT) x->fate = FATE_COPY, s->dropped++;
          else {
            s->repeated += same != i;
            put_image(s, split, place, s->label[f->class]);
          }
        }
      }
    }
  }
  seen_free(&seen);
  return status;
}

int pack_sort(struct sorting *s, const struct folder_order *o, const struct folder_list *l, int ranks) {
  size_t kept = 0;
  for (size_t i = 0; i < l->count; i++) kept += s->outcome[i].fate == FATE_USED;
  s->label = malloc((l->classes + 1) * sizeof *s->label);
  s->class_names = calloc(l->classes + 1, sizeof *s->class_names);
  s->copy_of = malloc((l->count + 1) * sizeof *s->copy_of);
  bool memory = s->label && s->class_names && s->copy_of;
  for (int split = 0; split < 2; split++) {
    s->image[split] = malloc((kept + 1) * sizeof *s->image[split]);
    s->labels[split] = malloc((kept + 1) * sizeof *s->labels[split]);
    memory = memory && s->image[split] && s->labels[split];
  }
  if (!memory) return because(STATUS_NOMEM, "no memory to sort %zu pictures", kept);
  const size_t usable = give_labels(s, l), tenth = usable / 10 < HOLDOUT_MOST ? usable / 10 : HOLDOUT_MOST;
  if (usable == 0) return nothing_usable(s, o, l);
  const size_t holdout = o->holdout == HOLDOUT_DEFAULT ? tenth : (size_t)o->holdout;
  if (!*o->heldout && holdout >= usable)
    return because(STATUS_BAD, "holdout=%zu: leaves nothing to train on, as %zu pictures can be used", holdout, usable);
  for (size_t i = 0; i < l->count; i++) s->copy_of[i] = i;
  return sort_images(s, o, l, ranks, usable, holdout, kept);
}

/* ---- the report ---- */

/* Why file i was left out, on one line; *next: the first detail that is not behind it. */
static void explain(const struct sorting *s, const struct listed_file *f, const char *names, size_t i, size_t *next,
                    char line[LINE]) {
  static const char *const why[FATES] = {
    [FATE_HIDDEN] = "hidden", [FATE_STRAY] = "outside of the class folders", [FATE_DEEP] = "a folder inside a class folder",
    [FATE_SPECIAL] = "not a regular file", [FATE_CLASS] = "its class has no training picture",
    [FATE_UNLISTED] = "not in the manifest", [FATE_LISTED_BAD] = "not good by the manifest",
    [FATE_CHANGED] = "changed since the manifest", [FATE_COPY] = "the same pixels as ", [FATE_SMALL] = "smaller than size=: ",
  };
  const enum fate fate = s->outcome[i].fate;
  char path[LINE / 3], other[LINE / 3] = "";
  while (*next < s->details.count && s->details.item[*next].file < i) ++*next;
  const bool more = *next < s->details.count && s->details.item[*next].file == i;
  if (fate == FATE_COPY) folder_list_escape(names + f[s->copy_of[i]].path, other, sizeof other);
  snprintf(line, LINE, "%s: %s%s%s", folder_list_escape(names + f[i].path, path, sizeof path), why[fate] ? why[fate] : "",
           more ? s->details.item[*next].text : "", other);
}

static int open_list(const char *out, char path[4096], char partial[4096 + 8], FILE **file) {
  if ((size_t)snprintf(path, 4096, "%s.left_out.txt", out) >= 4096)
    return because(STATUS_BAD, "%.200s...: the name is too long", out);
  snprintf(partial, 4096 + 8, "%s.tmp", path);
  *file = fopen(partial, "w");
  return *file ? STATUS_OK : because(STATUS_IO, "%s: cannot be written: %s", partial, strerror(errno));
}

/* All of them into the file, the first few on standard output. */
static int name_left_out(const struct sorting *s, const struct folder_order *o, const struct folder_list *l, size_t all) {
  char path[4096], partial[4096 + 8];
  static char line[LINE];
  FILE *file;
  int status = open_list(o->out, path, partial, &file);
  if (status) return status;
  size_t named = 0, next = 0;
  bool good = true;
  for (size_t i = 0; i < l->count; i++) {
    if (s->outcome[i].fate == FATE_USED) continue;
    explain(s, l->file, l->text, i, &next, line);
    if (named++ < NAMED) printf("  %s\n", line);
    good = fprintf(file, "%s\n", line) >= 0 && good;
  }
  if (all > NAMED) printf("  and %zu more: all are named in %s\n", all - NAMED, path);
  if (fclose(file) || !good || rename(partial, path)) {
    status = because(STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
    unlink(partial);
  }
  return status;
}

/* The names of classes that are picked, on one line after the title; none, no line. */
static void name_classes(const struct sorting *s, const struct folder_list *l, const char *title, bool left_out) {
  char name[CLASS_NAME_MAX * 8];
  size_t named = 0;
  for (size_t c = 0; c < l->classes; c++) {
    const char *full = l->text + l->class_name[c];
    if (left_out ? s->label[c] >= 0 : s->label[c] < 0 || strlen(full) < CLASS_NAME_MAX) continue;
    printf("%s%s", named++ ? ", " : title, folder_list_escape(full, name, sizeof name));
  }
  if (named) printf("\n");
}

int pack_sort_report(const struct sorting *s, const struct folder_order *o, const struct folder_list *l) {
  size_t turned = 0, grey16 = 0;
  char text[1024];
  const int status = pack_report(o->out);
  if (status) return status;
  printf(" (%zu dropped: their pixels occur in train or twice)\n", s->dropped);
  for (size_t i = 0; i < l->count; i++) turned += s->outcome[i].turned, grey16 += s->outcome[i].grey16;
  if (s->repeated) printf("repeated: %zu training images have the pixels of an earlier one; they stay\n", s->repeated);
  if (turned) printf("EXIF: %zu pictures are marked as turned or mirrored; the mark is ignored\n", turned);
  if (grey16) printf("16-bit grey: %zu pictures, of which the high byte is taken\n", grey16);
  name_classes(s, l, "classes left out, without a usable training picture: ", true);
  name_classes(s, l, "class names cut to 63 bytes: ", false);
  const size_t all = count_fates(s, l, text, sizeof text);
  if (all) {
    printf("left out %zu of %zu files: %s\n", all, l->count, text);
    return name_left_out(s, o, l, all);
  }
  char path[4096];
  if ((size_t)snprintf(path, sizeof path, "%s.left_out.txt", o->out) < sizeof path) unlink(path);   /* of an earlier pack */
  return STATUS_OK;
}

void pack_sort_free(struct sorting *s) {
  for (int split = 0; split < 2; split++) free(s->image[split]), free(s->labels[split]);
  free(s->outcome), free(s->details.item), free(s->label), free(s->class_names), free(s->copy_of);
}
