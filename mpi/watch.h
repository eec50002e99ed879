/* watch.h - what this rank is doing, for one who looks on from another thread (io/watchdog.h): the phase, the step, and the
 * collective that it is in or has left last, with the number of its elements.
 * Collectives are numbered from 1, whatever their communicator: all ranks make the same ones in the same order, so that where
 * they wait for each other the numbers say who did not come (EXPECTATIONS G14). Only what stands between watch_enter and
 * watch_leave is numbered: the helpers in mpi/ do that, and whoever calls MPI on the way of a training by himself.
 * Memory: statics. Words are literals, kept as pointers. Errors: none. Ranks: local; the thread that calls MPI writes. */
#ifndef MPI_WATCH_H
#define MPI_WATCH_H
#include <stddef.h>
#include <stdint.h>

struct watch {
  const char *phase, *operation;   /* "" before the first */
  uint64_t step, sequence;         /* the step that is being made; the number of `operation` */
  size_t count;                    /* elements of `operation`, on this rank; 0: not known */
  int inside;                      /* it is in the operation; 0: it has left it */
  uint64_t moves;                  /* grows with every call below */
};
/* Around a collective. They do not nest. */
void watch_enter(const char *operation, size_t count);
/* The same for what only a rank waits for that has come early: it has no number of its own. */
void watch_wait(const char *operation, size_t count);
void watch_leave(void);
void watch_phase(const char *phase);
void watch_step(uint64_t step);
/* Long work that has neither says that it goes on. */
void watch_move(void);
/* From any thread. */
struct watch watch_now(void);
/* Seconds inside collectives since the program began: waiting for others, and the transfers. For the thread that calls MPI. */
double watch_waited(void);
#endif
