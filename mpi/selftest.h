/* selftest.h - does this MPI library add up and copy? Every call that a step or a save uses, on numbers whose answer is known,
 * before the first step: wrong results without an error have been seen (EXPECTATIONS G6: open-mpi/ompi#9385). Milliseconds, but for
 * messages as large as those of a large net. */
#ifndef MPI_SELFTEST_H
#define MPI_SELFTEST_H
#include <mpi.h>

/* COLLECTIVE over comm. Blocking and nonblocking sums, in floats, doubles and 64-bit integers, maxima and copies, from and to
 * every rank that is first, last or in the middle, in place as everywhere here, and messages to the next rank; in few and in many
 * numbers; several of the nonblocking ones at once. Errors, on all ranks: STATUS_BAD, naming the call, the count and `where`, which
 * names the communicator; STATUS_NOMEM. */
int selftest(MPI_Comm comm, const char *where);
/* COLLECTIVE over comm. The same once with n floats, or integers, as many as the largest bucket of a run has: libraries change
 * their algorithms with the length. (training.reduce=plain sends more at once, which is not tried.) Has two arrays of them while
 * it runs. Errors: those of selftest. */
int selftest_large(MPI_Comm comm, const char *where, int n, int integers);
#endif
