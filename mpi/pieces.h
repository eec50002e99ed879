/* pieces.h - an array of which each rank holds a piece, moved so that each rank holds another one.
 * Memory: the arrays are the caller's and do not overlap. Errors: none; a failing MPI call ends the job (its default). */
#ifndef MPI_PIECES_H
#define MPI_PIECES_H
#include <mpi.h>
#include <stddef.h>

/* Elements [first, first + count) of the array. */
struct piece { size_t first, count; };

/* COLLECTIVE over comm. The pieces of all ranks, all[ranks], the caller's. */
void pieces_gather(MPI_Comm comm, struct piece mine, struct piece *all);
/* Whether the ranks' pieces are an array of n elements: in the ranks' order, disjoint, without a gap. Local. */
int pieces_cover(const struct piece *all, int ranks, size_t n);
/* COLLECTIVE over comm, with the same have[ranks] and want[ranks] on every rank, each disjoint. y, this rank's piece of `want`,
 * receives from the ranks' x, theirs of `have`, all that lies in both; the rest of y stays. Nothing is copied on the way, and
 * messages are at most reduce_limit elements long (mpi/reduce.h). */
void pieces_move(MPI_Comm comm, const struct piece *have, const float *x, const struct piece *want, float *y);
#endif
