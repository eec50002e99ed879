#include "mpi/bucket.h"

#include <stdlib.h>

#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "src/base/status.h"

/* Appends [first, end) from its end, in pieces of `most`; a list that is NULL is only counted. */
static void append(struct buckets *b, size_t first, size_t end, size_t most, ptrdiff_t owner) {
  while (first < end) {
    const size_t count = end - first < most ? end - first : most;
    end -= count;
    if (b->list) b->list[b->count] = (struct bucket){ end, count, owner };
    b->count++;
  }
}

static void cut(struct buckets *b, const struct table *t, size_t elements, size_t most, int by_owner) {
  size_t end = t->size;
  b->count = 0;
  for (size_t i = t->count; i-- > 0;) {
    const struct tensor *n = &t->tensors[i];
    const int alone = by_owner && i && t->tensors[i - 1].owner != n->owner;
    if (i && !alone && end - n->offset < elements) continue;
    append(b, n->offset, end, most, by_owner ? n->owner : BUCKET_FOR_ALL);
    end = n->offset;
  }
}

int buckets_cut(struct buckets *b, const struct table *t, size_t elements, size_t most, int by_owner) {
  if (most > reduce_limit) most = reduce_limit;
  *b = (struct buckets){ 0 };
  cut(b, t, elements, most, by_owner);
  b->list = malloc((b->count ? b->count : 1) * sizeof *b->list);
  if (!b->list) {
    const size_t count = b->count;
    b->count = 0;
    return because(STATUS_NOMEM, "no memory for %zu buckets", count);
  }
  cut(b, t, elements, most, by_owner);
  return STATUS_OK;
}

int buckets_same(MPI_Comm comm, const struct buckets *b) { return agree_same(comm, b->list, b->count * sizeof *b->list); }

void buckets_free(struct buckets *b) {
  free(b->list);
  *b = (struct buckets){ 0 };
}
