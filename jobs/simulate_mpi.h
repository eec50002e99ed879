/* simulate_mpi.h - what the schedule of a step (mpi/) calls, for SimGrid: messages carry nothing, and adding takes the time
 * that it is said to take. Messages themselves travel while a rank computes, as a network card carries them, once both ends have
 * called, or are copied by both ends' processors; products of Newton-Schulz take the time of their flops. Compiled in front of mpi/
 * (-include), whose calls it takes over; mpi/add.c and src/optim/newton_schulz.c are left out. Blocking collectives are SMPI's.
 * Messages are not SMPI's: SimGrid 3.32 keeps each that MPI_Testsome found ended in its rank's list and goes through that list at
 * the end of each other one, so that time and memory grew with the square of their number (doc/scaling.md).
 * Memory: what messages need, never freed. Ranks: as the MPI calls. */
#ifndef JOBS_SIMULATE_MPI_H
#define JOBS_SIMULATE_MPI_H
#include <mpi.h>
#include <stddef.h>

/* For all ranks: seconds to add a byte to another; seconds that each end's processor takes to copy one of a message, 0: a network
 * card does; messages begun so far. */
extern double simulate_seconds_per_byte, simulate_seconds_per_copy, simulate_messages;
/* The rank computes for so long. */
void simulate_seconds(double seconds);
int simulate_dup(MPI_Comm comm, MPI_Comm *copy);
int simulate_split(MPI_Comm comm, int color, int key, MPI_Comm *part);
int simulate_isend(const void *x, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *q);
int simulate_irecv(void *x, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *q);
int simulate_testsome(int n, MPI_Request *q, int *count, int *ended, MPI_Status *ignored);
int simulate_waitsome(int n, MPI_Request *q, int *count, int *ended, MPI_Status *ignored);

#define MPI_Comm_dup simulate_dup
#define MPI_Comm_split simulate_split
#define MPI_Isend simulate_isend
#define MPI_Irecv simulate_irecv
#define MPI_Testsome simulate_testsome
#define MPI_Waitsome simulate_waitsome

/* Seconds of a flop of Newton-Schulz, on all ranks: its products (src/optim/newton_schulz.h) take the time of theirs, and copies
 * that of adding. A place for their arrays, on each rank. */
extern double simulate_seconds_per_flop;
float *simulate_work(size_t numbers);
void simulate_no_work(float *work);
#endif
