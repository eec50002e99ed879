/* Newton-Schulz shared over ranks: on any number of them, with more of them than matrices too, the weights, moments and
 * averages are bit for bit those of one rank alone; each rank does its own matrices and no others; the parts are as even as
 * cuts of the table can be. Beside it: an owner that does nothing, a tensor that is not handed out, and one that comes from
 * the wrong rank are seen. So it is where owners alone have moments and averages, which are gathered on demand; what they take
 * falls with the number of ranks. */
#define HARNESS_MPI
#include "jobs/state.h"
#include "mpi/agree.h"
#include "mpi/owners.h"
#include "src/optim/muon.h"
#include "src/optim/optimizer.h"
#include "src/optim/share.h"
#include "tests/harness.h"
#include "tests/tiny.h"

enum { STEPS = 10 };

/* COLLECTIVE over all processes. The first `ranks` of them as a world of their own; nothing in it for the others. */
static struct world first_ranks(int ranks) {
  struct world w = { .rank = world.rank, .ranks = ranks };
  MPI_Comm_split(world.comm, world.rank < ranks ? 0 : MPI_UNDEFINED, world.rank, &w.comm);
  return w;
}
static void end_of(struct world *w) {
  if (w->comm != MPI_COMM_NULL) MPI_Comm_free(&w->comm);
}

/* COLLECTIVE over w. A state after STEPS steps with drawn gradients, equal on all ranks. */
static void train(const struct world *w, const struct settings *s, struct net *net, struct state *state) {
  struct arena scratch = { 0 };
  const struct optimizer o = setup_optimizer(s);
  tiny_net(net, s);
  share_matrices(&net->table, w->ranks);
  tiny_must(state_init(w, state, net, s));
  scratch.used = optimizer_work(&o, &net->table);
  tiny_must(arena_init(&scratch));
  for (uint32_t k = 1; k <= STEPS; k++) {
    real *g = new_normal(k, net->table.size);
    state_step(w, state, net, s, 0.01, g, scratch.base);
    free(g);
  }
  arena_free(&scratch);
}

/* How many of the arrays differ, of all that is here of a's; b has them whole. */
static int differences(const struct state *a, const struct state *b) {
  int found = a->step != b->step || a->images_seen != b->images_seen || a->n_flats != b->n_flats;
  for (size_t i = 0; i < a->n_flats; i++) {
    const struct flat *x = &a->flats[i], *y = &b->flats[i];
    found += x->size != y->count || memcmp(x->data, y->data + x->first, x->count * sizeof(real)) != 0;
  }
  return found;
}

START_TEST(any_ranks_give_the_bits_of_one_alone) {
  for (int way = 0; way < 4; way++)
    for (int ranks = 1; ranks <= world.ranks; ranks++) {
      struct settings s = tiny_settings();
      struct net net[2];
      struct state state[2];
      double wrong = 0;
      s.training.optimizer = way % 2 ? OPTIMIZER_ADAMW : OPTIMIZER_MUON;
      s.training.shard = way < 2 ? SHARD_OFF : SHARD_ON;
      struct world some = first_ranks(ranks);
      if (world.rank < ranks) {
        train(&alone, &s, &net[0], &state[0]);
        train(&some, &s, &net[1], &state[1]);
        wrong = differences(&state[1], &state[0]);
        real *room = new_zeros(net[0].table.size);
        const real *whole = state_whole(&some, &state[1], &net[1], "ema2", room);
        wrong += !whole || memcmp(whole, state[0].ema[1], net[0].table.size * sizeof *room) != 0;
        free(room);
        for (int i = 0; i < 2; i++) state_free(&state[i]), net_free(&net[i]);
      }
      end_of(&some);
      ck_assert_double_eq(worst_over_ranks(wrong), 0);
    }
} END_TEST

/* The owners' pieces are the whole, and as even as the flops by which they are cut, and the few tensors without, allow. */
START_TEST(memory_falls_with_the_ranks) {
  struct settings s = tiny_settings();
  struct net net;
  s.model.depth = 24;
  tiny_net(&net, &s);
  const struct state_size one = state_count(&net, &s, 1);
  size_t uneven = 0;   /* four arrays of what has no flops, and two matrices more */
  for (size_t i = 0; i < net.table.count; i++)
    if (net.table.tensors[i].rule == RULE_ADAM) uneven += 4 * (net.table.tensors[i].size + ARENA_ALIGN);
  uneven += 2 * 4 * 3 * 16 * 16;
  ck_assert_uint_lt(uneven, (one.moments + one.emas) / 4);
  for (int ranks = 2; ranks <= 8; ranks *= 2) {
    const struct state_size part = state_count(&net, &s, ranks);
    size_t flat = 0, second = 0;
    share_matrices(&net.table, ranks);
    for (int k = 0; k < ranks; k++) {
      ck_assert_uint_eq(share_flat(&net.table, k).first, flat);
      ck_assert_uint_eq(share_second(&net.table, k).first, second);
      flat += share_flat(&net.table, k).count;
      second += share_second(&net.table, k).count;
    }
    ck_assert_uint_eq(flat, net.table.size);
    ck_assert_uint_eq(second, net.table.second_size);
    ck_assert_uint_eq(part.weights, one.weights);
    ck_assert_uint_eq(part.all, part.weights + part.moments + part.emas);
    ck_assert_uint_lt(part.moments + part.emas, (one.moments + one.emas) / (size_t)ranks + uneven);
    s.training.shard = SHARD_OFF;
    ck_assert_uint_eq(state_count(&net, &s, ranks).all, one.all);
    s.training.shard = SHARD_AUTO;
  }
  net_free(&net);
} END_TEST

/* Tables of few tensors, matrices of all forms among vectors. */
static struct table small_table(size_t matrices, uint32_t which) {
  struct table t = { 0 };
  uint32_t bits[24];
  random_bits((struct purpose){ .seed = 2, .stream = STREAM_TEST, .sample = which }, 24, bits);
  for (size_t i = 0; i < matrices; i++) {
    const size_t vector = 1 + bits[i] % 9, shape[2] = { 1 + bits[8 + i] % 40, 1 + bits[16 + i] % 40 };
    if (bits[i] & 256) table_add(&t, "vector", 1, &vector, RULE_ADAM, INIT_ONE, 0, 0);
    table_add(&t, "matrix", 2, shape, RULE_MUON, INIT_NORMAL, 1, bits[i] & 512 && t.count);
  }
  table_place_second(&t, 0);
  return t;
}

/* Where the shared optimizer is made to go wrong, at the table's first matrix. */
enum fault { NO_FAULT, NOBODY_DOES_IT, NOT_HANDED_OUT, FROM_ANOTHER_RANK };

/* COLLECTIVE over w. w[size] after STEPS steps. */
static real *weights_after(const struct world *w, const struct table *table, enum fault fault) {
  struct table steps = table_copy(table), out = table_copy(table);
  share_matrices(&steps, w->ranks);
  share_matrices(&out, w->ranks);
  size_t hit = 0;
  while (table->tensors[hit].rule != RULE_MUON) hit++;
  const struct tensor *n = &table->tensors[hit];
  if (fault == NOBODY_DOES_IT) steps.tensors[hit].owner = w->ranks;
  if (fault == FROM_ANOTHER_RANK) out.tensors[hit].owner = (out.tensors[hit].owner + 1) % w->ranks;

  const struct optimizer o = { .b2 = 0.95, .rank = w->rank };
  real *x = new_zeros(table->size), *m = new_zeros(table->size), *s = new_zeros(table->second_size);
  real *work = new_zeros(optimizer_work(&o, table)), *before = new_zeros(table->size);
  table_init_weights(table, 1, x);
  for (uint32_t k = 1; k <= STEPS; k++) {
    real *g = new_normal(k, table->size);
    optimizer_step(&o, &steps, k, 0.01, g, m, s, x, work);
    memcpy(before, x, table->size * sizeof *x);
    owners_spread(w->comm, &out, x);
    if (fault == NOT_HANDED_OUT) memcpy(x + n->offset, before + n->offset, n->size * sizeof *x);
    free(g);
  }
  free(m), free(s), free(work), free(before);
  table_free(&steps);
  table_free(&out);
  return x;
}

/* COLLECTIVE. Whether any rank ends with other weights than one alone. */
static int seen(const struct table *t, enum fault fault) {
  real *one = weights_after(&alone, t, NO_FAULT), *all = weights_after(&world, t, fault);
  const int differ = memcmp(one, all, t->size * sizeof *one) != 0;
  free(one), free(all);
  return agree_any(world.comm, differ);
}

START_TEST(few_matrices_on_many_ranks_and_faults_that_are_seen) {
  for (size_t matrices = 1; matrices <= 8; matrices++) {
    struct table t = small_table(matrices, (uint32_t)matrices);
    const int several = world.ranks > 1;
    ck_assert_int_eq(seen(&t, NO_FAULT), 0);
    ck_assert_int_eq(seen(&t, NOBODY_DOES_IT), 1);
    ck_assert_int_eq(seen(&t, NOT_HANDED_OUT), several);
    ck_assert_int_eq(seen(&t, FROM_ANOTHER_RANK), several);
    table_free(&t);
  }
} END_TEST

/* Before anything is handed out: the weights of other owners' matrices have not moved, all else has. */
START_TEST(a_rank_does_its_own_matrices_alone) {
  struct table t = small_table(8, 1);
  share_matrices(&t, world.ranks);
  const struct optimizer o = { .b2 = 0.95, .rank = world.rank };
  real *x = new_zeros(t.size), *m = new_zeros(t.size), *s = new_zeros(t.second_size), *start = new_zeros(t.size);
  real *work = new_zeros(optimizer_work(&o, &t)), *g = new_normal(1, t.size);
  table_init_weights(&t, 1, x);
  memcpy(start, x, t.size * sizeof *x);
  optimizer_step(&o, &t, 1, 0.01, g, m, s, x, work);
  double wrong = 0, done = 0;
  for (size_t i = 0; i < t.count; i++) {
    const struct tensor *n = &t.tensors[i];
    const int mine = n->rule != RULE_MUON || n->owner == world.rank;
    wrong += mine != (memcmp(x + n->offset, start + n->offset, n->size * sizeof *x) != 0);
    done += n->rule == RULE_MUON && mine;
  }
  MPI_Allreduce(MPI_IN_PLACE, &done, 1, MPI_DOUBLE, MPI_SUM, world.comm);
  free(x), free(m), free(s), free(start), free(work), free(g);
  table_free(&t);
  ck_assert_double_eq(worst_over_ranks(wrong), 0);
  ck_assert_double_eq(done, 8);
} END_TEST

static double flops_of(const struct tensor *n) {
  const double a = (double)n->shape[0], b = (double)n->shape[1], least = fmin(a, b);
  return n->rule == RULE_MUON ? 5 * (3 * least * a * b + least * least * least) : 0;
}
/* The least that the busiest of `ranks` ranks can have of tensors first .. count - 1, by trying every end of its part. */
static double best_cut(const struct table *t, size_t first, int ranks) {
  double part = 0, best = INFINITY;
  if (first == t->count) return 0;
  if (!ranks) return INFINITY;
  for (size_t i = first; i < t->count; i++) {
    part += flops_of(&t->tensors[i]);
    best = fmin(best, fmax(part, best_cut(t, i + 1, ranks - 1)));
  }
  return best;
}
START_TEST(parts_are_as_even_as_cuts_can_be) {
  share_lead = 0;
  for (uint32_t which = 0; which < 30; which++)
    for (int ranks = 1; ranks <= 9; ranks += 1 + ranks / 3) {
      struct table t = small_table(1 + which % 8, which);
      double part[9] = { 0 }, all = 0, most = 0;
      const double limit = share_matrices(&t, ranks);
      for (size_t i = 0; i < t.count; i++) {
        const int owner = t.tensors[i].owner;
        ck_assert_int_ge(owner, i ? t.tensors[i - 1].owner : 0);
        ck_assert_int_lt(owner, ranks);
        part[owner] += flops_of(&t.tensors[i]);
        all += flops_of(&t.tensors[i]);
      }
      for (int r = 0; r < ranks; r++) most = fmax(most, part[r]);
      ck_assert_double_eq(most, limit);
      ck_assert_double_eq(most, best_cut(&t, 0, ranks));
      ck_assert_double_eq(all, share_flops(&t));
      table_free(&t);
    }
  share_lead = 1.0 / 30;
} END_TEST

/* Of the table's equal matrices the first, which every rank waits for, are more alone on their ranks than the others; the others have
 * not more than a matrix or two above what they would have had. */
START_TEST(first_tensors_are_ready_first) {
  const size_t shape[2] = { 8, 8 };
  const double each = muon_flops(8, 8);
  for (int ranks = 8; ranks <= 64; ranks *= 2) {
    struct table t = { 0 };
    double part[64] = { 0 };
    for (int i = 0; i < 960; i++) table_add(&t, "matrix", 2, shape, RULE_MUON, INIT_ONE, 0, 0);
    table_place_second(&t, 0);
    share_lead = 0;
    const double without = share_matrices(&t, ranks);
    ck_assert_double_eq(without, 960 * each / ranks);
    share_lead = 2 / log2(ranks);   /* two matrices */
    const double limit = share_matrices(&t, ranks);
    for (size_t i = 0; i < t.count; i++) part[t.tensors[i].owner] += each;
    ck_assert_double_eq(part[0], limit - 2 * each);
    ck_assert_double_eq(part[ranks / 2], limit);
    ck_assert_double_le(limit, without + each);
    table_free(&t);
  }
  share_lead = 1.0 / 30;
} END_TEST

/* With more ranks than even parts large matrices get crews: nobody has more than the limit, owners with a crew have that one matrix
 * alone, all fit into the ranks, and the more there are the less has the busiest, until crews are as large as they may be. */
START_TEST(crews_make_parts_even) {
  const size_t small[2] = { 8, 8 }, large[2] = { 8, 64 };
  double before = INFINITY;
  share_least = 2 * muon_flops(8, 8);
  for (int ranks = 1; ranks <= 128; ranks++) {
    struct table t = { 0 };
    double part[128] = { 0 };
    int matrices[128] = { 0 }, crew[128] = { 0 }, in_use = 0;
    for (int i = 0; i < 24; i++) table_add(&t, "matrix", 2, i % 3 ? small : large, RULE_MUON, INIT_ONE, 0, 0);
    table_place_second(&t, 0);
    const double alone_limit = share_matrices(&t, ranks), limit = share_crews(&t, ranks);
    for (size_t i = 0; i < t.count; i++) {
      const struct tensor *n = &t.tensors[i];
      ck_assert_int_ge(n->crew, 1);
      ck_assert_int_le(n->crew, i % 3 ? 1 : SHARE_CREW);
      part[n->owner] += muon_piece_flops(n->shape[0], n->shape[1], n->crew);
      matrices[n->owner]++;
      if (n->crew > crew[n->owner]) crew[n->owner] = n->crew;
    }
    for (int k = 0; k < ranks; k++) {
      in_use += crew[k];
      ck_assert_double_le(part[k], limit);
      if (crew[k] > 1) ck_assert_int_eq(matrices[k], 1);
    }
    ck_assert_int_le(in_use, ranks);
    ck_assert_double_le(limit, alone_limit);
    ck_assert_double_le(limit, before + muon_flops(8, 8));   /* a lead grows with the ranks */
    if (ranks == 128) ck_assert_double_eq(limit, muon_piece_flops(8, 64, SHARE_CREW));
    before = limit;
    table_free(&t);
  }
  share_least = 1e9;
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "optimizer",
                       (const TTest *[]){ any_ranks_give_the_bits_of_one_alone, memory_falls_with_the_ranks, a_rank_does_its_own_matrices_alone,
                                          few_matrices_on_many_ranks_and_faults_that_are_seen,
                                          parts_are_as_even_as_cuts_can_be, first_tensors_are_ready_first,
                                          crews_make_parts_even, NULL });
}
