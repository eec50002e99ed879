#include "jobs/simulate_mpi.h"

#include <assert.h>
#include <simgrid/actor.h>
#include <stdlib.h>

#include "mpi/add.h"

#undef MPI_Isend   /* here SMPI's own are meant */
#undef MPI_Irecv

double simulate_seconds_per_byte, simulate_messages;

/* Of each rank; all live in one process. SMPI copies nothing between shared pieces. */
static void **rooms;

static void **room(void) {
  int rank, ranks;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (!rooms) rooms = calloc((size_t)ranks, sizeof *rooms);
  assert(rooms);
  return &rooms[rank];
}

void simulate_room(size_t bytes) { *room() = SMPI_SHARED_MALLOC(bytes); }

void simulate_no_room(void) { SMPI_SHARED_FREE(*room()); }

void simulate_seconds(double seconds) {
  if (seconds > 0) sg_actor_sleep_for(seconds);   /* nobody shares a core; SimGrid 3.32 takes long to end what is computed */
}

int simulate_isend(const void *x, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *q) {
  (void)x;
  simulate_messages++;
  return MPI_Isend(*room(), n, type, to, tag, comm, q);
}

int simulate_irecv(void *x, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *q) {
  (void)x;
  return MPI_Irecv(*room(), n, type, from, tag, comm, q);
}

void add_numbers(int n, MPI_Datatype type, const void *from, void *x) {
  int width;
  (void)from, (void)x;
  MPI_Type_size(type, &width);
  simulate_seconds((double)n * width * simulate_seconds_per_byte);
}
