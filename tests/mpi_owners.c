/* What an owner has computed reaches all ranks, part for part as it is asked for and whoever is slow, in hundreds of small copies
 * or a few large ones, and what a rank has yet to compute is not touched before. A part that another rank computed is seen. */
#include <limits.h>
#include <time.h>

#define HARNESS_MPI
#include "mpi/agree.h"
#include "mpi/owners.h"
#include "mpi/reduce.h"
#include "src/base/status.h"
#include "src/optim/share.h"
#include "tests/harness.h"

enum { TENSORS = 23, ROUNDS = 3 };
/* Bytes of a copy at least, elements at most. */
static const struct { size_t bytes, most; } cuts[] = { { 1, 7 }, { 1, INT_MAX }, { 3000, 1000 }, { 1 << 20, INT_MAX } };
enum { CUTS = sizeof cuts / sizeof *cuts };

static struct table new_table(int ranks) {
  struct table t = { 0 };
  for (size_t i = 0; i < TENSORS; i++) {
    const size_t shape[2] = { 1 + 7 * i % 11, i == 8 ? 30000 : 1 + i * i % 47 };   /* one is more than MPI sends without asking */
    table_add(&t, "tensor", 2, shape, i % 3 ? RULE_MUON : RULE_ADAM, INIT_ONE, 0, i % 5 == 4);
  }
  table_place_second(&t, 0);
  share_matrices(&t, ranks);
  return t;
}

static float value(int round, size_t i) { return (float)(i % 8191) + (float)round / 8; }

/* A tensor of this rank's becomes the round's; another's stays. */
static void compute_one(const struct tensor *n, int round, float *x) {
  for (size_t k = n->offset; n->owner == world.rank && k < n->offset + n->size; k++) x[k] = value(round, k);
}

/* This rank's part of x becomes the round's. */
static void compute(const struct table *t, int round, float *x) {
  for (size_t i = 0; i < t->count; i++) compute_one(&t->tensors[i], round, x);
}

/* Elements of [first, end) that are not the round's. */
static size_t others(const float *x, int round, size_t first, size_t end) {
  size_t n = 0;
  for (size_t i = first; i < end; i++) n += x[i] != value(round, i);
  return n;
}

/* Of all tensors; between them lies what is no one's. */
static size_t others_of_all(const struct table *t, const float *x, int round) {
  size_t n = 0;
  for (size_t i = 0; i < t->count; i++) n += others(x, round, t->tensors[i].offset, t->tensors[i].offset + t->tensors[i].size);
  return n;
}

/* Of what this rank computes, or before the first round has left at 0. */
static size_t others_of_mine(const struct table *t, const float *x, int round) {
  size_t n = 0;
  for (size_t i = 0; i < t->count; i++)
    for (size_t k = t->tensors[i].offset; t->tensors[i].owner == world.rank && k < t->tensors[i].offset + t->tensors[i].size; k++)
      n += x[k] != (round ? value(round, k) : 0);
  return n;
}

/* Ranks take turns at being late. */
static void late(int round) {
  if (world.rank == round % world.ranks) nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

START_TEST(what_is_asked_for_is_there) {
  struct table t = new_table(world.ranks);
  const size_t usual = reduce_limit;
  for (size_t cut = 0; cut < CUTS; cut++) {
    struct owners o;
    float *x = new_zeros(t.size);
    reduce_limit = cuts[cut].most;
    ck_assert_int_eq(owners_init(&o, &world, &t, cuts[cut].bytes), STATUS_OK);
    reduce_limit = usual;
    ck_assert(cut || o.buckets.count > 100);
    ck_assert_uint_eq(owners_left(&o), 0);
    for (int round = 1; round <= ROUNDS; round++) {
      late(round);
      owners_begin(&o, x);
      for (int i = 0; i < 3; i++) owners_progress(&o);
      ck_assert_uint_eq(others_of_mine(&t, x, round - 1), 0);
      compute(&t, round, x);
      owners_done(&o);
      for (size_t i = 0; i < t.count; i++) {
        const struct tensor *n = &t.tensors[round % 2 ? i : t.count - 1 - i];   /* in any order */
        owners_need(&o, n->offset, n->offset + n->size);
        ck_assert_uint_eq(others(x, round, n->offset, n->offset + n->size), 0);
        if (i % 4 == 0) owners_progress(&o);
      }
      owners_finish(&o);
      ck_assert_uint_eq(owners_left(&o), 0);
      ck_assert_uint_eq(others_of_all(&t, x, round), 0);
    }
    owners_begin(&o, x);   /* nobody waits: owners_free does */
    owners_done(&o);
    owners_free(&o);
    free(x);
  }
  table_free(&t);
} END_TEST

/* A rank that wants nothing but that the others' copies pass through it goes its own way at once. */
START_TEST(done_and_progress_do_not_wait) {
  struct table t = new_table(world.ranks);
  struct owners o;
  float *x = new_zeros(t.size);
  ck_assert_int_eq(owners_init(&o, &world, &t, 1), STATUS_OK);
  owners_begin(&o, x);
  const int last = world.rank == world.ranks - 1;
  if (!last) {
    compute(&t, 1, x);
    owners_done(&o);
    owners_progress(&o);
  }
  MPI_Barrier(world.comm);   /* were one of them to wait for the last rank, this would hang */
  if (last) compute(&t, 1, x), owners_done(&o);
  owners_finish(&o);
  ck_assert_uint_eq(others_of_all(&t, x, 1), 0);
  owners_free(&o);
  free(x);
  table_free(&t);
} END_TEST

/* What is ready reaches all while its owner computes the rest, of which nothing goes out. */
START_TEST(what_is_ready_does_not_wait_for_the_rest) {
  struct table t = new_table(world.ranks);
  struct owners o;
  float *x = new_zeros(t.size);
  ck_assert_int_eq(owners_init(&o, &world, &t, 1), STATUS_OK);
  for (int round = 1; round <= ROUNDS; round++) {
    size_t last = t.count;   /* this rank's last tensor: it comes later */
    owners_begin(&o, x);
    for (size_t i = 0; i < t.count; i++)
      if (t.tensors[i].owner == world.rank) last = i;
    for (size_t i = 0; i < last && last < t.count; i++) compute_one(&t.tensors[i], round, x);
    if (last < t.count) owners_ready(&o, t.tensors[last].offset);
    else owners_done(&o);
    for (size_t i = 0; i + 1 < t.count; i++) {
      const struct tensor *n = &t.tensors[i];
      if (t.tensors[i + 1].owner != n->owner) continue;
      while (n->owner != world.rank && others(x, round, n->offset, n->offset + n->size)) owners_progress(&o);
    }
    int seen = 0;
    MPI_Request all;
    MPI_Ibarrier(world.comm, &all);
    while (!seen) owners_progress(&o), MPI_Test(&all, &seen, MPI_STATUS_IGNORE);
    for (size_t i = 0; i < t.count; i++)   /* nobody has what is not ready */
      if ((i + 1 == t.count || t.tensors[i + 1].owner != t.tensors[i].owner) && t.tensors[i].owner != world.rank)
        ck_assert_uint_eq(others(x, round, t.tensors[i].offset, t.tensors[i].offset + t.tensors[i].size), t.tensors[i].size);
    MPI_Barrier(world.comm);
    if (last < t.count) compute_one(&t.tensors[last], round, x), owners_done(&o);
    owners_finish(&o);
    ck_assert_uint_eq(others_of_all(&t, x, round), 0);
  }
  owners_free(&o);
  free(x);
  table_free(&t);
} END_TEST

START_TEST(what_another_rank_computed_is_seen) {
  struct table t = new_table(world.ranks), wrong = table_copy(&t);
  struct owners o;
  float *x = new_zeros(t.size);
  for (size_t i = 0; i < t.count; i++) wrong.tensors[i].owner = (t.tensors[i].owner + 1) % world.ranks;
  ck_assert_int_eq(owners_init(&o, &world, &wrong, 1), STATUS_OK);
  compute(&t, 1, x);
  owners_begin(&o, x);
  owners_done(&o);
  owners_finish(&o);
  ck_assert_int_eq(agree_any(world.comm, others_of_all(&t, x, 1) > 0), world.ranks > 1);
  owners_free(&o);
  free(x);
  table_free(&t);
  table_free(&wrong);
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "owners",
                       (const TTest *[]){ what_is_asked_for_is_there, done_and_progress_do_not_wait,
                                          what_is_ready_does_not_wait_for_the_rest,
                                          what_another_rank_computed_is_seen, NULL });
}
