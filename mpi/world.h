/* world.h - this process among the others.
 * world_init also works without a launcher (one rank, which then looks for no network). Before MPI_Init it sets the MPI-IO
 * parameters that keep parallel HDF5 correct with Open MPI (EXPECTATIONS H1, H17), and those that let a node's ranks exchange
 * gradients in large pieces, unless the user's environment names them. */
#ifndef MPI_WORLD_H
#define MPI_WORLD_H
#include <mpi.h>
#include <stdbool.h>

struct world {
  MPI_Comm comm;   /* a duplicate of MPI_COMM_WORLD */
  int rank, ranks;
  int node_ranks;  /* ranks that share this node's memory */
};
/* Was this process started by mpirun, srun or another launcher of MPI? Before world_init too. */
bool world_launched(void);
/* COLLECTIVE over all processes. */
void world_init(int *argc, char ***argv, struct world *w);
/* COLLECTIVE. All is done and written by now, and the process is to end with that code. Threads of Open MPI 4.1 crash about once
 * in a thousand ends (open-mpi/ompi#10117; doc/attack.md): from here on a crash ends the process with the code, too. */
void world_end(struct world *w, int code);
#endif
