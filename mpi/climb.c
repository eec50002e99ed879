#include "mpi/climb.h"

#include "mpi/add.h"

/* Takes in from the next one below, or gives to the one above; the root gives to the owner. */
static void next(struct climb *c, MPI_Request *q) {
  const int below = tree_below(&c->tree, c->step), root = c->tree.root;
  c->taking = below >= 0;
  *q = MPI_REQUEST_NULL;
  if (c->taking) {
    MPI_Irecv(c->room, c->n, c->type, below, c->tag, c->comm, q);
    return;
  }
  c->over = c->rank != c->owner || c->rank == root;
  const int to = c->rank != root ? tree_above(&c->tree) : c->owner;
  if (to != c->rank) MPI_Isend(c->x, c->n, c->type, to, c->tag, c->comm, q);
}

void climb_begin(struct climb *c, MPI_Comm comm, int owner, int root, int n, MPI_Datatype type, int tag, void *x, void *room,
                 MPI_Request *q) {
  int rank, ranks;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  *c = (struct climb){ .comm = comm, .tree = tree_at(rank, root, ranks), .rank = rank, .owner = owner, .n = n, .tag = tag, .step = 1,
                       .type = type, .x = x, .room = room };
  next(c, q);
}

void climb_on(struct climb *c, MPI_Request *q) {
  if (c->taking) {
    add_numbers(c->n, c->type, c->room, c->x);
    c->step *= 2;
    next(c, q);
  } else if (!c->over) {   /* the owner has given its own: the sum comes back */
    c->over = 1;
    MPI_Irecv(c->x, c->n, c->type, c->tree.root, c->tag, c->comm, q);
  }
}
