#include "io/loader.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/random.h"
#include "src/base/status.h"

/* A batch's bytes on their way from the thread to loader_next. */
struct slot {
  bool full;
  int status;
  char reason[1024];   /* reasons are thread-local: it crosses here */
  uint8_t *u8;         /* [count,H,W,C] */
  int32_t *y;          /* [count] */
  uint64_t *index;     /* [count] */
  size_t replacements;
  struct replaced *replaced;   /* [count] */
};

struct loader {
  const struct dataset *d;
  uint64_t seed, start;     /* start: the first step */
  uint64_t next;            /* the step that loader_next hands out next; the thread does not look at it */
  bool use_flip, stop, started;
  size_t batch_size, first, count;
  pthread_t thread;
  pthread_mutex_t lock;     /* guards full and stop; a slot's rest belongs to the thread while empty, else to the caller */
  pthread_cond_t changed;
  struct slot slot[2];      /* the batch of step k is in slot k mod 2 */
  size_t replacements;      /* of the batch handed out last */
  struct replaced *replaced;
};

static size_t image_bytes(const struct dataset *d) { return d->image_size * d->image_size * d->channels; }

/* u8[size,size,channels] from left to right. */
static void mirror(size_t size, size_t channels, uint8_t *u8) {
  for (size_t y = 0; y < size; y++, u8 += size * channels)
    for (size_t left = 0, right = size - 1; left < right; left++, right--)
      for (size_t c = 0; c < channels; c++) {
        const uint8_t keep = u8[left * channels + c];
        u8[left * channels + c] = u8[right * channels + c];
        u8[right * channels + c] = keep;
      }
}

uint64_t loader_image(const struct dataset *d, uint64_t seed, size_t batch_size, uint64_t step, size_t j) {
  const uint64_t images = d->count[SPLIT_TRAIN], steps = images / batch_size;
  return random_permute(seed, step / steps, images, step % steps * batch_size + j);
}

/* Of this rank's sample j. */
static uint64_t image_of(const struct loader *l, uint64_t step, size_t j) {
  return loader_image(l->d, l->seed, l->batch_size, step, l->first + j);
}

/* After a failure to read it: who is to blame, without the file's name. */
static struct replaced note(const struct dataset *d, uint64_t image, int status) {
  struct replaced r = { .image = image, .status = status };
  const size_t n = strlen(d->path);
  const char *why = status_reason();
  snprintf(r.why, sizeof r.why, "%s", strncmp(why, d->path, n) || strncmp(why + n, ": ", 2) ? why : why + n + 2);
  return r;
}

/* Image *index, or the next one after it that can be used, round the end of the set. */
static int read_image(const struct dataset *d, uint64_t *index, uint8_t *u8, struct slot *s) {
  const uint64_t image = *index, images = d->count[SPLIT_TRAIN], most = images < LOADER_WALK ? images : LOADER_WALK;
  int status = dataset_read(d, SPLIT_TRAIN, image, u8);
  if (!status) return status;
  struct replaced r = note(d, image, status);
  for (uint64_t n = 1; n < most; n++) {
    *index = (image + n) % images;
    if (dataset_read(d, SPLIT_TRAIN, *index, u8)) continue;
    r.by = *index;
    s->replaced[s->replacements++] = r;
    return STATUS_OK;
  }
  return because(status, "%s: %llu images from image %llu on cannot be used; of the first: %s", d->path, (unsigned long long)most,
                 (unsigned long long)image, r.why);
}

/* It as place j of the slot. */
static int read_sample(const struct loader *l, uint64_t step, size_t j, struct slot *s) {
  const struct dataset *d = l->d;
  uint64_t index = image_of(l, step, j);
  uint8_t *u8 = s->u8 + j * image_bytes(d);
  const int status = read_image(d, &index, u8, s);
  s->index[j] = index;
  s->y[j] = d->labels[SPLIT_TRAIN][index];
  if (status || !l->use_flip) return status;
  uint32_t bits;
  random_bits((struct purpose) { l->seed, STREAM_FLIP, step, (uint32_t)(l->first + j) }, 1, &bits);
  if (bits & 1) mirror(d->image_size, d->channels, u8);
  return STATUS_OK;
}

/* The batch after the one that is read: the disk has many reads at once to order, and does not idle while bytes are copied. */
static void announce(const struct loader *l, uint64_t step) {
  for (size_t j = 0; j < l->count; j++) dataset_expect(l->d, SPLIT_TRAIN, image_of(l, step, j));
}

static void *read_ahead(void *loader) {
  struct loader *l = loader;
  announce(l, l->start);
  for (uint64_t step = l->start;; step++) {
    struct slot *s = &l->slot[step % 2];
    announce(l, step + 1);
    pthread_mutex_lock(&l->lock);
    while (s->full && !l->stop) pthread_cond_wait(&l->changed, &l->lock);
    const bool stop = l->stop;
    pthread_mutex_unlock(&l->lock);
    if (stop) return NULL;
    s->status = STATUS_OK, s->replacements = 0;
    for (size_t j = 0; j < l->count && !s->status; j++) s->status = read_sample(l, step, j, s);
    if (s->status) snprintf(s->reason, sizeof s->reason, "%s", status_reason());
    pthread_mutex_lock(&l->lock);
    s->full = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
  }
}

/* Signals stay with the thread that asked for them. */
static int start_thread(struct loader *l) {
  sigset_t every, before;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &before);
  const int failed = pthread_create(&l->thread, NULL, read_ahead, l);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  l->started = !failed;
  return failed ? because(STATUS_NOMEM, "the reading thread cannot be started: %s", strerror(failed)) : STATUS_OK;
}

int loader_start(struct loader **loader, const struct dataset *d, uint64_t seed, bool use_flip, size_t batch_size,
                 size_t first, size_t count, uint64_t step) {
  assert(batch_size > 0 && first + count <= batch_size);
  *loader = NULL;
  if (d->count[SPLIT_TRAIN] < batch_size)
    return because(STATUS_BAD, "%s: %zu training images, expected at least training.batch_size = %zu", d->path,
                   d->count[SPLIT_TRAIN], batch_size);
  struct loader *l = calloc(1, sizeof *l);
  if (!l) return because(STATUS_NOMEM, "no memory for the loader");
  *l = (struct loader) { .d = d, .seed = seed, .start = step, .next = step, .use_flip = use_flip,
                         .batch_size = batch_size, .first = first, .count = count };
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->changed, NULL);
  int status = STATUS_OK;
  for (int i = 0; i < 2; i++) {
    struct slot *s = &l->slot[i];
    s->u8 = malloc(count * image_bytes(d) + 1);   /* count may be 0 */
    s->y = malloc(count * sizeof *s->y + 1);
    s->index = malloc(count * sizeof *s->index + 1);
    s->replaced = calloc(count + 1, sizeof *s->replaced);
    if (!s->u8 || !s->y || !s->index || !s->replaced) status = because(STATUS_NOMEM, "no memory to read %zu images ahead", count);
  }
  l->replaced = calloc(count + 1, sizeof *l->replaced);
  if (!l->replaced) status = because(STATUS_NOMEM, "no memory to read %zu images ahead", count);
  if (!status) status = start_thread(l);
  if (status) loader_stop(l);
  else *loader = l;
  return status;
}

int loader_next(struct loader *l, float *x, int32_t *y, uint64_t *index) {
  struct slot *s = &l->slot[l->next++ % 2];
  pthread_mutex_lock(&l->lock);
  while (!s->full) pthread_cond_wait(&l->changed, &l->lock);
  pthread_mutex_unlock(&l->lock);
  const int status = s->status ? because(s->status, "%s", s->reason) : STATUS_OK;
  l->replacements = status ? 0 : s->replacements;
  memcpy(l->replaced, s->replaced, l->replacements * sizeof *s->replaced);
  if (!status) {
    const size_t n = l->count * image_bytes(l->d);
    for (size_t i = 0; i < n; i++) x[i] = ((float)s->u8[i] / 255 - 0.5f) / 0.5f;
    memcpy(y, s->y, l->count * sizeof *y);
    if (index) memcpy(index, s->index, l->count * sizeof *index);
  }
  pthread_mutex_lock(&l->lock);
  s->full = false;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->lock);
  return status;
}

size_t loader_replaced(const struct loader *l, const struct replaced **list) {
  *list = l->replaced;
  return l->replacements;
}

void loader_stop(struct loader *l) {
  if (!l) return;
  pthread_mutex_lock(&l->lock);
  l->stop = true;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->lock);
  if (l->started) pthread_join(l->thread, NULL);
  pthread_mutex_destroy(&l->lock);
  pthread_cond_destroy(&l->changed);
  for (int i = 0; i < 2; i++) {
    free(l->slot[i].u8);
    free(l->slot[i].y);
    free(l->slot[i].index);
    free(l->slot[i].replaced);
  }
  free(l->replaced);
  free(l);
}
