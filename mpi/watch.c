#include "mpi/watch.h"

#include <mpi.h>
#include <stdatomic.h>

/* One writer, which needs no locked instruction; the readers take a view that may be a moment old. */
static _Atomic(const char *) phase = "", operation = "";
static atomic_uint_fast64_t step, sequence, moves;
static atomic_size_t elements;
static atomic_int inside;
static double entered, waited;

static void add(atomic_uint_fast64_t *n) {
  atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}
static void put(_Atomic(const char *) *to, const char *text) { atomic_store_explicit(to, text, memory_order_relaxed); }

void watch_move(void) { add(&moves); }

void watch_enter(const char *name, size_t count) {
  add(&sequence);
  watch_wait(name, count);
}

void watch_wait(const char *name, size_t count) {
  put(&operation, name);
  atomic_store_explicit(&elements, count, memory_order_relaxed);
  atomic_store_explicit(&inside, 1, memory_order_relaxed);
  watch_move();
  entered = MPI_Wtime();
}

void watch_leave(void) {
  waited += MPI_Wtime() - entered;
  atomic_store_explicit(&inside, 0, memory_order_relaxed);
  watch_move();
}

void watch_phase(const char *name) {
  put(&phase, name);
  watch_move();
}

void watch_step(uint64_t k) {
  atomic_store_explicit(&step, k, memory_order_relaxed);
  watch_move();
}

struct watch watch_now(void) { return (struct watch){ phase, operation, step, sequence, elements, inside, moves }; }

double watch_waited(void) { return waited; }
