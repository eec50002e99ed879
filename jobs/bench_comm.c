/* Ways to sum a gradient over the ranks, what one message costs, how fast numbers are added, and the way of the net's own gradient and
 * weights with nothing to hide behind: what a simulation of more ranks is told (jobs/simulate.c), and what it is checked against. */
#include <stdio.h>
#include <stdlib.h>

#include "io/progress.h"
#include "jobs/bench.h"
#include "jobs/setup.h"
#include "mpi/add.h"
#include "mpi/agree.h"
#include "mpi/owners.h"
#include "mpi/reduce.h"
#include "src/base/status.h"
#include "src/net/net.h"
#include "src/optim/share.h"

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
      if (first) printf(",%.4f", 1e3 * bench_median(took, (size_t)b->steps));
    }
    if (first) puts("");
  }
  free(x);
  return status;
}

/* Seconds of a message between ranks 0 and 1, both ways at once as gradients travel, out of `room` bytes of memory and into as many,
 * one piece after another, so that large ones are not in a cache. The others look on. */
static double message(struct bench *b, char *x, size_t room, size_t bytes) {
  double took[1000];
  const int rank = b->w->rank, repeats = bytes < 1 << 16 ? 1000 : 40;
  for (long i = -1; i < b->steps; i++) {
    MPI_Barrier(b->w->comm);
    const double began = progress_clock();
    for (int k = 0; k < repeats && rank < 2 && b->w->ranks > 1; k++) {
      char *at = x + (size_t)k * bytes % room;
      MPI_Sendrecv(at, (int)bytes, MPI_BYTE, !rank, 0, at + room, (int)bytes, MPI_BYTE, !rank, 0, b->w->comm, MPI_STATUS_IGNORE);
    }
    if (i >= 0) took[i] = (progress_clock() - began) / repeats;
  }
  return bench_median(took, (size_t)b->steps);
}

/* Bytes a second that this rank adds to others, 8 MiB at a time. */
static double adding(struct bench *b, float *x, size_t n) {
  double took[1000];
  enum { PIECE = 1 << 21 };
  for (long i = -1; i < b->steps; i++) {
    const double began = progress_clock();
    for (size_t k = 0; k + PIECE <= n; k += PIECE) add_numbers(PIECE, MPI_FLOAT, x + k, x + n + k);
    if (i >= 0) took[i] = progress_clock() - began;
  }
  return (double)(n / PIECE * PIECE * sizeof *x) / bench_median(took, (size_t)b->steps);
}

/* The latency is that of fragments, not of empty messages: what 8 KiB take beyond their bytes. */
static int print_messages(struct bench *b) {
  enum { SMALL = 8 << 10, LARGE = 4 << 20 };
  const size_t n = (size_t)1 << 24;
  const double GiB = 1 << 30;
  float *x = calloc(2 * n, sizeof *x);
  const int status = agree(b->w->comm, x ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu numbers", 2 * n));
  if (!status) {
    char *bytes = (char *)x;
    const size_t room = n * sizeof *x;
    const double small = message(b, bytes, room, SMALL), large = message(b, bytes, room, LARGE);
    const double rate = (LARGE - SMALL) / (large - small), add = adding(b, x, n);
    if (b->w->rank == 0 && b->w->ranks > 1)
      printf("# between ranks 0 and 1: %.2f GiB/s each way at once, %.2f us before 8 KiB\n", rate / GiB, 1e6 * (small - SMALL / rate));
    if (b->w->rank == 0) printf("# adding: %.2f GiB/s\n", add / GiB);
  }
  free(x);
  return status;
}

struct way { struct net net; struct reduction reduction; struct owners owners; real *x; };

/* One gradient, final at once, to where it goes; with owners, weights back. */
static void there_and_back(struct way *w, int sharded) {
  reduction_begin(&w->reduction, w->x);
  reduction_final(&w->reduction, 0);
  reduction_wait(&w->reduction);
  if (sharded) owners_begin(&w->owners, w->x);
  if (sharded) owners_done(&w->owners);
  if (sharded) owners_finish(&w->owners);
  reduction_finish(&w->reduction);
}

/* The net's gradient and weights, as a step sends them. */
static int print_own_way(struct bench *b) {
  const struct net_config config = setup_net(&b->s);
  const struct reduction_config c = setup_reduction(&b->s, b->w->ranks);
  const int sharded = setup_sharded(&b->s, b->w->ranks);
  struct way w = { .x = NULL };
  double took[1000];
  int status = net_init(&w.net, &config, 0);
  if (!status) {
    share_matrices(&w.net.table, b->w->ranks);
    w.x = calloc(w.net.table.size * 2, sizeof *w.x);   /* room for integers */
    if (!w.x) status = because(STATUS_NOMEM, "no memory for %zu numbers", w.net.table.size);
  }
  status = agree(b->w->comm, status);
  if (!status) status = reduction_init(&w.reduction, b->w, &w.net.table, &c);
  if (!status && sharded) status = owners_init(&w.owners, b->w, &w.net.table, c.bucket_bytes);
  for (long i = -1; i < b->steps && !status; i++) {
    MPI_Barrier(b->w->comm);
    const double began = progress_clock();
    there_and_back(&w, sharded);
    MPI_Barrier(b->w->comm);
    if (i >= 0) took[i] = progress_clock() - began;
  }
  if (!status && b->w->rank == 0)
    printf("# the net's %.1f MiB in %zu buckets%s: %.4f s\n", (double)(w.net.table.size * sizeof *w.x) / (1 << 20),
           w.reduction.buckets.count, sharded ? " to their owners, and weights back" : "", bench_median(took, (size_t)b->steps));
  owners_free(&w.owners);
  reduction_free(&w.reduction);
  free(w.x);
  net_free(&w.net);
  return status;
}

int bench_comm(struct bench *b) {
  int status = print_ways(b);
  if (!status) status = print_messages(b);
  if (!status) status = print_own_way(b);
  return status;
}
