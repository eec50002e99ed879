/* share.h - Newton-Schulz shared over ranks: every matrix of Muon's has one owner (tensor.owner), which alone does its five
 * steps. An owner's tensors follow one another in the table, so that what it hands out is one piece of the weights; the
 * pieces are cut so that the most flops that a rank gets are as few as such cuts allow.
 * A function of the table alone. Memory: none of its own. Errors: none. Ranks: local; every rank computes the same. */
#ifndef OPTIM_SHARE_H
#define OPTIM_SHARE_H
#include "src/base/table.h"

/* Sets the owners, for `ranks` of them; the last ones may own nothing. Returns the most flops that a rank gets. */
double share_matrices(struct table *t, int ranks);
/* Flops of Newton-Schulz, of all matrices. */
double share_flops(const struct table *t);
#endif
