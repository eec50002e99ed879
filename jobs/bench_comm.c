/* Ways to sum a gradient over the ranks, what one message costs, how fast numbers are added, and the way of the net's own gradient and
 * weights with nothing to hide behind: what a simulation of more ranks is told (jobs/simulate.c), and what it is checked against. */
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/progress.h"
#include "jobs/bench.h"
#include "jobs/setup.h"
#include "mpi/add.h"
#include "mpi/agree.h"
#include "mpi/owners.h"
#include "mpi/reduce.h"
#include "src/base/median.h"
#include "src/base/status.h"
#include "src/net/net.h"

static void allreduce(MPI_Comm comm, int n, float *x) { MPI_Allreduce(MPI_IN_PLACE, x, n, MPI_FLOAT, MPI_SUM, comm); }
static void iallreduce(MPI_Comm comm, int n, float *x) {
  MPI_Request request;
  MPI_Iallreduce(MPI_IN_PLACE, x, n, MPI_FLOAT, MPI_SUM, comm, &request);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
}
static void reduce_and_bcast(MPI_Comm comm, int n, float *x) {
  int rank;
  MPI_Comm_rank(comm, &rank);
  MPI_Reduce(rank ? x : MPI_IN_PLACE, x, n, MPI_FLOAT, MPI_SUM, 0, comm);
  MPI_Bcast(x, n, MPI_FLOAT, 0, comm);
}
static void scatter_and_gather(MPI_Comm comm, int n, float *x) {
  int rank, ranks;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  const int part = n / ranks;   /* n is a multiple here */
  float *mine = x + (size_t)n;  /* room behind */
  MPI_Reduce_scatter_block(x, mine, part, MPI_FLOAT, MPI_SUM, comm);
  MPI_Allgather(mine, part, MPI_FLOAT, x, part, MPI_FLOAT, comm);
}

/* Milliseconds of each way by bytes, as CSV. */
static int print_ways(struct bench *b) {
  static const struct { const char *name; void (*sum)(MPI_Comm, int, float *); } ways[] = {
    { "Allreduce", allreduce }, { "Iallreduce", iallreduce }, { "Reduce+Bcast", reduce_and_bcast },
    { "Reduce_scatter+Allgather", scatter_and_gather },
  };
  enum { WAYS = sizeof ways / sizeof *ways };
  const size_t largest = (size_t)1 << 24;   /* 64 MiB */
  float *x = calloc(2 * largest + 1024, sizeof *x);
  int status = agree(b->w->comm, x ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu numbers", largest));
  const int first = b->w->rank == 0;
  if (!status && first) {
    printf("bytes");
    for (int i = 0; i < WAYS; i++) printf(",%s ms", ways[i].name);
    puts("");
  }
  for (size_t n = 1 << 8; n <= largest && !status; n <<= 4) {
    const int count = (int)(n / (size_t)b->w->ranks) * b->w->ranks;
    if (first) printf("%zu", (size_t)count * sizeof *x);
    for (int way = 0; way < WAYS; way++) {
      double took[1000];
      for (long i = -1; i < b->steps; i++) {
        MPI_Barrier(b->w->comm);
        const double began = progress_clock();
        ways[way].sum(b->w->comm, count, x);
        if (i >= 0) took[i] = progress_clock() - began;
      }
      if (first) printf(",%.4f", 1e3 * median(took, (size_t)b->steps));
    }
    if (first) puts("");
  }
  free(x);
  return status;
}

/* --- what a simulation is told, and what it is checked against --------------------------------------------------------- */

enum { SMALL = 8 << 10, TURNS = 500, ROUNDS = 8, ADDED = 1 << 21 };
static const size_t room = (size_t)1 << 26;   /* bytes: more than a cache holds */

/* Seconds of a message from rank 0 to rank 1, and back at once where both ways, out of memory and into it, one piece after another, as
 * many at once as new weights are. The others look on. */
static double message(const struct world *w, char *x, int both) {
  const int sends = both || w->rank == 0, receives = both || w->rank == 1;
  MPI_Barrier(w->comm);
  const double began = progress_clock();
  for (int round = 0; round < ROUNDS && w->rank < 2 && w->ranks > 1; round++) {
    MPI_Request q[2 * OWNERS_SENDS];
    int n = 0;
    for (int k = 0; k < OWNERS_SENDS; k++) {
      char *at = x + (size_t)(round * OWNERS_SENDS + k) * OWNERS_PIECE % room;
      if (receives) MPI_Irecv(at + room, OWNERS_PIECE, MPI_BYTE, !w->rank, k, w->comm, &q[n++]);
      if (sends) MPI_Isend(at, OWNERS_PIECE, MPI_BYTE, !w->rank, k, w->comm, &q[n++]);
    }
    MPI_Waitall(n, q, MPI_STATUSES_IGNORE);
  }
  MPI_Barrier(w->comm);
  return (progress_clock() - began) / (ROUNDS * OWNERS_SENDS);
}

/* Seconds of a small one that nothing overlaps: there and back by turns. */
static double small_message(const struct world *w, char *x) {
  MPI_Barrier(w->comm);
  const double began = progress_clock();
  for (int turn = 0; turn < 2 * TURNS && w->rank < 2 && w->ranks > 1; turn++) {
    if (turn % 2 == w->rank) MPI_Send(x, SMALL, MPI_BYTE, !w->rank, 0, w->comm);
    else MPI_Recv(x, SMALL, MPI_BYTE, !w->rank, 0, w->comm, MPI_STATUS_IGNORE);
  }
  return (progress_clock() - began) / (2 * TURNS);
}

/* Seconds to add room to room, 8 MiB at a time. */
static double adding(char *x) {
  const double began = progress_clock();
  for (size_t k = 0; k < room; k += ADDED * sizeof(float)) add_numbers(ADDED, MPI_FLOAT, x + k, x + room + k);
  return progress_clock() - began;
}

struct way {
  struct net net;
  struct reduction reduction;
  struct owners owners;
  int sharded;
  void *gradient;   /* reals, or int64_t where those are summed */
  real *weights;
};

static int way_init(struct way *way, struct bench *b) {
  const struct net_config config = setup_net(&b->s);
  const struct reduction_config c = setup_reduction(&b->s, b->w->ranks);
  *way = (struct way){ .sharded = setup_sharded(&b->s, b->w->ranks) };
  int status = net_init(&way->net, &config, 0);
  if (!status) {
    const size_t numbers = way->net.table.size;
    setup_share(&way->net.table, &b->s, b->w->ranks);
    way->gradient = malloc(numbers * (c.integers ? sizeof(int64_t) : sizeof(real)));
    way->weights = malloc(numbers * sizeof *way->weights);
    if (!way->gradient || !way->weights) status = because(STATUS_NOMEM, "no memory for %zu numbers", numbers);
  }
  status = agree(b->w->comm, status);
  if (!status) status = reduction_init(&way->reduction, b->w, &way->net.table, &c);
  if (!status && way->sharded) status = owners_init(&way->owners, b->w, &way->net.table, c.bucket_bytes);
  return status;
}

static void way_free(struct way *way) {
  owners_free(&way->owners);
  reduction_free(&way->reduction);
  free(way->gradient), free(way->weights);
  net_free(&way->net);
}

/* Pages that were never written are one page, which a cache holds. */
static void write_all(struct way *way) {
  for (size_t i = 0; i < way->net.table.size; i++) {
    if (way->reduction.config.integers) ((int64_t *)way->gradient)[i] = 1;
    else ((real *)way->gradient)[i] = 1;
    way->weights[i] = 1;
  }
}

/* Seconds of one gradient, final at once, to where it goes; with owners, and of weights back. */
static double there_and_back(struct way *way, const struct world *w) {
  write_all(way);
  MPI_Barrier(w->comm);
  const double began = progress_clock();
  reduction_begin(&way->reduction, way->gradient);
  reduction_final(&way->reduction, 0);
  reduction_wait(&way->reduction);
  if (way->sharded) owners_begin(&way->owners, way->weights);
  if (way->sharded) owners_done(&way->owners);
  if (way->sharded) owners_finish(&way->owners);
  reduction_finish(&way->reduction);
  MPI_Barrier(w->comm);
  return progress_clock() - began;
}

/* By turns, as a shared machine changes its mind within seconds. */
static int print_messages(struct bench *b) {
  enum { BOTH, ONE, FEW, ADDS, NET, MEASURED };
  static double took[MEASURED][1000];
  const double GiB = 1 << 30;
  const size_t n = (size_t)b->steps;
  struct way way = { .sharded = 0 };
  char *x = malloc(2 * room);
  int status = agree(b->w->comm, x ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu bytes", 2 * room));
  if (!status) status = way_init(&way, b);
  if (!status) memset(x, 1, 2 * room);
  for (long i = -1; i < b->steps && !status; i++) {
    double now[MEASURED];
    now[BOTH] = message(b->w, x, 1);
    now[ONE] = message(b->w, x, 0);
    now[FEW] = small_message(b->w, x);
    now[ADDS] = adding(x);
    now[NET] = there_and_back(&way, b->w);
    for (int k = 0; k < MEASURED && i >= 0; k++) took[k][i] = now[k];
  }
  if (!status && b->w->rank == 0) {
    const double both = median(took[BOTH], n), one = median(took[ONE], n), few = median(took[FEW], n);
    if (b->w->ranks > 1)
      printf("# between ranks 0 and 1: %.2f GiB/s each way at once, %.2f one way alone, %.2f us before 8 KiB\n",
             OWNERS_PIECE / both / GiB, OWNERS_PIECE / one / GiB, 1e6 * (few - SMALL * one / OWNERS_PIECE));
    printf("# adding: %.2f GiB/s\n", (double)room / median(took[ADDS], n) / GiB);
    printf("# the net's %.1f MiB in %zu buckets%s: %.4f s\n", (double)(way.net.table.size * sizeof *way.weights) / (1 << 20),
           way.reduction.buckets.count, way.sharded ? " to their owners, and weights back" : "", median(took[NET], n));
  }
  way_free(&way);
  free(x);
  return status;
}

int bench_comm(struct bench *b) {
  const int status = print_ways(b);
  return status ? status : print_messages(b);
}
