/* Newton-Schulz of one matrix on several ranks: whatever its form and however many help, it is the matrix that one rank alone would make;
 * a matrix of few flops is left to its owner; a whole training with helpers has the weights of one without, on every rank the same. */
#define HARNESS_MPI
#include "jobs/state.h"
#include "mpi/agree.h"
#include "mpi/crew.h"
#include "mpi/replicas.h"
#include "src/optim/muon.h"
#include "src/optim/newton_schulz.h"
#include "src/optim/optimizer.h"
#include "src/optim/share.h"
#include "tests/harness.h"
#include "tests/tiny.h"

enum { STEPS = 5 };

static struct table matrices_of(size_t count, size_t out, size_t in) {
  struct table t = { 0 };
  const size_t shape[2] = { out, in };
  for (size_t i = 0; i < count; i++) table_add(&t, "matrix", 2, shape, RULE_MUON, INIT_NORMAL, 1, 0);
  table_place_second(&t, 0);
  return t;
}

/* Of Frobenius norm 1. */
static real *drawn(uint32_t which, size_t n) {
  real *X = new_normal(which, n);
  double square = 0;
  for (size_t i = 0; i < n; i++) square += (double)X[i] * (double)X[i];
  for (size_t i = 0; i < n; i++) X[i] /= (real)sqrt(square);
  return X;
}

static int breaths;
static void breathe(void *context) { ++*(int *)context; }

/* COLLECTIVE. The largest difference on any owner from what it would have made alone, of such matrices; *c as it was. */
static double apart(const struct table *t, struct crew *c) {
  const size_t out = t->tensors->shape[0], in = t->tensors->shape[1];
  double worst = 0;
  real *work = new_zeros(muon_work(out, in));
  crew_init(c, &world, t);
  const struct crew was = *c;
  for (size_t i = 0; i < t->count; i++) {
    if (t->tensors[i].owner != world.rank) continue;
    real *X = drawn((uint32_t)i, out * in), *alone_made = drawn((uint32_t)i, out * in);
    crew_newton_schulz(c, out, in, X, work, breathe, &breaths);
    muon_newton_schulz(out, in, alone_made, work, NULL, NULL);
    for (size_t k = 0; k < out * in; k++) worst = fmax(worst, fabs((double)X[k] - (double)alone_made[k]));
    free(X), free(alone_made);
  }
  crew_help(c, t, work, breathe, &breaths);
  crew_free(c);
  *c = was;
  free(work);
  return worst_over_ranks(worst);
}

/* An owner for each matrix while there are ranks; all help, the first owner those who are left. */
static void give_crews(struct table *t) {
  const int count = (int)t->count, each = world.ranks / count;
  for (int i = 0; i < count; i++) {
    t->tensors[i].owner = i < world.ranks ? i : world.ranks - 1;
    t->tensors[i].crew = each < 2 ? 1 : each + (i ? 0 : world.ranks % count);
  }
}

START_TEST(a_matrix_is_the_same_whoever_helps) {
  static const size_t form[][2] = { { 48, 48 }, { 16, 80 }, { 80, 16 }, { 37, 61 }, { 61, 37 }, { 9, 3 }, { 1, 9 }, { 4, 8 } };
  for (size_t i = 0; i < sizeof form / sizeof *form; i++)
    for (size_t count = 1; count <= 3; count++) {
      struct table t = matrices_of(count, form[i][0], form[i][1]);
      struct crew c;
      breaths = 0;
      give_crews(&t);
      const double worst = apart(&t, &c);
      ck_assert_msg(worst < 2e-5, "%zu x %zu, %zu matrices: %g", form[i][0], form[i][1], count, worst);
      const int helped = t.tensors->crew > 1, owner = (size_t)world.rank < count;
      ck_assert(!agree_any(world.comm, helped && c.size != t.tensors[c.owner].crew));
      ck_assert(!agree_any(world.comm, owner ? c.owner != world.rank || c.place : helped != (c.place > 0)));
      ck_assert_int_eq(agree_any(world.comm, breaths > 0 && !owner), helped);   /* those who help */
      table_free(&t);
    }
} END_TEST

START_TEST(a_small_matrix_is_its_owners_alone) {
  struct table t = matrices_of(1, 37, 61);
  struct crew c;
  breaths = 0;
  share_crews(&t, world.ranks);
  ck_assert_double_eq(apart(&t, &c), 0);   /* the same bits */
  ck_assert_int_eq(c.size, 1);
  ck_assert(!agree_any(world.comm, breaths != (world.rank == 0 ? 3 * NEWTON_SCHULZ_STEPS - 1 : 0)));   /* who moves others' messages on meanwhile */
  table_free(&t);
} END_TEST

START_TEST(a_crew_tries_its_calls) {
  struct table t = matrices_of(1, 8, 8);
  struct crew c;
  share_least = 0;
  share_crews(&t, world.ranks);
  share_least = 1e9;
  crew_init(&c, &world, &t);
  ck_assert_int_eq(c.size, world.ranks);
  ck_assert(!agree_any(world.comm, crew_test(&c) != STATUS_OK));
  crew_free(&c);
  table_free(&t);
} END_TEST

/* COLLECTIVE over w. A state after STEPS steps. */
static void train(const struct world *w, struct net *net, struct state *state) {
  struct settings s = tiny_settings();
  struct arena scratch = { 0 };
  const struct optimizer o = setup_optimizer(&s);
  s.training.shard = w->ranks > 1 ? SHARD_ON : SHARD_OFF;
  tiny_net(net, &s);
  setup_share(&net->table, &s, w->ranks);
  tiny_must(state_init(w, state, net, &s));
  scratch.used = optimizer_work(&o, &net->table);
  tiny_must(arena_init(&scratch));
  for (uint32_t k = 1; k <= STEPS; k++) {
    real *g = new_normal(k, net->table.size);
    state_step(w, state, net, &s, 0.01, g, scratch.base);
    free(g);
  }
  arena_free(&scratch);
}

START_TEST(a_training_with_helpers_has_the_weights_of_one_without) {
  struct net net[2];
  struct state state[2];
  double worst = 0;
  if (world.ranks < 4) return;   /* an owner with a crew has one matrix, and others own the rest */
  train(&alone, &net[0], &state[0]);
  share_least = 0, share_lead = 1e9;   /* the first tensors are to be so early that they have crews on few ranks */
  train(&world, &net[1], &state[1]);
  share_least = 1e9, share_lead = 1.0 / 30;
  const int crews = agree_any(world.comm, state[1].crew.place > 0);
  tiny_must(replicas_check(world.comm, &net[1].table, state[1].weights));
  for (size_t i = 0; i < net[0].table.size; i++)
    worst = fmax(worst, fabs((double)state[0].weights[i] - (double)state[1].weights[i]));
  for (int i = 0; i < 2; i++) state_free(&state[i]), net_free(&net[i]);
  ck_assert(crews);
  worst = worst_over_ranks(worst);
  ck_assert_msg(worst > 0 && worst < 1e-5, "%g", worst);   /* not the same bits, or nobody helped */
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "crew",
                       (const TTest *[]){ a_matrix_is_the_same_whoever_helps, a_small_matrix_is_its_owners_alone, a_crew_tries_its_calls,
                                          a_training_with_helpers_has_the_weights_of_one_without, NULL });
}
