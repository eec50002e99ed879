/* What `pmf plan` says before a training is what the training takes: each part of needs_of is the size of the memory that
 * the same settings then reserve, to the byte; and what does not fit is refused with the micro-batch that does. */
#define HARNESS_MPI
#include "io/memory.h"
#include "jobs/needs.h"
#include "jobs/perception.h"
#include "jobs/state.h"
#include "jobs/step.h"
#include "jobs/trainer.h"
#include "mpi/agree.h"
#include "src/base/matmul.h"
#include "src/optim/share.h"
#include "tests/harness.h"
#include "tests/tiny.h"

static size_t most(size_t n) {
  unsigned long long mine = n, all;
  MPI_Allreduce(&mine, &all, 1, MPI_UNSIGNED_LONG_LONG, MPI_MAX, world.comm);
  return (size_t)all;
}

/* COLLECTIVE. The ranks with the largest shares of images and of tensors take what was planned, the others no more. 1 for every law that is broken. */
static int broken(const struct settings *s) {
  struct net net;
  struct state state;
  struct step step;
  struct perception perception;
  tiny_net(&net, s);
  share_matrices(&net.table, world.ranks);
  const struct needs k = needs_of(&net, s, world.ranks, 0);
  const struct optimizer optimizer = setup_optimizer(s);
  tiny_must(state_init(&world, &state, &net, s));
  tiny_must(step_init(&step, &world, &net, s));
  tiny_must(perception_open(&perception, &world, s, &tiny_data, step.micro, 1));
  const size_t perceptual = most((perception.weights.size + perception.work.size) * sizeof(real));
  size_t checkpoint = 0;
  for (size_t i = 0; i < state.n_flats; i++) checkpoint += state.flats[i].size * sizeof(real);
  const size_t work = optimizer_work(&optimizer, &net.table) * sizeof(real);
  const size_t image = net.pixels + sizeof(int32_t) + sizeof(uint64_t);   /* as bytes, with label and index */
  const size_t images = 2 * most(step.count) * image;
  const int wrong = (k.weights + k.moments + k.emas != most(state.arena.size) * sizeof(real))
                    + (k.gradients + k.activations + k.tangents + k.buffers != most(step.arena.size) * sizeof(real))
                    + (state.arena.used != state.arena.size) + (step.arena.used != step.arena.size)
                    + (k.optimizer != work) + (k.loader != images) + (k.checkpoint != checkpoint) + (k.micro != step.micro)
                    + (k.total != k.weights + k.moments + k.emas + k.gradients + k.activations + k.tangents + k.buffers
                                    + k.rounded + k.optimizer + k.loader + k.evaluation + k.grids + k.copy + k.perceptual + k.classifier + k.messages)
                     + (k.perceptual != perceptual) + (perception.on != (k.perceptual > 0));
  perception_close(&perception);
  step_free(&step);
  state_free(&state);
  net_free(&net);
  return wrong;
}

START_TEST(the_plan_is_what_is_taken) {
  int wrong = 0;
  for (int recompute = 0; recompute < 2; recompute++)
    for (int optimizer = 0; optimizer < 2; optimizer++)
      for (long micro = 0; micro < 4; micro += micro ? 2 : 1)
        for (int emas = 0; emas < 4; emas++) {
          struct settings s = tiny_settings();
          s.training.shard = emas % 3;   /* auto, on, off */
          s.training.recompute = recompute;
          s.model.lpips = emas % 2;
          s.model.convnext = emas > 1;
          s.training.optimizer = optimizer ? OPTIMIZER_ADAMW : OPTIMIZER_MUON;
          s.training.micro_batch = micro;
          s.training.ema_val = (struct list){ { 1, 2, 3 }, emas };
          wrong += broken(&s);
        }
  ck_assert_double_eq(worst_over_ranks(wrong), 0);
} END_TEST

/* Parts that the plan should see grow and shrink. */
START_TEST(the_plan_knows_what_costs) {
  struct settings s = tiny_settings();
  struct net net, again;
  tiny_net(&net, &s);
  const struct needs k = needs_of(&net, &s, 1, 0), one = needs_of(&net, &s, 1, 1);
  s.training.recompute = 1;
  tiny_net(&again, &s);
  const struct needs little = needs_of(&again, &s, 1, 0);
  s.training.ema_val.count = 3;
  const struct needs more = needs_of(&again, &s, 1, 0);
  net_free(&net);
  net_free(&again);
  ck_assert_uint_eq(k.micro, 6);
  ck_assert_uint_eq(one.micro, 1);
  ck_assert_uint_lt(one.activations, k.activations / 5);
  ck_assert_uint_lt(little.activations, k.activations);
  ck_assert_uint_eq(little.weights, k.weights);
  ck_assert_uint_eq(2 * more.emas, 3 * little.emas);
  ck_assert_uint_eq(more.total - little.total, little.emas / 2);
  ck_assert_uint_gt(k.tangents, 0);
  ck_assert_uint_lt(k.tangents, k.activations / 2);   /* no way back keeps them: less than 1.6 times what there is without (F7) */
} END_TEST

/* An arena takes the memory that it was asked for, to a few pages: no rest of a huge page. */
START_TEST(an_arena_takes_what_it_says) {
  const size_t bytes = ((size_t)7 << 20) + ((size_t)1 << 18), before = memory_now();
  struct arena a = { .used = bytes / sizeof(real) };
  tiny_must(arena_init(&a));
  const size_t taken = memory_now() - before;
  arena_free(&a);
  ck_assert_double_eq(worst_over_ranks(before && !SANITIZED && (taken < bytes || taken > bytes + ((size_t)1 << 18))), 0);
} END_TEST

/* COLLECTIVE. 1 unless the buffer of rounded inputs, grown by two steps where it was not reserved, is as large as planned. */
static int rounding_differs(long width) {
  struct trainer t = { .w = &world, .s = tiny_settings(), .data.fd = -1 };
  struct objective_sums sums;
  double rate;
  snprintf(t.s.dataset.root, sizeof t.s.dataset.root, "%s/shapes.h5", tiny_folder);
  t.s.model.hidden_size = width;
  t.s.model.times = TIMES_ZERO;  /* all have tangents */
  t.s.training.batch_size = 2 * world.ranks;   /* equal shares */
  t.s.training.precision = PRECISION_BF16;
  tiny_must(trainer_open(&t));
  const size_t planned = t.needs.rounded;
  t.needs.rounded = 0;
  tiny_must(trainer_allocate(&t));
  tiny_must(trainer_start(&t));
  for (int i = 0; i < 2; i++) tiny_must(trainer_step(&t, &sums, &rate));
  trainer_close(&t);
  matmul_set_precision(MATMUL_F32);
  return planned == 0 || matmul_reserved() < planned || matmul_reserved() >= planned + 64;
}

START_TEST(rounding_takes_what_was_planned) {
  tiny_open();
  const int wrong = rounding_differs(16) + rounding_differs(64);   /* patches are the largest product, then a block */
  tiny_close();
  ck_assert_double_eq(worst_over_ranks(wrong), 0);
} END_TEST

/* Settings as a training on this many ranks would have them, with `room` bytes a rank. */
static int fit(long micro, int ranks, size_t room, struct needs *k, long *taken) {
  struct settings s = tiny_settings();
  struct net net;
  s.training.batch_size = 20;
  s.training.micro_batch = micro;
  tiny_net(&net, &s);
  const int status = needs_fit(&net, &s, ranks, room, k);
  *taken = s.training.micro_batch;
  net_free(&net);
  return status;
}

START_TEST(what_does_not_fit_is_refused_with_what_does) {
  struct needs k;
  long taken, advised;
  ck_assert_int_eq(fit(7, world.ranks, 0, &k, &taken), STATUS_OK);   /* memory not known: nothing is refused */
  for (long fits = 1; fits < 4; fits++) {
    ck_assert_int_eq(fit(fits, world.ranks, 0, &k, &taken), STATUS_OK);
    const size_t room = k.total;
    ck_assert_int_eq(fit(5, world.ranks, room, &k, &taken), STATUS_BAD);
    const char *advice = strstr(status_reason(), "the largest that fits is training.micro_batch=");
    ck_assert_msg(advice != NULL, "%s", status_reason());
    ck_assert_int_eq(sscanf(strchr(advice, '='), "=%ld", &advised), 1);
    ck_assert_int_eq(advised, fits);
    ck_assert_int_eq(fit(advised, world.ranks, room, &k, &taken), STATUS_OK);
    ck_assert_uint_le(k.total, room);
    ck_assert_int_eq(fit(advised + 1, world.ranks, room, &k, &taken), STATUS_BAD);
    ck_assert_int_eq(fit(0, world.ranks, room, &k, &taken), STATUS_OK);   /* left to us: it shrinks by itself */
    ck_assert_int_eq(taken, fits);
    ck_assert_uint_eq(k.micro, (size_t)fits);
    ck_assert_int_eq(fit(1, world.ranks, k.weights, &k, &taken), STATUS_BAD);
    ck_assert(strstr(status_reason(), "even training.micro_batch=1 does not fit") != NULL);
  }
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "plan",
                       (const TTest *[]){ the_plan_is_what_is_taken, the_plan_knows_what_costs, an_arena_takes_what_it_says,
                                          rounding_takes_what_was_planned,
                                          what_does_not_fit_is_refused_with_what_does, NULL });
}
