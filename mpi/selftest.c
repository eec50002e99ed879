#include "mpi/selftest.h"

#include <stdint.h>
#include <stdlib.h>

#include "mpi/agree.h"
#include "mpi/climb.h"
#include "src/base/status.h"

enum { MOST = 1 << 16, AT_ONCE = 3, ROOTS = 3 };
static const int counts[] = { 1, 1023, MOST };   /* libraries have other algorithms for other lengths */
enum { COUNTS = sizeof counts / sizeof *counts };

struct test {
  MPI_Comm comm;
  const char *where;
  int rank, ranks, at_once;
  size_t room;       /* bytes of a place */
  char *x;           /* [2 at_once][room]: what is summed, and what comes in */
};

/* A kind of number. */
static const char *const kinds[] = { "floats", "doubles", "64-bit integers" };
enum { FLOATS, DOUBLES, INTEGERS, KINDS };
static MPI_Datatype type_of(int kind) { return kind == FLOATS ? MPI_FLOAT : kind == DOUBLES ? MPI_DOUBLE : MPI_INT64_T; }


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

enum call { ALLREDUCE, ALLREDUCE_MAX, BCAST, SENDRECV, IALLREDUCE, IBCAST, CLIMB, CALLS };
static const char *const names[] = { "MPI_Allreduce", "MPI_Allreduce (maximum)", "MPI_Bcast", "MPI_Sendrecv", "MPI_Iallreduce",
                                     "MPI_Ibcast", "the sum in a tree of messages" };

static int sums(enum call call) { return call == ALLREDUCE || call == IALLREDUCE || call == CLIMB; }

/* Rank k has (i mod 97) + 3k in place i, and 2^40 more where that is exact; k mod 61 in sums, so that floats hold those over
 * 60,000 ranks. */
enum { DIFFERENT = 61 };
static int64_t value(enum call call, int kind, int i, int rank) {
  return i % 97 + 3 * (int64_t)(sums(call) ? rank % DIFFERENT : rank) + (kind == INTEGERS ? (int64_t)1 << 40 : 0);
}

static char *place(const struct test *t, int k) { return t->x + (size_t)k * t->room; }
static char *coming(const struct test *t, int k) { return place(t, t->at_once + k); }
static int before(const struct test *t) { return (t->rank + t->ranks - 1) % t->ranks; }

static void start(const struct test *t, enum call call, int kind, int n, int root, int tag, MPI_Request *q, struct climb *c) {
  const MPI_Datatype type = type_of(kind);
  char *x = place(t, tag);
  *q = MPI_REQUEST_NULL;
  switch (call) {
    case ALLREDUCE: MPI_Allreduce(MPI_IN_PLACE, x, n, type, MPI_SUM, t->comm); return;
    case ALLREDUCE_MAX: MPI_Allreduce(MPI_IN_PLACE, x, n, type, MPI_MAX, t->comm); return;
    case BCAST: MPI_Bcast(x, n, type, root, t->comm); return;
    case SENDRECV: MPI_Sendrecv(x, n, type, (t->rank + 1) % t->ranks, 0, coming(t, 0), n, type, before(t), 0, t->comm,
                                MPI_STATUS_IGNORE); return;
    case IALLREDUCE: MPI_Iallreduce(MPI_IN_PLACE, x, n, type, MPI_SUM, t->comm, q); return;
    case IBCAST: MPI_Ibcast(x, n, type, root, t->comm, q); return;
    default: climb_begin(c, t->comm, root, (root + 1) % t->ranks, n, type, tag, x, coming(t, tag), q); return;
  }
}

/* What place i should hold; a rank that a sum is not for is not asked. */
static int64_t answer(const struct test *t, enum call call, int kind, int i, int root) {
  const int64_t whole = t->ranks / DIFFERENT, rest = t->ranks % DIFFERENT;
  if (call == ALLREDUCE_MAX) return value(call, kind, i, t->ranks - 1);
  if (call == BCAST || call == IBCAST) return value(call, kind, i, root);
  if (call == SENDRECV) return value(call, kind, i, before(t));
  return (int64_t)t->ranks * value(call, kind, i, 0) + 3 * (whole * (DIFFERENT * (DIFFERENT - 1) / 2) + rest * (rest - 1) / 2);
}

/* Local outcome. */
static int try(const struct test *t, enum call call, int kind, int n, int root) {
  const int many = call < IALLREDUCE ? 1 : t->at_once;
  MPI_Request q[AT_ONCE];
  struct climb climbs[AT_ONCE];
  for (int k = 0; k < many; k++)
    for (int i = 0; i < n; i++) put(kind, place(t, k), i, value(call, kind, i, t->rank));
  for (int k = 0; k < many; k++) start(t, call, kind, n, root, k, &q[k], &climbs[k]);
  for (int k = 0; call == CLIMB && k < many; k++)
    while (q[k] != MPI_REQUEST_NULL) MPI_Wait(&q[k], MPI_STATUS_IGNORE), climb_on(&climbs[k], &q[k]);
  MPI_Waitall(many, q, MPI_STATUSES_IGNORE);
  int wrong = 0;
  for (int k = 0; k < many && !(call == CLIMB && t->rank != root); k++)
    for (int i = 0; i < n; i++)
      wrong += !is(kind, call == SENDRECV ? coming(t, k) : place(t, k), i, answer(t, call, kind, i, root));
  return wrong ? because(STATUS_BAD, "%s of %d %s over %s of %d ranks gives wrong numbers (%d of %d on rank %d): this MPI library"
                         " cannot be trusted with it", names[call], n, kinds[kind], t->where, t->ranks, wrong, many * n,
                         t->rank) : STATUS_OK;
}

/* Every call. Local outcome; all of them on every rank, whatever one finds. */
static int try_all(const struct test *t, int kind, int n, int roots) {
  const int root[ROOTS] = { t->ranks - 1, 0, t->ranks / 2 };
  int status = STATUS_OK;
  for (int call = 0; call < CALLS; call++)
    for (int r = 0; r < (call == BCAST || call >= IBCAST ? roots : 1); r++) {
      const int found = try(t, (enum call)call, kind, n, root[r]);
      if (found) status = found;
    }
  return status;
}

/* COLLECTIVE. Errors: STATUS_NOMEM. */
static int begin(struct test *t, MPI_Comm comm, const char *where, size_t room, int at_once) {
  *t = (struct test){ .comm = comm, .where = where, .at_once = at_once, .room = room };
  MPI_Comm_rank(comm, &t->rank);
  MPI_Comm_size(comm, &t->ranks);
  t->x = malloc(2 * (size_t)at_once * room);
  const int status = agree(comm, t->x ? STATUS_OK : because(STATUS_NOMEM, "no memory for a test of MPI"));
  if (status) free(t->x);
  return status;
}

/* COLLECTIVE. */
static int end(struct test *t, int status) {
  free(t->x);
  return agree(t->comm, status);
}

int selftest(MPI_Comm comm, const char *where) {
  struct test t;
  int status = begin(&t, comm, where, MOST * sizeof(double), AT_ONCE);
  if (status) return status;
  for (int kind = 0; kind < KINDS; kind++)
    for (int c = 0; c < COUNTS; c++) {
      const int found = try_all(&t, kind, counts[c], ROOTS);
      if (found) status = found;
    }
  return end(&t, status);
}

int selftest_large(MPI_Comm comm, const char *where, int n, int integers) {
  struct test t;
  const int status = begin(&t, comm, where, (size_t)n * (integers ? sizeof(int64_t) : sizeof(float)), 1);
  return status ? status : end(&t, try_all(&t, integers ? INTEGERS : FLOATS, n, 1));
}
