/* reduce.h - sums over the ranks and copies to all of them, of any length.
 * An MPI count is an int (EXPECTATIONS G13): one helper splits, into few large pieces, in the same way on every rank.
 * COLLECTIVE over comm, all: every rank calls, in the same order, with the same n.
 * Memory: the arrays are the caller's, changed in place. Errors: none; a failing MPI call ends the job (its default).
 * Sums have the same bits on all ranks, and again in a run with as many ranks; not over other numbers of ranks. */
#ifndef MPI_REDUCE_H
#define MPI_REDUCE_H
#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

/* Elements in a piece, 1..INT_MAX, equal on all ranks. A variable, so that tests can make it small. */
extern size_t reduce_limit;

/* x[n] becomes the sum of the ranks' x, in float. */
void reduce_sum(MPI_Comm comm, size_t n, float *x);
/* The same in whole numbers: in any order one sum. */
void reduce_sum_integer(MPI_Comm comm, size_t n, int64_t *x);
/* The same in double, for the few numbers of a report. */
void reduce_sum_double(MPI_Comm comm, size_t n, double *x);
/* x[n] becomes the greatest of the ranks' x. A NaN among them may leave other values on other ranks. */
void reduce_max_double(MPI_Comm comm, size_t n, double *x);
/* The bytes of root's data on every rank. */
void spread(MPI_Comm comm, int root, size_t bytes, void *data);
#endif
