#include "mpi/selftest.h"

#include <stdint.h>
#include <stdlib.h>

#include "mpi/agree.h"
#include "mpi/climb.h"
#include "src/base/status.h"

enum { MOST = 1 << 16, AT_ONCE = 3 };
static const int counts[] = { 1, 1023, MOST };   /* libraries have other algorithms for other lengths */
enum { COUNTS = sizeof counts / sizeof *counts };

struct test {
  MPI_Comm comm;
  const char *where;
  int rank, ranks;
  char *x;           /* [2 AT_ONCE][MOST] of the widest: what is summed, and what comes in */
};

/* A kind of number. */
static const char *const kinds[] = { "floats", "doubles", "64-bit integers" };
enum { FLOATS, DOUBLES, INTEGERS, KINDS };
static MPI_Datatype type_of(int kind) { return kind == FLOATS ? MPI_FLOAT : kind == DOUBLES ? MPI_DOUBLE : MPI_INT64_T; }

/* Rank k has (i mod 97) + 3k in place i, and 2^40 more where that is exact. */
static int64_t value(int kind, int i, int rank) { return i % 97 + 3 * rank + (kind == INTEGERS ? (int64_t)1 << 40 : 0); }

static void put(int kind, char *x, int i, int64_t v) {
  if (kind == FLOATS) ((float *)(void *)x)[i] = (float)v;
  else if (kind == DOUBLES) ((double *)(void *)x)[i] = (double)v;
  else ((int64_t *)(void *)x)[i] = v;
}
static int is(int kind, const char *x, int i, int64_t v) {
  if (kind == FLOATS) return ((const float *)(const void *)x)[i] == (float)v;
  if (kind == DOUBLES) return ((const double *)(const void *)x)[i] == (double)v;
  return ((const int64_t *)(const void *)x)[i] == v;
}

enum call { ALLREDUCE, ALLREDUCE_MAX, BCAST, IALLREDUCE, IBCAST, CLIMB, CALLS };
static const char *const names[] = { "MPI_Allreduce", "MPI_Allreduce (maximum)", "MPI_Bcast", "MPI_Iallreduce", "MPI_Ibcast",
                                     "the sum in a tree of messages" };

static char *place(const struct test *t, int k) { return t->x + (size_t)k * MOST * sizeof(double); }

static void start(const struct test *t, enum call call, int kind, int n, int root, int tag, MPI_Request *q, struct climb *c) {
  const MPI_Datatype type = type_of(kind);
  char *x = place(t, tag);
  *q = MPI_REQUEST_NULL;
  switch (call) {
    case ALLREDUCE: MPI_Allreduce(MPI_IN_PLACE, x, n, type, MPI_SUM, t->comm); return;
    case ALLREDUCE_MAX: MPI_Allreduce(MPI_IN_PLACE, x, n, type, MPI_MAX, t->comm); return;
    case BCAST: MPI_Bcast(x, n, type, root, t->comm); return;
    case IALLREDUCE: MPI_Iallreduce(MPI_IN_PLACE, x, n, type, MPI_SUM, t->comm, q); return;
    case IBCAST: MPI_Ibcast(x, n, type, root, t->comm, q); return;
    default: climb_begin(c, t->comm, root, (root + 1) % t->ranks, n, type, tag, x, place(t, AT_ONCE + tag), q); return;
  }
}

/* What place i should hold; a rank that a sum is not for is not asked. */
static int64_t answer(const struct test *t, enum call call, int kind, int i, int root) {
  if (call == ALLREDUCE_MAX) return value(kind, i, t->ranks - 1);
  if (call == BCAST || call == IBCAST) return value(kind, i, root);
  int64_t sum = 0;
  for (int k = 0; k < t->ranks; k++) sum += value(kind, i, k);
  return sum;
}

/* Local outcome. */
static int try(const struct test *t, enum call call, int kind, int n, int root) {
  const int many = call < IALLREDUCE ? 1 : AT_ONCE;
  MPI_Request q[AT_ONCE];
  struct climb climbs[AT_ONCE];
  for (int k = 0; k < many; k++)
    for (int i = 0; i < n; i++) put(kind, place(t, k), i, value(kind, i, t->rank));
  for (int k = 0; k < many; k++) start(t, call, kind, n, root, k, &q[k], &climbs[k]);
  for (int k = 0; call == CLIMB && k < many; k++)
    while (q[k] != MPI_REQUEST_NULL) MPI_Wait(&q[k], MPI_STATUS_IGNORE), climb_on(&climbs[k], &q[k]);
  MPI_Waitall(many, q, MPI_STATUSES_IGNORE);
  int wrong = 0;
  for (int k = 0; k < many && !(call == CLIMB && t->rank != root); k++)
    for (int i = 0; i < n; i++) wrong += !is(kind, place(t, k), i, answer(t, call, kind, i, root));
  return wrong ? because(STATUS_BAD, "%s of %d %s over %s of %d ranks gives wrong numbers (%d of %d on rank %d): this MPI library"
                         " cannot be trusted with it", names[call], n, kinds[kind], t->where, t->ranks, wrong, many * n,
                         t->rank) : STATUS_OK;
}

int selftest(MPI_Comm comm, const char *where) {
  struct test t = { .comm = comm, .where = where };
  MPI_Comm_rank(comm, &t.rank);
  MPI_Comm_size(comm, &t.ranks);
  t.x = malloc(2 * (size_t)AT_ONCE * MOST * sizeof(double));
  int status = agree(comm, t.x ? STATUS_OK : because(STATUS_NOMEM, "no memory for a test of MPI"));
  if (status) {
    free(t.x);
    return status;
  }
  const int roots[] = { 0, t.ranks / 2, t.ranks - 1 };
  for (int call = 0; call < CALLS; call++)   /* all of them on every rank, whatever one finds */
    for (int kind = 0; kind < KINDS; kind++)
      for (int c = 0; c < COUNTS; c++)
        for (int r = 0; r < (call == BCAST || call >= IBCAST ? 3 : 1); r++) {
          const int found = try(&t, (enum call)call, kind, counts[c], roots[r]);
          if (found) status = found;
        }
  status = agree(comm, status);
  free(t.x);
  return status;
}
