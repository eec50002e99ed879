/* arena.h - one block of memory per purpose, sized before the run, handed out as aligned views.
 * The code that lays an arena out runs twice: first on a counting arena (base NULL), which only adds
 * up what it needs, then on a real one. So a plan and a run agree because they share that code.
 *   struct arena a = {0};  layout(&a);  arena_init(&a);  layout(&a);
 * Units: elements of `real`. Memory: views live as long as the arena. Ranks: local. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H
#include <stddef.h>

#include "src/base/real.h"

#define ARENA_ALIGN 16   /* elements: 64 bytes of float, a cache line */

struct arena {
  real *base;   /* NULL while counting */
  size_t used, size;
};
/* A view of n elements, NULL while counting. */
real *arena_take(struct arena *a, size_t n);
/* Reserves what was counted, zeroed, aligned to 2 MiB, and starts handing out from the beginning. OpenMP's threads zero it, so
 * that its memory lies near all of them: call it where they may run, not from a parallel region.
 * Errors: STATUS_NOMEM, and then base is NULL. */
int arena_init(struct arena *a);
/* Harmless on an arena that was never initialised. */
void arena_free(struct arena *a);
#endif
