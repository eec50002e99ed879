#include "mpi/climb.h"

#include "mpi/add.h"

static void next(struct climb *c, MPI_Request *q) {
  const int below = tree_below(&c->tree, c->step);
  c->taking = below >= 0;
  *q = MPI_REQUEST_NULL;
  if (c->taking) MPI_Irecv(c->room, c->n, c->type, below, c->tag, c->comm, q);
  else if (c->tree.place) MPI_Isend(c->x, c->n, c->type, tree_above(&c->tree), c->tag, c->comm, q);
}

void climb_begin(struct climb *c, MPI_Comm comm, int root, int n, MPI_Datatype type, int tag, void *x, void *room, MPI_Request *q) {
  int rank, ranks;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  *c = (struct climb){ .comm = comm, .tree = tree_at(rank, root, ranks), .n = n, .tag = tag, .step = 1, .type = type, .x = x,
                       .room = room };
  next(c, q);
}

void climb_on(struct climb *c, MPI_Request *q) {
  if (!c->taking) return;   /* it was the way up */
  add_numbers(c->n, c->type, c->room, c->x);
  c->step *= 2;
  next(c, q);
}
