#include "jobs/bad_images.h"

#include <math.h>
#include <stdlib.h>

#include "mpi/agree.h"
#include "mpi/gather.h"
#include "src/base/status.h"

int bad_images_here(const struct trainer *t) {
  const struct replaced *list;
  return loader_replaced(t->loader, &list) > 0;
}

/* Nonzero if it is new. */
static int remember(struct bad_images *b, uint64_t image) {
  for (size_t i = 0; i < b->count; i++)
    if (b->image[i] == image) return 0;
  b->image[b->count++] = image;
  return 1;
}

static int make_room(struct bad_images *b, size_t more) {
  if (b->count + more <= b->room) return STATUS_OK;
  const size_t room = 2 * (b->count + more);
  uint64_t *larger = realloc(b->image, room * sizeof *larger);
  if (!larger) return because(STATUS_NOMEM, "no memory for the numbers of %zu bad images", room);
  b->image = larger, b->room = room;
  return STATUS_OK;
}

static void tell(const struct bad_images *b, const struct replaced *r, uint64_t step, const struct metrics *metrics, struct progress *p) {
  const struct metric m[] = { { "image", (double)r->image }, { "replaced_by", (double)r->by }, { "bad_images", (double)b->count } };
  metrics_write(metrics, "bad image", step, m, sizeof m / sizeof *m, r->why);
  progress_say(p, "WARNING: step %llu: training image %llu cannot be used, image %llu takes its place (%zu until now): %s",
               (unsigned long long)step, (unsigned long long)r->image, (unsigned long long)r->by, b->count, r->why);
}

/* Rank 0, of all ranks' n. */
static int judge(struct bad_images *b, const struct trainer *t, const struct replaced *list, size_t n, const struct metrics *metrics,
                 struct progress *p) {
  const double images = (double)t->data.count[SPLIT_TRAIN], most = ceil(t->s.dataset.bad_fraction * images);
  int worst = make_room(b, n);
  if (worst) return worst;
  for (size_t i = 0; i < n; i++) {
    if (list[i].status > worst) worst = list[i].status;
    if (remember(b, list[i].image)) tell(b, &list[i], t->state.step, metrics, p);
  }
  if ((double)b->count <= most) return STATUS_OK;
  return because(worst, "%s: %zu of %.0f training images could not be used until step %llu, dataset.bad_fraction = %g allows %.0f;"
                 " pmf check-data names all", t->s.dataset.root, b->count, images, (unsigned long long)t->state.step,
                 t->s.dataset.bad_fraction, most);
}

int bad_images_take(struct bad_images *b, const struct trainer *t, const struct metrics *metrics, struct progress *p) {
  const struct replaced *mine;
  const size_t count = loader_replaced(t->loader, &mine);
  void *all;
  size_t n;
  int status = gather(t->w->comm, sizeof *mine, count, mine, &all, &n, "the images that cannot be used");
  if (!status) status = agree(t->w->comm, t->w->rank == 0 ? judge(b, t, all, n, metrics, p) : STATUS_OK);
  free(all);
  return status;
}

void bad_images_free(struct bad_images *b) {
  free(b->image);
  *b = (struct bad_images){ 0 };
}
