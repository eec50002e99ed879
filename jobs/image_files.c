#include "jobs/image_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/picture.h"
#include "src/base/status.h"

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int is_png(const char *name) {
  const size_t n = strlen(name);
  return n > 4 && *name != '.' && !strcmp(name + n - 4, ".png");
}

static int list(struct image_files *f) {
  DIR *d = opendir(f->path);
  if (!d) return because(STATUS_BAD, "%s: %s", f->path, strerror(errno));
  int status = STATUS_OK;
  for (const struct dirent *e; !status && (e = readdir(d));) {
    if (!is_png(e->d_name)) continue;
    if (!(f->n & (f->n + 1))) {
      char **more = realloc(f->name, 2 * (f->n + 1) * sizeof *more);
      if (more) f->name = more;
      else status = because(STATUS_NOMEM, "%s: no memory for its list", f->path);
    }
    if (!status && !(f->name[f->n] = strdup(e->d_name))) status = because(STATUS_NOMEM, "%s: no memory for its list", f->path);
    if (!status) f->n++;
  }
  closedir(d);
  if (status) return status;
  if (!f->n) return because(STATUS_BAD, "%s: no .png files in this folder", f->path);
  qsort(f->name, f->n, sizeof *f->name, by_bytes);
  return STATUS_OK;
}

/* Picture i of a folder, of the size of the first. */
static int read_picture(const struct image_files *f, size_t i, struct picture *p) {
  char path[2048];
  if (snprintf(path, sizeof path, "%s/%s", f->path, f->name[i]) >= (int)sizeof path)
    return because(STATUS_BAD, "%.64s...: the name is too long", path);
  const int status = picture_read(path, p);
  if (status) return because(status, "%s: %s", path, status_reason());
  if (!f->H || (p->h == f->H && p->w == f->W)) return STATUS_OK;
  return because(STATUS_BAD, "%s: %zu x %zu pixels, %s has %zu x %zu: expected images of one size", path, p->w, p->h, f->name[0],
                 f->W, f->H);
}

static int open_folder(struct image_files *f) {
  struct picture p = { 0 };
  int status = list(f);
  if (!status) status = read_picture(f, 0, &p);
  if (!status) f->H = p.h, f->W = p.w, f->C = 3;
  picture_free(&p);
  return status;
}

static int open_npz(struct image_files *f) {
  f->reader = calloc(1, sizeof *f->reader);
  if (!f->reader) return because(STATUS_NOMEM, "%s: no memory to read it", f->path);
  struct npz_reader *r = f->reader;
  const int status = npz_reader_open(r, f->path, "arr_0");
  if (status) return status;
  if (r->rank != 4 || strcmp(r->type, "u1") || (r->shape[3] != 1 && r->shape[3] != 3) || !r->size)
    return because(STATUS_BAD, "%s: arr_0 is no array of images: expected uint8 [N,H,W,3] or [N,H,W,1]", f->path);
  f->n = r->shape[0], f->H = r->shape[1], f->W = r->shape[2], f->C = r->shape[3];
  return STATUS_OK;
}

int image_files_open(struct image_files *f, const char *path) {
  struct stat facts;
  *f = (struct image_files){ .path = path };
  if (stat(path, &facts)) return because(STATUS_BAD, "%s: %s", path, strerror(errno));
  return S_ISDIR(facts.st_mode) ? open_folder(f) : open_npz(f);
}

void image_files_close(struct image_files *f) {
  for (size_t i = 0; f->name && i < f->n; i++) free(f->name[i]);
  free(f->name);
  if (f->reader) npz_reader_close(f->reader);
  free(f->reader);
  *f = (struct image_files){ 0 };
}

/* From image `first` on: the array is a stream, which begins again where it has gone too far. */
static int seek(struct image_files *f, size_t first, uint8_t *u8) {
  const size_t bytes = f->H * f->W * f->C;
  int status = STATUS_OK;
  if (first < f->next) {
    npz_reader_close(f->reader);
    status = npz_reader_open(f->reader, f->path, "arr_0");
    f->next = 0;
  }
  for (; f->next < first && !status; f->next++) status = npz_reader_next(f->reader, bytes, u8);
  return status;
}

static int make(const void *context, size_t first, size_t count, uint8_t *u8, int32_t *labels) {
  struct image_files *f = *(struct image_files *const *)context;
  const size_t bytes = f->H * f->W * f->C;
  int status = f->name ? STATUS_OK : seek(f, first, u8);
  for (size_t i = 0; i < count && !status; i++, u8 += bytes) {
    labels[i] = -1;
    if (!f->name) {
      status = npz_reader_next(f->reader, bytes, u8);
      f->next++;
      continue;
    }
    struct picture p = { 0 };
    status = read_picture(f, first + i, &p);
    if (!status) memcpy(u8, p.rgb, bytes);
    picture_free(&p);
  }
  return status;
}

struct source image_files_source(struct image_files *const *f) { return (struct source){ make, f }; }
