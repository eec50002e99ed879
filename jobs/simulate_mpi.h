/* simulate_mpi.h - the nonblocking collectives of a step as Open MPI makes them, out of messages between two ranks, for SimGrid's
 * SMPI: SMPI has its own nonblocking ones, in other trees, and they crash on shared buffers. Rounds as in libnbc of
 * Open MPI 4.1.4 (ompi/mca/coll/libnbc: nbc_ireduce.c, nbc_iallreduce.c, nbc_ibcast.c; what it chooses for sums that commute):
 *   Ireduce              2 ranks: fragments of 8 KiB one after the other; more: recursive halving, then a binomial gather to the root
 *   Iallreduce, in place binomial tree of whole buckets to rank 0 and back
 *   Allreduce            binomial tree to rank 0 and back (small ones alone)
 *   Ibcast               up to 4 ranks: from the root to each; more: a chain through all ranks in fragments of 32 KiB (8 below 512 KiB),
 *                        a binomial tree below 64 KiB
 * A round begins when the one before is through and this rank calls MPI; messages themselves travel while it computes.
 * Compiled in front of mpi/ (-include), whose calls it takes over; only with ranks in powers of two.
 * Memory: of its own, a few hundred bytes a collective on its way. Ranks: as the MPI calls. */
#ifndef JOBS_SIMULATE_MPI_H
#define JOBS_SIMULATE_MPI_H
#include <mpi.h>
#include <stddef.h>

/* Simplifications, for all ranks. At most so many fragments a chain (0: as many as there are), as simulated messages cost real time; at
 * most so many of a rank's collectives that move at once (they share one wire); seconds to add a byte to another. */
struct simulate_mpi { long fragments, at_once; double seconds_per_byte; };
extern struct simulate_mpi simulate_mpi;
/* Messages begun so far, on all ranks. */
extern double simulate_messages;
/* Where a rank's messages of up to so many bytes come from and go to; the pointers of the calls below are not looked at. Before them, on
 * each rank; freed by simulate_no_room. */
void simulate_room(size_t bytes);
void simulate_no_room(void);
/* The rank computes for so long. */
void simulate_seconds(double seconds);

/* Between these two the rank makes a step: its Allreduce, which only agrees there, is one of the above too and sums nothing, as whoever
 * waits in MPI moves on what others wait for. Outside it is SMPI's. */
void simulate_step_begins(void);
void simulate_step_ends(void);

int simulate_allreduce(const void *send, void *receive, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm);
int simulate_ireduce(const void *send, void *receive, int n, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm, MPI_Request *q);
int simulate_iallreduce(const void *send, void *receive, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm, MPI_Request *q);
int simulate_ibcast(void *x, int n, MPI_Datatype type, int root, MPI_Comm comm, MPI_Request *q);
int simulate_testsome(int n, MPI_Request q[], int *done, int which[], MPI_Status s[]);
int simulate_waitsome(int n, MPI_Request q[], int *done, int which[], MPI_Status s[]);
int simulate_testall(int n, MPI_Request q[], int *all, MPI_Status s[]);
int simulate_waitall(int n, MPI_Request q[], MPI_Status s[]);

#define MPI_Allreduce simulate_allreduce
#define MPI_Ireduce simulate_ireduce
#define MPI_Iallreduce simulate_iallreduce
#define MPI_Ibcast simulate_ibcast
#define MPI_Testsome simulate_testsome
#define MPI_Waitsome simulate_waitsome
#define MPI_Testall simulate_testall
#define MPI_Waitall simulate_waitall
#endif
