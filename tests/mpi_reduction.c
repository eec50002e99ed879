/* However a gradient travels, what arrives is the sum: each way against MPI_Allreduce of the whole, for buckets of many sizes,
 * with owners and without, in floats and in whole numbers, on nodes of one rank and of several, started in pieces, all at
 * once or not at all, and under any limit of counts. Buckets hold every element once. A bucket left out and one that
 * goes to another owner are seen. What ranks waited is told of all of them: mean, median and most. */
#include <time.h>

#define HARNESS_MPI
#include "jobs/travel.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/reduction.h"
#include "src/base/status.h"
#include "src/optim/share.h"
#include "tests/harness.h"

enum { TENSORS = 23 };
static const size_t bucket_bytes[] = { 1, 256, 3000, 20000, 1 << 20 };
enum { SIZES = sizeof bucket_bytes / sizeof *bucket_bytes };

/* Tensors of all sizes, matrices among them, shared out over `ranks`. */
static struct table new_table(int ranks) {
  struct table t = { 0 };
  for (size_t i = 0; i < TENSORS; i++) {
    const size_t shape[2] = { 1 + 7 * i % 11, 1 + i * i % 47 };
    table_add(&t, "tensor", 2, shape, i % 3 ? RULE_MUON : RULE_ADAM, INIT_ONE, 0, i % 5 == 4);
  }
  table_place_second(&t, 0);
  share_matrices(&t, ranks);
  return t;
}

START_TEST(buckets_hold_every_element_once) {
  const size_t usual = reduce_limit, limits[] = { 1, 50, usual };
  for (int ranks = 1; ranks < 9; ranks += 2)
    for (int by_owner = 0; by_owner < 2; by_owner++)
      for (size_t i = 0; i < SIZES * 3; i++) {
        struct table t = new_table(ranks);
        struct buckets b;
        reduce_limit = limits[i / SIZES];
        ck_assert_int_eq(buckets_cut(&b, &t, bucket_bytes[i % SIZES] / 4, SIZE_MAX, by_owner), STATUS_OK);
        size_t end = t.size;
        for (size_t k = 0; k < b.count; k++) {
          const struct bucket *x = &b.list[k];
          ck_assert_uint_eq(x->first + x->count, end);
          ck_assert(x->count > 0 && x->count <= reduce_limit);
          for (size_t j = 0; j < t.count && by_owner; j++)
            if (t.tensors[j].offset < end && t.tensors[j].offset + t.tensors[j].size > x->first)
              ck_assert_int_eq(t.tensors[j].owner, (int)x->owner);
          ck_assert(by_owner || x->owner == BUCKET_FOR_ALL);
          end = x->first;
        }
        ck_assert_uint_eq(end, 0);
        ck_assert(buckets_same(world.comm, &b));
        if (world.rank == world.ranks - 1) b.list[0].count++;
        ck_assert_int_eq(buckets_same(world.comm, &b), world.ranks == 1);
        buckets_free(&b);
        table_free(&t);
      }
  reduce_limit = usual;
} END_TEST

/* --- one sum ----------------------------------------------------------------------------------------------------------- */

enum fault { NO_FAULT, LEFT_OUT, OTHER_OWNER };
/* How the pass backward announces what is final. */
enum announcements { IN_PIECES, AT_ONCE, NEVER, ANNOUNCEMENTS };

struct sum {
  struct reduction_config config;
  enum announcements announced;
  enum fault fault;
  int whole;    /* numbers that add up exactly */
};

static float value(const struct sum *s, size_t i, int rank) {
  if (s->whole) return (float)((i * 7 + (size_t)rank * 13) % 1000);
  return sinf((float)i * 0.37f + (float)rank);
}

/* The array of a rank's own values, of the sum's kind. */
static void fill(const struct sum *s, size_t n, void *x) {
  for (size_t i = 0; i < n; i++)
    if (s->config.integers) ((int64_t *)x)[i] = (int64_t)1 << 40 | (int64_t)value(s, i, world.rank);
    else ((float *)x)[i] = value(s, i, world.rank);
}

static void announce(const struct sum *s, struct reduction *r, size_t n) {
  for (size_t at = n; at > 0 && s->announced == IN_PIECES; at -= at < 97 ? at : 97) {
    reduction_final(r, at);
    reduction_progress(r);
    ck_assert_uint_le(reduction_in_flight(r), r->places);
  }
  if (s->announced != NEVER) reduction_final(r, 0);
}

/* COLLECTIVE. The worst error, over the ranks and what is theirs, of sums in a row with one reduction. */
static double error_of(const struct sum *s) {
  struct table t = new_table(world.ranks);
  struct reduction r;
  const size_t n = t.size, width = s->config.integers ? sizeof(int64_t) : sizeof(float);
  char *x = calloc(n, width), *y = calloc(n, width);
  double error = 0;
  ck_assert(x && y);
  if (s->fault == OTHER_OWNER) t.tensors[0].owner = (t.tensors[0].owner + 1) % world.ranks;
  ck_assert_msg(reduction_init(&r, &world, &t, &s->config) == STATUS_OK, "%s", status_reason());
  if (s->fault == OTHER_OWNER) t.tensors[0].owner = (t.tensors[0].owner + world.ranks - 1) % world.ranks;
  if (s->fault == LEFT_OUT) r.buckets.count--;
  for (int again = 0; again < 2; again++) {
    fill(s, n, x);
    fill(s, n, y);
    if (s->config.integers) reduce_sum_integer(world.comm, n, (int64_t *)(void *)y);
    else reduce_sum(world.comm, n, (float *)(void *)y);
    reduction_begin(&r, x);
    announce(s, &r, n);
    if (world.rank % 2) nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    reduction_wait(&r);
    MPI_Barrier(world.comm);   /* as a step does: no rank may come here before it has begun what others wait for */
    for (size_t k = 0; k < t.count; k++) {
      const struct tensor *v = &t.tensors[k];
      if (s->config.by_owner && s->config.way != REDUCTION_PLAIN && v->owner != world.rank) continue;
      for (size_t i = v->offset; i < v->offset + v->size; i++)
        error = fmax(error, s->config.integers ? (double)llabs(((int64_t *)x)[i] - ((int64_t *)y)[i])
                                               : fabs((double)((float *)x)[i] - (double)((float *)y)[i]));
    }
    reduction_finish(&r);
    if (!s->config.by_owner && !s->fault && !agree_same(world.comm, x, n * width)) error = INFINITY;
  }
  const struct reduction_figures f = r.figures;
  const size_t bytes = world.ranks > 1 ? 2 * n * width : 0;
  if (f.bytes != (double)bytes || f.exposed > f.total + f.progress + 1e-3 || !(f.total >= 0)) error = INFINITY;
  reduction_free(&r);
  table_free(&t);
  free(x), free(y);
  return worst_over_ranks(error);
}

/* Nodes of one rank, of two where that comes out even, and all ranks on one (0: as it is here). */
static int next_node(int node) { return node == 0 ? 1 : node == 1 && world.ranks % 2 == 0 ? 2 : -1; }

START_TEST(every_way_gives_the_sum) {
  struct sum s = { .announced = IN_PIECES };
  for (int way = REDUCTION_PLAIN; way <= REDUCTION_TWOLEVEL; way++)
    for (int node = 0; node >= 0; node = way == REDUCTION_TWOLEVEL ? next_node(node) : -1)
      for (int by_owner = 0; by_owner < 2; by_owner++)
        for (int kind = 0; kind < 3; kind++)   /* floats, whole floats, integers */
          for (size_t i = 0; i < SIZES; i++) {
            s.config = (struct reduction_config){ (enum reduction_way)way, bucket_bytes[i], by_owner, kind == 2, node };
            s.whole = kind > 0;
            const double error = error_of(&s), limit = kind ? 0 : world.ranks * 1e-6;
            ck_assert_msg(error <= limit, "way %d, nodes of %d, owners %d, kind %d, buckets of %zu bytes: %g", way, node,
                          by_owner, kind, bucket_bytes[i], error);
          }
} END_TEST

START_TEST(however_it_is_announced_and_whatever_a_count_may_be) {
  const size_t usual = reduce_limit, limits[] = { 1, 50, usual };
  for (int announced = 0; announced < ANNOUNCEMENTS; announced++)
    for (size_t limit = announced ? 1 : 0; limit < 3; limit++)
      for (int by_owner = 0; by_owner < 2; by_owner++) {
        const struct sum s = { { REDUCTION_OVERLAP, 1000, by_owner, 1, 0 }, (enum announcements)announced, NO_FAULT, 1 };
        reduce_limit = limits[limit];
        ck_assert_double_eq(error_of(&s), 0);
      }
  reduce_limit = usual;
} END_TEST

START_TEST(faults_are_seen) {
  for (int way = REDUCTION_OVERLAP; way <= REDUCTION_TWOLEVEL; way++)
    for (int fault = LEFT_OUT; fault <= OTHER_OWNER; fault++) {
      const struct sum s = { { (enum reduction_way)way, 1000, fault == OTHER_OWNER, 1, 0 }, IN_PIECES, (enum fault)fault, 1 };
      if (world.ranks > 1) ck_assert_msg(error_of(&s) > 0, "way %d, fault %d", way, fault);
    }
} END_TEST

START_TEST(a_sum_that_nobody_waits_for_is_no_trouble) {
  struct table t = new_table(world.ranks);
  float *x = calloc(t.size, sizeof *x);
  for (int way = REDUCTION_PLAIN; way <= REDUCTION_TWOLEVEL; way++) {
    struct reduction r;
    ck_assert_int_eq(reduction_init(&r, &world, &t, &(struct reduction_config){ (enum reduction_way)way, 500, 0, 0, 0 }), 0);
    reduction_begin(&r, x);
    if (world.rank == 0) reduction_final(&r, t.size / 2);
    reduction_finish(&r);
    reduction_finish(&r);
    reduction_begin(&r, x);
    reduction_free(&r);
  }
  free(x);
  table_free(&t);
} END_TEST

START_TEST(unequal_nodes_and_unequal_tables_are_refused) {
  struct table t = new_table(world.ranks);
  struct reduction r;
  const struct reduction_config config = { REDUCTION_TWOLEVEL, 500, 0, 0, world.ranks - 1 };
  if (world.ranks > 2) {
    ck_assert_int_eq(reduction_init(&r, &world, &t, &config), STATUS_BAD);
    ck_assert(strstr(status_reason(), "expected as many on each") != NULL);
    reduction_free(&r);
  }
  if (world.rank == 0) t.tensors[TENSORS - 1].size++, t.size++;
  const int status = reduction_init(&r, &world, &t, &(struct reduction_config){ REDUCTION_OVERLAP, 500, 0, 0, 0 });
  ck_assert_int_eq(status, world.ranks > 1 ? STATUS_BAD : STATUS_OK);
  reduction_free(&r);
  table_free(&t);
} END_TEST

/* Ranks that waited R^2, .., 9, 4, 1 seconds a step; all else is the rank's own. */
START_TEST(waiting_is_told_of_all_ranks) {
  const double R = world.ranks, mine = pow(R - world.rank, 2);
  struct reduction_figures f = { .total = 30 + world.rank, .progress = 6, .calls = 9, .bytes = 12 };
  struct travel t;
  ck_assert_int_eq(travel_init(&world, &t), STATUS_OK);
  for (int again = 0; again < 2; again++) {
    f.exposed = 3 * mine;
    travel_take(&world, &f, 3, &t);
  }
  const double low = floor((R + 1) / 2), high = ceil((R + 1) / 2);
  double error = world.rank ? 0 : fabs(t.exposed_mean - (R + 1) * (2 * R + 1) / 6) + fabs(t.exposed_most - R * R)
                                  + fabs(t.exposed_median - (low * low + high * high) / 2);
  error += fabs(t.here.exposed - mine);
  travel_free(&t);
  ck_assert_double_lt(worst_over_ranks(error), 1e-12);
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "reduction",
                       (const TTest *[]){ buckets_hold_every_element_once, every_way_gives_the_sum,
                                          however_it_is_announced_and_whatever_a_count_may_be, faults_are_seen,
                                          a_sum_that_nobody_waits_for_is_no_trouble,
                                          unequal_nodes_and_unequal_tables_are_refused, waiting_is_told_of_all_ranks, NULL });
}
