#include "src/base/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "src/base/status.h"

enum { HUGE_PAGE = 2 << 20 };

real *arena_take(struct arena *a, size_t n) {
  real *view = a->base ? a->base + a->used : NULL;
  a->used += (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
  assert(!a->base || a->used <= a->size);   /* the two runs of a layout differ */
  return view;
}

/* Memory lies at the NUMA node of the thread that touches it first. Threads take a piece in turn, so that every array in the arena
 * is spread over the nodes of all of them, and none over one alone. */
static void zero(char *base, size_t bytes) {
#pragma omp parallel for schedule(static, 1) if (bytes > HUGE_PAGE)
  for (size_t at = 0; at < bytes; at += HUGE_PAGE) memset(base + at, 0, bytes - at < HUGE_PAGE ? bytes - at : HUGE_PAGE);
}

int arena_init(struct arena *a) {
  a->size = a->used;
  a->used = 0;
  a->base = NULL;
  const size_t bytes = a->size * sizeof(real);
  void *base = NULL;
  if (!bytes) return STATUS_OK;
  if (posix_memalign(&base, HUGE_PAGE, bytes))
    return because(STATUS_NOMEM, "not enough memory: %zu MiB asked for at once", bytes >> 20);
  a->base = base;
#ifdef MADV_HUGEPAGE
  /* The default policy on clusters is "madvise". The rest takes small pages, so that what is taken is what was planned. */
  madvise(base, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
  zero(base, bytes);
  return STATUS_OK;
}

void arena_free(struct arena *a) {
  free(a->base);
  *a = (struct arena){ 0 };
}
