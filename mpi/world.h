/* world.h - this process among the others.
 * world_init also works without mpirun (one rank). Before MPI_Init it sets the MPI-IO parameters that keep
 * parallel HDF5 correct with Open MPI (EXPECTATIONS H1, H17), and those that let a node's ranks exchange gradients in large
 * pieces, unless the user's environment names them. */
#ifndef MPI_WORLD_H
#define MPI_WORLD_H
#include <mpi.h>

struct world {
  MPI_Comm comm;   /* a duplicate of MPI_COMM_WORLD */
  int rank, ranks;
  int node_ranks;  /* ranks that share this node's memory */
};
/* COLLECTIVE over all processes. */
void world_init(int *argc, char ***argv, struct world *w);
/* COLLECTIVE. */
void world_end(struct world *w);
#endif
