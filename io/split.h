/* split.h - arrays that are dealt out to the ranks in short runs, written collectively: what Open MPI's MPI-IO gets wrong where its
 * data sieving meets two or more aggregators (EXPECTATIONS H1). Checkpoints are laid out so as not to ask for it; pmf iotest
 * does, to learn whether this start's MPI-IO can be trusted.
 * Errors: STATUS_IO with the reason. */
#ifndef IO_SPLIT_H
#define IO_SPLIT_H
#include <mpi.h>
#include <stddef.h>

enum { SPLIT_RUN = 16 };   /* elements in a run; sizes are multiples of it */

/* COLLECTIVE over comm. `arrays` arrays of sizes[] elements as /0, /1, ...: element k of array i is value(i, k). Agreed. */
int split_write(MPI_Comm comm, const char *path, size_t arrays, const size_t *sizes, float (*value)(size_t i, size_t k));
/* Local: reads the file alone. *wrong: how many elements are not what was written. */
int split_check(const char *path, size_t arrays, const size_t *sizes, float (*value)(size_t i, size_t k), size_t *wrong);
#endif
