/* What the ranks find together: a bad number on one of them, the norm of the gradient, a bit that differs between their
 * weights, who is slow. */
#include <stdlib.h>
#include <time.h>

#define HARNESS_MPI
#include "io/loader.h"
#include "jobs/fault.h"
#include "jobs/straggler.h"
#include "jobs/trainer.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/replicas.h"
#include "src/optim/share.h"
#include "tests/harness.h"
#include "tests/tiny.h"

static struct settings settings;
static struct net net;
static real *weights;

/* COLLECTIVE. The gradient of step 2 (from 0) with these limits and this PMF_FAULT; the caller frees the step. */
static void gradient(struct step *step, double most_loss, double most_norm, const char *fault, struct objective_sums *sums) {
  struct loader *loader;
  if (fault) setenv("PMF_FAULT", fault, 1);
  else unsetenv("PMF_FAULT");
  tiny_must(fault_read(world.rank));
  tiny_must(step_init(step, &world, &net, &settings));
  tiny_must(loader_start(&loader, &tiny_data, step->seed, settings.dataset.use_flip, step->batch, step->first, step->count, 2));
  step->most_loss = most_loss;
  step->most_norm = most_norm;
  tiny_must(step_gradient(step, &world, loader, 2, weights, sums));
  loader_stop(loader);
}

START_TEST(images_are_packed) {
  tiny_open();
  settings = tiny_settings();
  settings.training.batch_size = 7;
  tiny_net(&net, &settings);
  share_matrices(&net.table, world.ranks);
  weights = new_zeros(net.table.size);
  table_init_weights(&net.table, 1, weights);
} END_TEST

START_TEST(the_norm_is_that_of_the_mean_gradient) {   /* of all of it, or in parts that lie on the ranks */
  for (int way = SHARD_AUTO; way <= SHARD_OFF; way++) {
    struct step step;
    struct objective_sums sums;
    double square = 0;
    settings.training.shard = way;
    gradient(&step, INFINITY, INFINITY, NULL, &sums);
    for (size_t i = step.mine.first; i < step.mine.first + step.mine.count; i++)
      square += (double)step.grads[i] * (double)step.grads[i];
    if (step.sharded) reduce_sum_double(world.comm, 1, &square);
    const double error = fabs(step.norm / sqrt(square) - 1);
    const int fit = !step.bad && step.bad_rank == -1 && square > 0 && agree_same(world.comm, &step.norm, sizeof step.norm);
    step_free(&step);
    ck_assert_double_lt(worst_over_ranks(fit ? error : INFINITY), 1e-12);
  }
  settings.training.shard = SHARD_AUTO;
} END_TEST

START_TEST(all_find_what_one_rank_has) {   /* the last, and the first, which has images everywhere */
  for (int rank = world.ranks - 1;; rank = 0) {
    struct step step;
    struct objective_sums sums;
    char fault[64];
    snprintf(fault, sizeof fault, "nan:rank=%d:step=2..3", rank);
    gradient(&step, INFINITY, INFINITY, fault, &sums);
    const int right = step.bad && step.bad_rank == rank && !isfinite(sums.loss) && !isfinite(step.norm);
    step_free(&step);
    ck_assert_double_eq(worst_over_ranks(!right), 0);
    if (!rank) break;
  }
} END_TEST

START_TEST(of_several_the_lowest_is_named) {
  struct step step;
  struct objective_sums sums;
  char fault[64] = "nan";   /* on all */
  if (world.ranks > 2) snprintf(fault, sizeof fault, world.rank % 2 ? "nan:rank=%d" : "nan:rank=%d:step=1", world.rank);
  gradient(&step, INFINITY, INFINITY, fault, &sums);
  const int right = step.bad && step.bad_rank == (world.ranks > 2);
  step_free(&step);
  ck_assert_double_eq(worst_over_ranks(!right), 0);
} END_TEST

START_TEST(a_limit_is_one_of_the_global_numbers) {
  struct step step;
  struct objective_sums sums;
  gradient(&step, INFINITY, INFINITY, NULL, &sums);
  const double loss = sums.loss / (double)sums.images, norm = step.norm, a_bit = 1e-9;
  step_free(&step);
  const struct { double loss, norm; int bad; } cases[] = { { loss * (1 + a_bit), norm * (1 + a_bit), 0 },
                                                           { loss * (1 - a_bit), norm * 2, 1 },
                                                           { loss * 2, norm * (1 - a_bit), 1 } };
  for (int i = 0; i < 3; i++) {
    gradient(&step, cases[i].loss, cases[i].norm, NULL, &sums);
    const int right = step.bad == cases[i].bad && step.bad_rank == -1;
    step_free(&step);
    ck_assert_double_eq(worst_over_ranks(!right), 0);
  }
} END_TEST

/* Step 1 of a run that went back to its beginning after five bad ones takes batch 5 (from 0), images and noise, and learns less. */
START_TEST(after_a_rollback_the_batch_is_another_and_the_rate_lower) {
  struct trainer t = { .w = &world, .s = settings, .data.fd = -1 };
  struct objective_sums sums, expected;
  struct step step;
  struct loader *loader;
  double rate;
  snprintf(t.s.dataset.root, sizeof t.s.dataset.root, "%s/shapes.h5", tiny_folder);
  t.s.training.rollback_lr_factor = 0.25;
  t.s.training.warmup_epochs = 0;
  tiny_must(trainer_open(&t));
  tiny_must(trainer_allocate(&t));
  const struct guard_memory before = *t.state.guard;
  tiny_must(trainer_start(&t));
  guard_gone_back(&t.guard, &before, 0, 5);
  tiny_must(trainer_start(&t));
  tiny_must(step_init(&step, &world, &net, &settings));
  tiny_must(loader_start(&loader, &tiny_data, step.seed, settings.dataset.use_flip, step.batch, step.first, step.count, 5));
  tiny_must(step_gradient(&step, &world, loader, 5, t.state.weights, &expected));
  tiny_must(trainer_step(&t, &sums, &rate));
  const int same = !memcmp(t.step.x, step.x, step.count * net.pixels * sizeof(real)) && !memcmp(&sums, &expected, sizeof sums)
                   && t.step.norm == step.norm && t.state.step == 1 && rate == settings.training.learning_rate / 4;
  loader_stop(loader);
  step_free(&step);
  trainer_close(&t);
  ck_assert_double_eq(worst_over_ranks(!same), 0);
} END_TEST

START_TEST(a_fault_that_is_no_fault_is_refused) {
  static const char *const wrong[] = { "nun", "nan:rnk=1", "nan:step=3.7", "nan:rank=1x", "flip,nun" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    setenv("PMF_FAULT", wrong[i], 1);
    ck_assert_int_eq(fault_read(0), STATUS_BAD);
  }
  unsetenv("PMF_FAULT");
  ck_assert_int_eq(fault_read(0), STATUS_OK);
} END_TEST

static void flip(real *x, int bit) {
  unsigned char *byte = (unsigned char *)x;
  byte[bit / 8] ^= (unsigned char)(1 << bit % 8);
}

START_TEST(equal_replicas_are_equal) {
  ck_assert_int_eq(replicas_check(world.comm, &net.table, weights), STATUS_OK);
} END_TEST

START_TEST(any_bit_of_any_tensor_is_found_and_named) {   /* in its first and last number, on each rank in turn */
  if (world.ranks == 1) return;
  for (size_t i = 0; i < net.table.count; i++) {
    const struct tensor *t = &net.table.tensors[i];
    const int struck = (int)(i % (size_t)world.ranks);
    real *x = weights + t->offset + (i % 2 ? t->size - 1 : 0);
    char tensor[128], who[64];
    snprintf(tensor, sizeof tensor, "in tensor %s:", t->name);
    if (world.ranks > 2) snprintf(who, sizeof who, "rank %d differs from the majority", struck);
    else snprintf(who, sizeof who, "rank 1 differs from rank 0");
    if (world.rank == struck) flip(x, (int)(i % 32));
    const int status = replicas_check(world.comm, &net.table, weights);
    const int right = status == STATUS_DIVERGED && strstr(status_reason(), tensor) && strstr(status_reason(), who);
    if (world.rank == struck) flip(x, (int)(i % 32));
    ck_assert_msg(!agree_any(world.comm, !right), "%s, rank %d: %s", t->name, struck, status_reason());
  }
  ck_assert_int_eq(replicas_check(world.comm, &net.table, weights), STATUS_OK);
} END_TEST

START_TEST(the_first_tensor_is_named_and_all_ranks_that_are_wrong) {
  if (world.ranks != 4) return;
  const struct tensor *a = &net.table.tensors[2], *b = &net.table.tensors[net.table.count - 1];
  char expected[256];
  snprintf(expected, sizeof expected, "in tensor %s: ranks 1, 2 differ from rank 0, with no majority of 4", a->name);
  if (world.rank == 1) flip(weights + b->offset, 3);
  if (world.rank == 1 || world.rank == 2) flip(weights + a->offset, world.rank);   /* 2 are right: no majority */
  const int status = replicas_check(world.comm, &net.table, weights);
  if (world.rank == 1 || world.rank == 2) flip(weights + a->offset, world.rank);
  if (world.rank == 1) flip(weights + b->offset, 3);
  ck_assert_msg(!agree_any(world.comm, status != STATUS_DIVERGED || !strstr(status_reason(), expected)), "%s", status_reason());
} END_TEST

static void rest(double seconds) {
  nanosleep(&(struct timespec){ 0, (long)(1e9 * seconds) }, NULL);
}

/* The last rank is slow in each step; what the first one does between steps takes longer, and is no step. */
START_TEST(the_slow_rank_is_found_over_saves) {
  if (world.ranks == 1) return;
  struct straggler s = { 0 };
  struct slowest found = { .rank = -1 };
  const int slow = world.ranks - 1, between_saves = STRAGGLER_STEPS / 4;
  int early = 0;
  straggler_begin(&s);
  for (int step = 1; step <= STRAGGLER_STEPS; step++) {
    early += straggler_find(&s, &world, 0, &found);
    if (world.rank == slow) rest(0.02);
    agree_any(world.comm, 0);
    straggler_step(&s);
    if (step % between_saves) continue;
    straggler_pause(&s);
    if (world.rank == 0) rest(0.2);
    agree_any(world.comm, 0);
    straggler_go_on(&s);
  }
  const int right = straggler_find(&s, &world, 0, &found) && found.rank == slow && found.own >= 0.02;
  ck_assert_double_eq(worst_over_ranks(early || !right), 0);
} END_TEST

START_TEST(their_folder_is_removed) {
  free(weights);
  net_free(&net);
  tiny_close();
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "guard",
                       (const TTest *[]){ images_are_packed, the_norm_is_that_of_the_mean_gradient, all_find_what_one_rank_has,
                                          of_several_the_lowest_is_named, a_limit_is_one_of_the_global_numbers,
                                          after_a_rollback_the_batch_is_another_and_the_rate_lower,
                                          a_fault_that_is_no_fault_is_refused, equal_replicas_are_equal,
                                          any_bit_of_any_tensor_is_found_and_named,
                                          the_first_tensor_is_named_and_all_ranks_that_are_wrong,
                                          the_slow_rank_is_found_over_saves, their_folder_is_removed, NULL });
}
