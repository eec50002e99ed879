#include "jobs/simulate_mpi.h"

#include <assert.h>
#include <simgrid/actor.h>
#include <stdlib.h>

#include "mpi/add.h"
#include "src/optim/newton_schulz.h"

#undef MPI_Isend   /* here SMPI's own are meant */
#undef MPI_Irecv

double simulate_seconds_per_byte, simulate_seconds_per_flop, simulate_messages;

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

float *simulate_work(size_t numbers) { return SMPI_SHARED_MALLOC(numbers * sizeof(float)); }

void simulate_no_work(float *work) { SMPI_SHARED_FREE(work); }

void newton_schulz_gram(int tall, size_t n, size_t share, const float *piece, float *A) {
  (void)tall, (void)piece, (void)A;
  simulate_seconds((double)(n * n) * (double)share * simulate_seconds_per_flop + (double)(n * n) * sizeof(float) * simulate_seconds_per_byte);
}   /* the last: what a sum over the pieces adds */

void newton_schulz_turn(int tall, size_t n, size_t share, const float *A, float *Q, const float *piece, float *next) {
  (void)tall, (void)A, (void)Q, (void)piece, (void)next;
  simulate_seconds((double)(n * n) * (double)(n + 2 * share) * simulate_seconds_per_flop);
}

static void copy(size_t numbers) { simulate_seconds((double)numbers * sizeof(float) * simulate_seconds_per_byte); }

void newton_schulz_cut(size_t out, size_t in, int pieces, const size_t *count, const float *X, float *packed) {
  (void)pieces, (void)count, (void)X, (void)packed;
  copy(out * in);
}

void newton_schulz_join(size_t out, size_t in, int pieces, const size_t *count, float *X, float *scratch) {
  (void)pieces, (void)count, (void)X, (void)scratch;
  copy(out > in ? 0 : 2 * out * in);
}

void add_numbers(int n, MPI_Datatype type, const void *from, void *x) {
  int width;
  (void)from, (void)x;
  MPI_Type_size(type, &width);
  simulate_seconds((double)n * width * simulate_seconds_per_byte);
}
