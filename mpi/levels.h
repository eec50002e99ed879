/* levels.h - ranks by node: communicators for sums that go first over the ranks of a node, through its memory, and then over the
 * nodes, each place of a node with the same place of the others (EXPECTATIONS G5).
 * Memory: freed by levels_free. */
#ifndef MPI_LEVELS_H
#define MPI_LEVELS_H
#include <mpi.h>

struct levels {
  MPI_Comm gather, spread;   /* the ranks of this node, twice: what goes up and what comes down do not wait in one line */
  MPI_Comm across;           /* the ranks with this place in their nodes, by node */
  int place, places;         /* of this rank in its node, from 0; of a node */
  int (*where)[2];           /* [ranks]: the place and the node of each rank of comm */
};
/* COLLECTIVE over comm. node_ranks = 0: a node is the ranks that share memory; else so many in a row (tests have no nodes).
 * Errors: STATUS_BAD: not as many ranks on every node; STATUS_NOMEM. */
int levels_init(struct levels *l, MPI_Comm comm, int node_ranks);
/* COLLECTIVE. Harmless on a zeroed one. */
void levels_free(struct levels *l);
#endif
