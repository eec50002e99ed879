/* share.h - Newton-Schulz shared over ranks: every matrix of Muon's has one owner (tensor.owner), which alone does its five
 * steps. An owner's tensors follow one another in the table, so that what it hands out is one piece of the weights; the
 * pieces are cut so that the most flops that a rank gets are as few as such cuts allow, but for a lead: owners of the first tensors, for
 * which every rank waits (mpi/owners.h), get fewer by the time that weights take to all of them. With crews (mpi/crew.h) an owner's
 * only matrix may be done by several ranks (tensor.crew, the owner among them), so that the most flops fall on where
 * there are more ranks than even parts.
 * A function of the table alone. Memory: none of its own. Errors: none. Ranks: local; every rank computes the same. */
#ifndef OPTIM_SHARE_H
#define OPTIM_SHARE_H
#include "src/base/table.h"

enum { SHARE_CREW = 8 };            /* ranks of a crew: more would wait for messages rather than compute */
/* Flops of a matrix from which on it may have one; and the lead of the table's first tensor for each doubling of the ranks, a step down
 * the tree: half the time between two calls of MPI in Newton-Schulz, a thirtieth of the largest matrix. In the table's first twelfth, which
 * a step uses in about that time, it falls to nothing. Variables, so that tests can make them small. */
extern double share_least, share_lead;
/* Sets the owners, for `ranks` of them; the last ones may own nothing. Returns the most flops that a rank gets. */
double share_matrices(struct table *t, int ranks);
/* And their crews: they take those ranks that own nothing, behind the owners, in the owners' order. */
double share_crews(struct table *t, int ranks);
/* Elements [first, first + count) of an array. */
struct share { size_t first, count; };
/* What an owner's tensors take of the flat arrays, and of the array of second moments, with the gaps behind them: in the order
 * of the owners these follow one another and are the array. Nothing for a rank that owns nothing. */
struct share share_flat(const struct table *t, int owner);
struct share share_second(const struct table *t, int owner);
/* Flops of Newton-Schulz, of all matrices. */
double share_flops(const struct table *t);
#endif
