/* share.h - Newton-Schulz shared over ranks: every matrix of Muon's has one owner (tensor.owner), which alone does its five
 * steps. An owner's tensors follow one another in the table, so that what it hands out is one piece of the weights; the
 * pieces are cut so that the most flops that a rank gets are as few as such cuts allow, and then so that the owners of the first tensors,
 * for which a step waits (mpi/owners.h), get as few as the ranks that would own nothing allow.
 * A function of the table alone. Memory: none of its own. Errors: none. Ranks: local; every rank computes the same. */
#ifndef OPTIM_SHARE_H
#define OPTIM_SHARE_H
#include "src/base/table.h"

/* Sets the owners, for `ranks` of them; the last ones may own nothing. Returns the most flops that a rank gets. */
double share_matrices(struct table *t, int ranks);
/* Elements [first, first + count) of an array. */
struct share { size_t first, count; };
/* What an owner's tensors take of the flat arrays, and of the array of second moments, with the gaps behind them: in the order
 * of the owners these follow one another and are the array. Nothing for a rank that owns nothing. */
struct share share_flat(const struct table *t, int owner);
struct share share_second(const struct table *t, int owner);
/* Flops of Newton-Schulz, of all matrices. */
double share_flops(const struct table *t);
#endif
