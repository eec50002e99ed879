/* The test of MPI at the start finds nothing wrong here, and finds a library that is: each collective in turn is made to give
 * one wrong number on one rank, for one kind and one length. These functions stand before the library's, whose own are PMPI_*. */
#define HARNESS_MPI
#include "mpi/reduction.h"
#include "mpi/selftest.h"
#include "src/base/status.h"
#include "tests/harness.h"

static const char *broken = "";   /* the call that goes wrong, at this length and kind, on the last rank */
static int broken_count;
static MPI_Datatype broken_type;

static void spoil(const char *call, void *x, int n, MPI_Datatype type) {
  if (strcmp(call, broken) || n != broken_count || type != broken_type || world.rank != world.ranks - 1 || !x) return;
  if (type == MPI_FLOAT) ((float *)x)[n / 2] += 1;
  else if (type == MPI_DOUBLE) ((double *)x)[n / 2] += 1;
  else ((int64_t *)x)[n / 2] += 1;
}

int MPI_Allreduce(const void *from, void *to, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
  const int code = PMPI_Allreduce(from, to, n, type, op, comm);
  spoil(op == MPI_MAX ? "MPI_Allreduce (maximum)" : "MPI_Allreduce", to, n, type);
  return code;
}
int MPI_Bcast(void *x, int n, MPI_Datatype type, int root, MPI_Comm comm) {
  const int code = PMPI_Bcast(x, n, type, root, comm);
  spoil("MPI_Bcast", x, n, type);
  return code;
}
int MPI_Sendrecv(const void *x, int sent, MPI_Datatype type, int to, int tag, void *y, int n, MPI_Datatype type_y, int from,
                 int tag_y, MPI_Comm comm, MPI_Status *status) {
  const int code = PMPI_Sendrecv(x, sent, type, to, tag, y, n, type_y, from, tag_y, comm, status);
  spoil("MPI_Sendrecv", y, n, type_y);
  return code;
}
static int finished(const char *call, void *x, int n, MPI_Datatype type, MPI_Request *q) {
  if (strcmp(call, broken)) return MPI_SUCCESS;
  const int code = PMPI_Wait(q, MPI_STATUS_IGNORE);
  spoil(call, x, n, type);
  return code;
}
int MPI_Iallreduce(const void *from, void *to, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm, MPI_Request *q) {
  PMPI_Iallreduce(from, to, n, type, op, comm, q);
  return finished("MPI_Iallreduce", to, n, type, q);
}
/* What comes in is not there before it is waited for. */
static struct coming { MPI_Request *q; void *x; int n; MPI_Datatype type; } coming[64];
static size_t comings;
int MPI_Irecv(void *x, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *q) {
  coming[comings++ % 64] = (struct coming){ q, x, n, type };
  return PMPI_Irecv(x, n, type, from, tag, comm, q);
}
int MPI_Wait(MPI_Request *q, MPI_Status *status) {
  const int code = PMPI_Wait(q, status);
  for (struct coming *c = coming; c < coming + 64; c++) {
    if (c->q != q) continue;
    spoil("the sum in a tree of messages", c->x, c->n, c->type);
    c->q = NULL;
  }
  return code;
}
int MPI_Ibcast(void *x, int n, MPI_Datatype type, int root, MPI_Comm comm, MPI_Request *q) {
  PMPI_Ibcast(x, n, type, root, comm, q);
  return finished("MPI_Ibcast", x, n, type, q);
}

START_TEST(nothing_is_wrong_here) {
  broken = "";
  ck_assert_msg(selftest(world.comm, "all ranks") == STATUS_OK, "%s", status_reason());
  struct table t = { 0 };
  const size_t size = 100;
  table_add(&t, "vector", 1, &size, RULE_ADAM, INIT_ONE, 0, 0);
  for (int node = 1; node <= 2; node++) {
    struct reduction r;
    const struct reduction_config config = { REDUCTION_TWOLEVEL, 100, 0, 0, world.ranks % node ? 0 : node };
    ck_assert_int_eq(reduction_init(&r, &world, &t, &config), STATUS_OK);
    ck_assert_msg(reduction_test(&r) == STATUS_OK, "%s", status_reason());
    reduction_free(&r);
  }
  table_free(&t);
} END_TEST

START_TEST(a_wrong_number_is_found) {   /* in the first three of few and many, in the others of as many as a run has */
  static const char *const calls[] = { "MPI_Allreduce", "MPI_Allreduce (maximum)", "MPI_Bcast", "MPI_Sendrecv", "MPI_Iallreduce",
                                       "MPI_Ibcast", "the sum in a tree of messages" };
  const size_t of_messages = sizeof calls / sizeof *calls - 1;   /* which one rank alone has none of */
  const struct { int count; MPI_Datatype type; } what[] = { { 1023, MPI_FLOAT }, { 1, MPI_DOUBLE }, { 1 << 16, MPI_INT64_T },
                                                            { 100001, MPI_FLOAT }, { 100001, MPI_INT64_T } };
  for (size_t c = 0; c < of_messages + (world.ranks > 1); c++)
    for (int k = 0; k < 5; k++) {
      broken = calls[c], broken_count = what[k].count, broken_type = what[k].type;
      const int status = k < 3 ? selftest(world.comm, "all ranks") : selftest_large(world.comm, "all ranks", 100001, k == 4);
      const int named = strstr(status_reason(), calls[c]) != NULL && strstr(status_reason(), "gives wrong numbers") != NULL;
      broken = "";
      ck_assert_double_eq(worst_over_ranks(status != STATUS_BAD || !named), 0);
    }
} END_TEST

/* A library that goes wrong at the length of a run's largest bucket alone, in whatever communicator that travels. */
START_TEST(a_run_tries_its_largest_bucket) {
  static const char *const calls[] = { "MPI_Iallreduce", "MPI_Ibcast" };
  struct table t = { 0 };
  const size_t size = 3000, bucket = 500;
  table_add(&t, "vector", 1, &size, RULE_ADAM, INIT_ONE, 0, 0);
  for (int k = 0; k < 4; k++) {
    struct reduction r;
    char length[32];
    const enum reduction_way way = k % 2 ? REDUCTION_TWOLEVEL : REDUCTION_OVERLAP;
    const struct reduction_config config = { way, bucket * (k < 2 ? 4 : 8), 0, k > 1, 0 };
    ck_assert_int_eq(reduction_init(&r, &world, &t, &config), STATUS_OK);
    broken = calls[k % 2], broken_count = (int)r.largest, broken_type = k < 2 ? MPI_FLOAT : MPI_INT64_T;
    const int status = reduction_test(&r);
    snprintf(length, sizeof length, " of %zu %s ", r.largest, k < 2 ? "floats" : "64-bit integers");
    const int named = strstr(status_reason(), broken) && strstr(status_reason(), length);
    broken = "";
    reduction_free(&r);
    ck_assert_double_eq(worst_over_ranks(status != STATUS_BAD || !named), 0);
  }
  table_free(&t);
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "selftest", (const TTest *[]){ nothing_is_wrong_here, a_wrong_number_is_found,
                                                                a_run_tries_its_largest_bucket, NULL });
}
