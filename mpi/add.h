/* add.h - numbers that have come are added to those that are here. Ranks: local. */
#ifndef MPI_ADD_H
#define MPI_ADD_H
#include <mpi.h>

/* x[n] += from[n], on all of OpenMP's threads where numbers are many and the caller is not one of several. type: one that MPI can
 * add. */
void add_numbers(int n, MPI_Datatype type, const void *from, void *x);
#endif
