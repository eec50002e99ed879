/* crew.h - Newton-Schulz of one matrix on several ranks. Of many ranks most own no matrix (src/optim/share.h), and a step then waits
 * for the one with the largest. So the ranks without help owners of large ones (share_crews): every member of a crew has a
 * piece of the matrix (src/optim/newton_schulz.h), and what travels are the pieces, once there and back, and five sums of
 * n (n + 1) / 2 numbers.
 * A sum over pieces is in another order than one product, so weights differ in their last digits from those of fewer ranks; they are
 * the owner's on every rank.
 * COLLECTIVE over the world, init and free. Memory: the caller's. Errors: where it says so. */
#ifndef MPI_CREW_H
#define MPI_CREW_H
#include "mpi/world.h"
#include "src/base/table.h"

struct crew {
  MPI_Comm comm;                    /* of this rank's crew, the owner first */
  int owner, place, size;           /* whom it works for; who it is in it; 1: nobody helps */
};
/* The table's owners and crews are ranks of w. Errors: none. */
void crew_init(struct crew *c, const struct world *w, const struct table *t);
void crew_free(struct crew *c);
/* COLLECTIVE over the crew. Are its messages and sums right (mpi/selftest.h)? A matrix made together against the owner's own. Memory: statics.
 * Errors, on the owner alone: STATUS_BAD. */
int crew_test(const struct crew *c);
/* COLLECTIVE over the crew: the owner calls the first for its matrix (without a crew: for each), with the arrays of
 * muon_newton_schulz; the others the second, once a step; work: muon_work of the largest. Between the products `breathe`
 * (may be NULL) moves on what else goes through this rank. */
void crew_newton_schulz(const struct crew *c, size_t out, size_t in, real *X, real *work, void (*breathe)(void *), void *context);
void crew_help(const struct crew *c, const struct table *t, real *work, void (*breathe)(void *), void *context);
#endif
