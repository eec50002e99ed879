/* simulate_mpi.h - what the schedule of a step (mpi/) calls, for SimGrid's SMPI: messages carry nothing, and adding takes the time
 * that it is said to take. Messages themselves travel while a rank computes, as a network card carries them, once both ends have
 * called; products of Newton-Schulz take the time of their flops. Compiled in front of mpi/ (-include), whose calls it
 * takes over; mpi/add.c and src/optim/newton_schulz.c are left out.
 * Memory: a shared piece. Ranks: as the MPI calls. */
#ifndef JOBS_SIMULATE_MPI_H
#define JOBS_SIMULATE_MPI_H
#include <mpi.h>
#include <stddef.h>

/* For all ranks: seconds to add a byte to another; messages begun so far. */
extern double simulate_seconds_per_byte, simulate_messages;
/* Where a rank's messages of up to so many bytes come from and go to; the pointers of the calls below are not looked at. Before
 * them, on each rank; freed by simulate_no_room. */
void simulate_room(size_t bytes);
void simulate_no_room(void);
/* The rank computes for so long. */
void simulate_seconds(double seconds);
int simulate_isend(const void *x, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *q);
int simulate_irecv(void *x, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *q);

#define MPI_Isend simulate_isend
#define MPI_Irecv simulate_irecv

/* Seconds of a flop of Newton-Schulz, on all ranks: its products (src/optim/newton_schulz.h) take the time of theirs, and copies
 * that of adding. A place for their arrays, on each rank. */
extern double simulate_seconds_per_flop;
float *simulate_work(size_t numbers);
void simulate_no_work(float *work);
#endif
