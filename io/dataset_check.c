#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/blocks.h"
#include "io/dataset.h"
#include "io/dataset_draft.h"
#include "io/dataset_raw.h"
#include "src/base/status.h"

/* Every dataset but the checksums of blocks; the last two came later. */
static const char *const all[] = { "train/images", "train/labels", "heldout/images", "heldout/labels", "class_names", "train/sums",
                                   "heldout/sums" };
enum { ALL = sizeof all / sizeof *all, ALWAYS = 5 };

static bool is_there(hid_t file, int i) { return i < ALWAYS || H5Lexists(file, all[i], H5P_DEFAULT) > 0; }

int dataset_verify(const char *path) {
  int fd;
  hid_t file;
  uint64_t bytes;
  int status = dataset_file_open(path, &fd, &file, &bytes);
  for (int i = 0; i < ALL && !status; i++)
    if (is_there(file, i)) status = dataset_compare_all(fd, file, path, all[i], bytes);
  dataset_file_close(fd, file);
  return status;
}

/* ---- all that is wrong ---- */

struct check {
  const char *path;
  int fd;
  hid_t file;
  uint64_t file_bytes;
  int k, R;
  struct dataset_flaws *flaws;
  struct dataset_raw images;      /* of the split at hand */
  struct dataset_raw sums;        /* its images' own, if there are any */
  uint8_t *image, *buffer;        /* one; one block */
  int split;
};

/* The reason recorded, without the file's name; continues the flaw before it, if that is of the image before and says the same. */
static int add(struct dataset_flaws *f, const char *path, int split, uint64_t first, uint64_t end) {
  const size_t n = strlen(path);
  const char *why = status_reason();
  if (!strncmp(why, path, n) && !strncmp(why + n, ": ", 2)) why += n + 2;
  struct dataset_flaw *last = f->count ? &f->item[f->count - 1] : NULL;
  if (last && split >= 0 && last->split == split && last->end == first && !strncmp(last->why, why, FLAW_WHY - 1)) {
    last->end = end;
    return STATUS_OK;
  }
  if (f->count == f->room) {
    const size_t room = 2 * f->room + 64;
    struct dataset_flaw *larger = realloc(f->item, room * sizeof *larger);
    if (!larger) return because(STATUS_NOMEM, "%s: no memory for what is wrong with it", path);
    f->item = larger, f->room = room;
  }
  struct dataset_flaw *x = &f->item[f->count++];
  memset(x, 0, sizeof *x);   /* it travels as bytes */
  x->split = split, x->first = first, x->end = end;
  snprintf(x->why, sizeof x->why, "%s", why);
  return STATUS_OK;
}

static int bad_elsewhere(void *to, const char *name, uint64_t first_byte, uint64_t bytes) {
  const struct check *c = to;
  (void)name, (void)first_byte, (void)bytes;
  return add(c->flaws, c->path, -1, 0, 0);
}

/* Blocks of images without sums of their own: all that a block holds a part of is in doubt. */
static int bad_images(void *to, const char *name, uint64_t first_byte, uint64_t bytes) {
  struct check *c = to;
  const uint64_t one = c->images.bytes / c->images.sizes[0];
  uint64_t first = first_byte / one;
  const uint64_t end = (first_byte + bytes + one - 1) / one;
  struct dataset_flaws *f = c->flaws;
  (void)name;
  because(STATUS_BAD, "in a block that differs from its checksum or cannot be read");
  if (f->count && f->item[f->count - 1].split == c->split && f->item[f->count - 1].end > first) first = f->item[f->count - 1].end;
  return first < end ? add(f, c->path, c->split, first, end) : STATUS_OK;
}

/* Each image against its own sum. */
static int check_images(struct check *c) {
  const uint64_t one = c->images.bytes / c->images.sizes[0];
  const struct slab share = blocks_share(c->images.sizes[0], c->k, c->R);
  int status = STATUS_OK;
  for (uint64_t i = share.first; i < share.end && !status; i++) {
    uint64_t sum;
    int bad = dataset_read_at(c->fd, c->path, &sum, sizeof sum, c->sums.offset + i * sizeof sum);
    if (!bad) bad = dataset_read_at(c->fd, c->path, c->image, one, c->images.offset + i * one);
    if (bad) because(STATUS_BAD, "cannot be read");
    else if (dataset_sum(c->image, one) != sum) bad = because(STATUS_BAD, "differs from its checksum");
    if (bad) status = add(c->flaws, c->path, c->split, i, i + 1);
  }
  return status;
}

static int check_labels(struct check *c, const char *name) {
  struct dataset_raw r, names;
  int status = dataset_find(c->file, c->path, name, c->file_bytes, &r);
  if (!status) status = dataset_find(c->file, c->path, "class_names", c->file_bytes, &names);
  if (status) return status;
  if (r.rank != 1 || !r.whole || r.sizes[0] != c->images.sizes[0])
    return because(STATUS_BAD, "%s: /%s is not a label for each of %llu images", c->path, name, (unsigned long long)c->images.sizes[0]);
  const struct slab share = blocks_share(r.sizes[0], c->k, c->R);
  for (uint64_t i = share.first; i < share.end && !status; i++) {
    int32_t label = -1;
    if (dataset_read_at(c->fd, c->path, &label, sizeof label, r.offset + i * sizeof label)) because(STATUS_BAD, "its label cannot be read");
    else if (label >= 0 && (hsize_t)label < names.sizes[0]) continue;
    else because(STATUS_BAD, "label %d is out of range, expected 0 to %llu", label, (unsigned long long)names.sizes[0] - 1);
    status = add(c->flaws, c->path, c->split, i, i + 1);
  }
  return status;
}

static int check_split(struct check *c, int split) {
  char images[32], sums[32], labels[32];
  snprintf(images, sizeof images, "%s/images", dataset_splits[split]);
  snprintf(sums, sizeof sums, "%s/sums", dataset_splits[split]);
  snprintf(labels, sizeof labels, "%s/labels", dataset_splits[split]);
  c->split = split;
  int status = dataset_find(c->file, c->path, images, c->file_bytes, &c->images);
  if (status) return status;
  if (c->images.rank != 4 || !c->images.bytewise) return because(STATUS_BAD, "%s: /%s is not uint8 [N,H,W,C]", c->path, images);
  const uint64_t n = c->images.sizes[0];
  if (n == 0) return STATUS_OK;
  const struct slab share = blocks_share(n, c->k, c->R);
  c->flaws->images += share.end - share.first;
  const bool own = H5Lexists(c->file, sums, H5P_DEFAULT) > 0;
  const struct dataset_part part = { c->fd, c->file, c->path, images, c->file_bytes, c->k, c->R };
  if (!own) return (status = dataset_compare(&part, c->buffer, bad_images, c)) ? status : check_labels(c, labels);
  if ((status = dataset_find(c->file, c->path, sums, c->file_bytes, &c->sums))) return status;
  if (c->sums.rank != 1 || c->sums.element != sizeof(uint64_t) || c->sums.sizes[0] != n)
    return because(STATUS_BAD, "%s: /%s is not a sum for each of %llu images", c->path, sums, (unsigned long long)n);
  c->image = malloc(c->images.bytes / n);
  if (!c->image) return because(STATUS_NOMEM, "%s: no memory to check it", c->path);
  status = check_images(c);
  free(c->image);
  return status ? status : check_labels(c, labels);
}

int dataset_check(const char *path, int k, int R, struct dataset_flaws *flaws) {
  struct check c = { .path = path, .k = k, .R = R, .flaws = flaws, .buffer = malloc(BLOCK_BYTES) };
  int status = dataset_file_open(path, &c.fd, &c.file, &c.file_bytes);
  if (!status && !c.buffer) status = because(STATUS_NOMEM, "%s: no memory to check it", path);
  for (int split = 0; split < 2 && !status; split++) status = check_split(&c, split);
  for (int i = 0; i < ALL && !status; i++) {
    if (!is_there(c.file, i)) continue;
    const struct dataset_part part = { c.fd, c.file, path, all[i], c.file_bytes, k, R };
    status = dataset_compare(&part, c.buffer, bad_elsewhere, &c);
  }
  dataset_file_close(c.fd, c.file);
  free(c.buffer);
  return status;
}
