/* A run in three parts ends as the run in one go, bit for bit, on as many ranks, and within rounding on another number
 * (EXPECTATIONS C6, C7, C10; T1). Beside it T3: with any one thing not restored that comparison finds a difference. */
#include <sys/stat.h>

#define HARNESS_MPI
#include "io/loader.h"
#include "jobs/state.h"
#include "jobs/step.h"
#include "mpi/agree.h"
#include "src/optim/share.h"
#include "tests/harness.h"
#include "tests/tiny.h"

enum { PART = 4, PARTS = 3 };   /* steps: 3 make an epoch, so that parts end inside one */

/* A run from a start, fresh or resumed, to its end, as train has it. */
struct run {
  const struct world *w;
  struct settings s;
  struct net net;
  struct state state;
  struct step step;
  struct loader *loader;
  struct arena scratch;
  real *work;
};

static char saved[300];   /* the folder of the run that is stopped and started */

static void start_with(struct run *r, const struct world *w, const char *folder, const struct settings *s);

/* COLLECTIVE over w. folder: goes on from its checkpoint; NULL: from the initial values. */
static void start(struct run *r, const struct world *w, const char *folder) {
  const struct settings s = tiny_settings();
  start_with(r, w, folder, &s);
}

static void start_with(struct run *r, const struct world *w, const char *folder, const struct settings *s) {
  char *text = NULL;
  *r = (struct run){ .w = w, .s = *s };
  tiny_net(&r->net, &r->s);
  share_matrices(&r->net.table, w->ranks);
  tiny_must(state_init(w, &r->state, &r->net, &r->s));
  if (folder) tiny_must(state_resume(w, &r->state, &r->net, folder, &text));
  free(text);
  tiny_must(step_init(&r->step, w, &r->net, &r->s));
  r->scratch.used = optimizer_work(&(struct optimizer){ 0 }, &r->net.table);
  tiny_must(arena_init(&r->scratch));
  r->work = arena_take(&r->scratch, r->scratch.size);
}

static void end(struct run *r) {
  loader_stop(r->loader);
  step_free(&r->step);
  state_free(&r->state);
  arena_free(&r->scratch);
  net_free(&r->net);
}

static void load_from(struct run *r, uint64_t step) {
  loader_stop(r->loader);
  tiny_must(loader_start(&r->loader, &tiny_data, r->step.seed, r->s.dataset.use_flip, r->step.batch, r->step.first,
                         r->step.count, step));
}

/* COLLECTIVE over r->w. losses[steps]. The loader must stand where the run does. */
static void go(struct run *r, int steps, double *losses) {
  const struct schedule schedule = setup_schedule(&r->s, tiny_data.count[SPLIT_TRAIN]);
  for (int i = 0; i < steps; i++) {
    struct objective_sums sums;
    tiny_must(step_gradient(&r->step, r->w, r->loader, r->state.step, r->state.weights, &sums));
    state_step(r->w, &r->state, &r->net, &r->s, schedule_rate(&schedule, r->state.step), r->step.grads, r->work);
    losses[i] = sums.loss;
  }
}

static void save(struct run *r) {
  char *text = settings_text(&r->s);
  tiny_must(state_save(r->w, &r->state, &r->net, saved, text));
  free(text);
}

/* Where a's piece of array i begins in b, which has the same piece or all. */
static const real *beside(const struct state *a, const struct state *b, size_t i) {
  return b->flats[i].data + (a->flats[i].first - b->flats[i].first);
}

/* Which of the arrays differ, as far as they are here, as bits; bit 30: the counts of steps and images. */
static int differences(const struct state *a, const struct state *b) {
  int found = (a->step != b->step || a->images_seen != b->images_seen) << 30;
  for (size_t i = 0; i < a->n_flats; i++)
    found |= (memcmp(a->flats[i].data, beside(a, b, i), a->flats[i].count * sizeof(real)) != 0) << i;
  return found;
}
enum { WEIGHTS = 1, M = 2, S = 4, EMA = 8, EMA_2 = 16, ALL = 31 };

static int any_rank(int bits) {
  MPI_Allreduce(MPI_IN_PLACE, &bits, 1, MPI_INT, MPI_BOR, world.comm);
  return bits;
}

/* COLLECTIVE. The bits of all arrays that every rank has agree. */
static int same_everywhere(const struct state *state) {
  int same = 1;
  for (size_t i = 0; i < (state->sharded ? 1 : state->n_flats); i++)
    same &= agree_same(world.comm, state->flats[i].data, state->flats[i].size * sizeof(real));
  return same;
}

START_TEST(images_are_packed) {
  tiny_open();
  snprintf(saved, sizeof saved, "%s/run", tiny_folder);
  if (world.rank == 0) mkdir(saved, 0755);
  MPI_Barrier(world.comm);
} END_TEST

START_TEST(three_parts_equal_one_go_bit_for_bit) {
  struct run whole, part;
  double losses[PARTS * PART + 2], again[PARTS * PART + 2];
  start(&whole, &world, NULL);
  load_from(&whole, 0);
  go(&whole, PARTS * PART, losses);
  for (int i = 0; i < PARTS; i++) {
    start(&part, &world, i ? saved : NULL);
    ck_assert_uint_eq(part.state.step, (uint64_t)(i * PART));
    load_from(&part, part.state.step);
    go(&part, PART, again + i * PART);
    save(&part);
    if (i < PARTS - 1) end(&part);
  }
  ck_assert_int_eq(any_rank(differences(&part.state, &whole.state)), 0);
  ck_assert_int_eq(same_everywhere(&part.state), 1);
  ck_assert_int_eq(any_rank(memcmp(whole.state.ema[0], whole.state.ema[1], whole.state.mine.count * sizeof(real)) != 0), 1);
  go(&whole, 2, losses + PARTS * PART);   /* and the next losses */
  go(&part, 2, again + PARTS * PART);
  ck_assert_int_eq(any_rank(memcmp(losses, again, sizeof losses) != 0), 0);
  end(&part);
  end(&whole);
} END_TEST

/* The run goes on from the checkpoint of step PART, with one thing left as it is in a fresh run. */
enum omission { NONE, STEP_COUNTER, IMAGES_SEEN, LOADER, NO_WEIGHTS, NO_M, NO_S, NO_EMA, NO_EMA_2, OMISSIONS };

static void forget(struct run *r, const struct run *fresh, enum omission what) {
  if (what == STEP_COUNTER) r->state.step = 0;
  if (what == IMAGES_SEEN) r->state.images_seen = 0;
  if (what < NO_WEIGHTS) return;
  const struct flat *to = &r->state.flats[what - NO_WEIGHTS], *from = &fresh->state.flats[what - NO_WEIGHTS];
  memcpy(to->data, from->data, to->count * sizeof(real));
}

/* COLLECTIVE. Which arrays end otherwise than without the omission. */
static int effect(enum omission what) {
  struct run fresh, right, wrong;
  double losses[PART];
  start(&fresh, &world, NULL);
  start(&right, &world, saved);
  start(&wrong, &world, saved);
  load_from(&right, right.state.step);
  load_from(&wrong, what == LOADER ? 0 : right.state.step);
  forget(&wrong, &fresh, what);
  go(&right, PART, losses);
  go(&wrong, PART, losses);
  const int found = any_rank(differences(&wrong.state, &right.state)) & ALL;
  end(&wrong);
  end(&right);
  end(&fresh);
  return found;
}

START_TEST(whatever_is_not_restored_is_seen) {
  struct run r;
  double losses[PART];
  start(&r, &world, NULL);
  load_from(&r, 0);
  go(&r, PART, losses);
  save(&r);
  end(&r);
  ck_assert_int_eq(effect(NONE), 0);
  ck_assert_int_eq(effect(STEP_COUNTER), ALL);       /* times, noise, learning rate, bias of the moments */
  ck_assert_int_eq(effect(IMAGES_SEEN), EMA | EMA_2);
  ck_assert_int_eq(effect(LOADER), ALL);
  ck_assert_int_eq(effect(NO_WEIGHTS), ALL);
  ck_assert_int_eq(effect(NO_M), ALL);
  ck_assert_int_eq(effect(NO_S), ALL);
  ck_assert_int_eq(effect(NO_EMA), EMA);
  ck_assert_int_eq(effect(NO_EMA_2), EMA_2);
} END_TEST

START_TEST(a_checkpoint_goes_on_on_another_number_of_ranks) {   /* one rank here; the steps agree to 1e-4 */
  struct run all, one;
  double losses[2 * PART], again[PART], error = 0;
  start(&all, &world, NULL);
  load_from(&all, 0);
  go(&all, PART, losses);
  save(&all);
  if (world.rank == 0) {
    start(&one, &alone, saved);
    error = differences(&all.state, &one.state) ? INFINITY : 0;
  }
  ck_assert_double_eq(worst_over_ranks(error), 0);
  go(&all, PART, losses + PART);
  if (world.rank == 0) {
    load_from(&one, one.state.step);
    go(&one, PART, again);
    for (int i = 0; i < PART; i++) error = fmax(error, fabs(again[i] - losses[PART + i]) / losses[PART + i]);
    for (size_t i = 0; i < all.state.n_flats; i++)
      error = fmax(error, relative_error(all.state.flats[i].count, beside(&all.state, &one.state, i), all.state.flats[i].data));
    end(&one);
  }
  end(&all);
  ck_assert_double_lt(worst_over_ranks(error), 1e-4);
} END_TEST

/* COLLECTIVE. The worst error of this rank's part of the arrays after `steps` steps with the settings a, beside b. */
static double apart(const struct settings *a, const struct settings *b, int steps) {
  struct run one, other;
  double losses[20], again[20], error = 0;
  start_with(&one, &world, NULL, a);
  start_with(&other, &world, NULL, b);
  load_from(&one, 0);
  load_from(&other, 0);
  go(&one, steps, losses);
  go(&other, steps, again);
  for (size_t i = 0; i < one.state.n_flats; i++)
    error = fmax(error, relative_error(one.state.flats[i].count, one.state.flats[i].data, beside(&one.state, &other.state, i)));
  end(&one);
  end(&other);
  return worst_over_ranks(error);
}

/* Owners alone with the optimizer's state, or every rank: the same run (EXPECTATIONS G10). The bits, where sums have one order. */
START_TEST(sharing_the_state_out_changes_nothing) {
  struct settings on = tiny_settings(), off = on;
  on.training.shard = SHARD_ON;
  off.training.shard = SHARD_OFF;
  if (world.ranks <= 2) ck_assert_double_eq(apart(&on, &off, 20), 0);
  for (int optimizer = OPTIMIZER_MUON; optimizer <= OPTIMIZER_ADAMW; optimizer++) {
    on.training.reproducible = off.training.reproducible = 1;
    on.training.micro_batch = off.training.micro_batch = 2;
    on.training.optimizer = off.training.optimizer = optimizer;
    off.training.reduce = REDUCE_PLAIN;
    ck_assert_double_eq(apart(&on, &off, 20), 0);
  }
} END_TEST

/* Momentum and Newton-Schulz come once a step, after all micro-batches (G12): four of them or one, the same weights. */
START_TEST(micro_batches_accumulate_before_the_optimizer) {
  struct settings four = tiny_settings(), one;
  four.training.batch_size = 4 * world.ranks;
  one = four;
  four.training.micro_batch = 1;
  ck_assert_double_lt(apart(&four, &one, 5), 1e-3);
  one.training.batch_size--;   /* and another batch would be seen */
  ck_assert_double_gt(apart(&four, &one, 5), 1e-2);
} END_TEST

/* What the guard remembers is restored; of the files of earlier versions, which lack its last number or all of it, what is there. */
START_TEST(what_the_guard_remembers_is_restored) {
  struct run r, again;
  start(&r, &world, NULL);
  struct flat *last = &r.state.flats[r.state.n_flats - 1];
  r.state.guard->rollbacks = 2;
  r.state.guard->lr_factor = (real)0.25;
  for (int lacking = 0; lacking <= 2; lacking++) {
    if (lacking == 1) last->size--, last->count--;
    if (lacking == 2) r.state.n_flats--;
    save(&r);
    start(&again, &world, saved);
    const struct guard_memory got = *again.state.guard;
    end(&again);
    ck_assert_double_eq(worst_over_ranks(fabs((double)got.rollbacks - (lacking == 2 ? 0 : 2))), 0);
    ck_assert_double_eq(worst_over_ranks(fabs((double)got.lr_factor - (lacking ? 1 : 0.25))), 0);
  }
  end(&r);
} END_TEST

START_TEST(other_averages_or_another_net_are_refused) {
  struct settings s = tiny_settings();
  struct net net;
  struct state state;
  char *text;
  const struct { struct list ema; long width; const char *reason; } cases[] = {
    { { { 0.0015, 2 }, 2 }, 24, "from another net" }, { { { 0.0015, 3 }, 2 }, 16, "no array ema3" },
    { { { 0.0015 }, 1 }, 16, "ema2" },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    s.training.ema_val = cases[i].ema;
    s.model.hidden_size = cases[i].width;
    tiny_net(&net, &s);
    share_matrices(&net.table, world.ranks);
    tiny_must(state_init(&world, &state, &net, &s));
    const int status = state_resume(&world, &state, &net, saved, &text);
    const int right = status == STATUS_BAD && strstr(status_reason(), cases[i].reason) && !text && !state.step;
    state_free(&state);
    net_free(&net);
    ck_assert_msg(!agree_any(world.comm, !right), "case %zu: status %d, %s", i, status, status_reason());
  }
} END_TEST

START_TEST(their_folder_is_removed) { tiny_close(); } END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "resume",
                       (const TTest *[]){ images_are_packed, three_parts_equal_one_go_bit_for_bit,
                                          whatever_is_not_restored_is_seen,
                                          a_checkpoint_goes_on_on_another_number_of_ranks,
                                          sharing_the_state_out_changes_nothing,
                                          micro_batches_accumulate_before_the_optimizer,
                                          what_the_guard_remembers_is_restored,
                                          other_averages_or_another_net_are_refused, their_folder_is_removed, NULL });
}
