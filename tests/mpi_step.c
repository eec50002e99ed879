/* The loss and the whole gradient of a global batch are one, whatever number of ranks and whatever micro-batches share
 * it (EXPECTATIONS C9); and a rank that took another rank's samples would be seen. Gradients travel behind the way back (G1), and
 * Newton-Schulz is done once a step, whatever its micro-batches (G12). */
#include <stdatomic.h>

#define HARNESS_MPI
#include "io/loader.h"
#include "jobs/perception.h"
#include "jobs/step.h"
#include "jobs/trainer.h"
#include "mpi/agree.h"
#include "mpi/watch.h"
#include "src/optim/share.h"
#include "tests/harness.h"
#include "tests/tiny.h"
#include "tests/outcome.h"

static const double limit = 1e-5;

/* Where the step is made to go wrong. */
enum fault { NO_FAULT, OTHER_DRAWS, OTHER_IMAGES, BUCKET_LEFT_OUT };

/* With the whole gradient on every rank. */
static struct settings step_settings(void) {
  struct settings s = tiny_settings();
  s.training.shard = SHARD_OFF;
  return s;
}

/* COLLECTIVE over w. The gradient of step k; a fault strikes the last rank, which always has images. */
static struct outcome gradient(const struct world *w, const struct net *n, const struct settings *s,
                               const real *weights, uint64_t k, enum fault fault) {
  struct step step;
  struct perception perception;
  struct loader *loader;
  struct outcome o = { .grads = new_zeros(n->table.size) };
  const int struck = w->rank == w->ranks - 1;
  tiny_must(step_init(&step, w, n, s));
  tiny_must(perception_open(&perception, w, s, &tiny_data, step.micro, 1));
  if (perception.on) step.objective.perceptual = &perception.perceptual;
  const size_t first = step.first - (fault == OTHER_IMAGES && struck);
  tiny_must(loader_start(&loader, &tiny_data, step.seed, s->dataset.use_flip, step.batch, first, step.count, k));
  if (fault == OTHER_DRAWS && struck) step.first++;
  if (fault == BUCKET_LEFT_OUT) step.reduction.buckets.count--;
  tiny_must(step_gradient(&step, w, loader, k, weights, &o.sums));
  memcpy(o.grads, step.grads, n->table.size * sizeof *o.grads);
  loader_stop(loader);
  perception_close(&perception);
  step_free(&step);
  return o;
}

/* COLLECTIVE. All ranks with micro-batches of `micro` against this rank alone with all images in one. */
static double compare(struct settings *s, uint64_t k, long micro, enum fault fault) {
  struct net net;
  tiny_net(&net, s);
  real *weights = random_weights(&net);
  s->training.micro_batch = 0;
  const struct outcome one = gradient(&alone, &net, s, weights, k, NO_FAULT);
  s->training.micro_batch = micro;
  const struct outcome all = gradient(&world, &net, s, weights, k, fault);
  const double values = sums_error(&all.sums, &one.sums), grads = gradient_error(&net, &all, &one);
  const int counts = same_counts(&all.sums, &one.sums) && one.sums.images == (size_t)s->training.batch_size;
  const int bits = agree_same(world.comm, all.grads, net.table.size * sizeof(real))
                   && agree_same(world.comm, &all.sums, sizeof all.sums);
  free(one.grads);
  free(all.grads);
  free(weights);
  net_free(&net);
  return worst_over_ranks(!fault && !(counts && bits) ? INFINITY : fmax(values, grads));
}

static void check_all_micro_batches(struct settings *s, uint64_t k) {
  static const long micros[] = { 1, 2, 3, 0 };
  for (size_t m = 0; m < sizeof micros / sizeof *micros; m++) {
    const double error = compare(s, k, micros[m], NO_FAULT);
    ck_assert_msg(error < limit, "batch %ld in micro-batches of %ld at step %d: error %g, expected below %g (infinite:"
                  " other counts or bits)", s->training.batch_size, micros[m], (int)k, error, limit);
  }
}

START_TEST(any_ranks_and_micro_batches_give_one_gradient) {   /* 1, 2 and 3 images also where there are more ranks */
  static const long batches[] = { 1, 2, 3, 7, 10, 13 };
  struct settings s = step_settings();
  for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
    s.training.batch_size = batches[b];
    check_all_micro_batches(&s, b == 3 ? 4 : b);   /* 23 images: step 4 of batches of 7 lies in the second epoch */
  }
} END_TEST

START_TEST(with_every_sampler_of_times_and_either_prediction) {
  struct settings s = step_settings();
  s.training.batch_size = 7;
  for (s.model.times = TIMES_TRIANGLE; s.model.times <= TIMES_BOTH; s.model.times++)
    for (s.model.prediction = PREDICTION_X; s.model.prediction <= PREDICTION_U; s.model.prediction++)
      check_all_micro_batches(&s, 2);
} END_TEST

START_TEST(with_any_share_of_flow_matching_and_dropped_labels) {
  static const double shares[][2] = { { 0, 0 }, { 0.25, 1 }, { 0.5, 0.7 }, { 1, 0.5 } };
  struct settings s = step_settings();
  s.training.batch_size = 10;
  for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
    s.model.data_proportion = shares[i][0];
    s.model.class_dropout_prob = shares[i][1];
    check_all_micro_batches(&s, 3);
  }
} END_TEST

/* Crops belong to samples, whoever has them; those beyond the threshold nobody looks at. */
START_TEST(with_networks_that_look_at_images) {
  struct settings s = step_settings();
  s.training.batch_size = 7;
  s.model.lpips = s.model.convnext = true;
  check_all_micro_batches(&s, 1);
  struct net net;
  tiny_net(&net, &s);
  real *weights = random_weights(&net);
  struct outcome o = gradient(&world, &net, &s, weights, 1, NO_FAULT);
  const int some = o.sums.seen > 0 && o.sums.seen < 7 && o.sums.distance[0] > 0 && o.sums.distance[1] > 0;
  free(o.grads);
  s.model.perceptual_max_t = 0;
  o = gradient(&world, &net, &s, weights, 1, NO_FAULT);
  const int none = o.sums.seen == 0 && o.sums.distance[0] == 0 && o.sums.distance[1] == 0;
  free(o.grads), free(weights);
  net_free(&net);
  ck_assert(!agree_any(world.comm, !some || !none));
} END_TEST

/* What one rank asks for, all learn; that is how a step ends without another collective (jobs/train_loop.c). */
static void ask(void *asker, double asked[STEP_ASKED]) {
  ++*(int *)asker;
  for (int k = 0; k < STEP_ASKED; k++)
    if (k % world.ranks == world.rank) asked[k] = k + 1;
}

START_TEST(what_a_rank_asks_for_all_learn) {
  struct settings s = step_settings();
  struct net net;
  struct step step;
  struct loader *loader;
  struct objective_sums sums;
  int asked = 0, right = 1;
  s.training.batch_size = 5;
  tiny_net(&net, &s);
  real *weights = random_weights(&net);
  tiny_must(step_init(&step, &world, &net, &s));
  tiny_must(loader_start(&loader, &tiny_data, step.seed, 0, step.batch, step.first, step.count, 0));
  step.ask = ask;
  step.asker = &asked;
  tiny_must(step_gradient(&step, &world, loader, 0, weights, &sums));
  for (int k = 0; k < STEP_ASKED; k++) right &= step.asked[k] == k + 1;
  step.ask = NULL;
  tiny_must(step_gradient(&step, &world, loader, 1, weights, &sums));
  for (int k = 0; k < STEP_ASKED; k++) right &= step.asked[k] == 0;
  loader_stop(loader);
  step_free(&step);
  free(weights);
  net_free(&net);
  ck_assert(!agree_any(world.comm, !right || asked != 1));
} END_TEST

/* One rank cannot read its images: the step ends on all with its reason, and nobody waits for it. */
START_TEST(a_rank_without_images_ends_the_step_of_all) {
  struct settings s = step_settings();
  struct dataset data = tiny_data;
  struct net net;
  struct step step;
  struct loader *loader;
  struct objective_sums sums;
  if (world.rank == world.ranks - 1) data.fd = -1;
  s.training.batch_size = 5;
  tiny_net(&net, &s);
  real *weights = random_weights(&net);
  tiny_must(step_init(&step, &world, &net, &s));
  tiny_must(loader_start(&loader, &data, step.seed, 0, step.batch, step.first, step.count, 0));
  const int status = step_gradient(&step, &world, loader, 0, weights, &sums);
  const int told = strstr(status_reason(), data.path) != NULL;
  loader_stop(loader);
  step_free(&step);
  free(weights);
  net_free(&net);
  ck_assert(!agree_any(world.comm, status != STATUS_IO || !told));
} END_TEST

/* A set with classes serves a net without: its labels are not looked at. */
START_TEST(without_classes_labels_do_not_matter) {
  struct settings s = step_settings();
  struct net net;
  struct outcome o[2];
  s.dataset.num_classes = 0;
  s.training.batch_size = 7;
  check_all_micro_batches(&s, 1);
  s.training.micro_batch = 2;
  tiny_net(&net, &s);
  real *weights = random_weights(&net);
  int32_t *labels = tiny_data.labels[SPLIT_TRAIN];
  for (int other = 0; other < 2; other++) {
    o[other] = gradient(&world, &net, &s, weights, 1, NO_FAULT);
    for (size_t i = 0; i < TINY_IMAGES; i++) labels[i] = (labels[i] + (other ? SHAPES - 1 : 1)) % SHAPES;
  }
  const int same = !memcmp(o[0].grads, o[1].grads, net.table.size * sizeof(real)) && o[0].sums.loss == o[1].sums.loss;
  ck_assert(!agree_any(world.comm, !same));
  ck_assert_uint_eq(o[0].sums.guidance, o[0].sums.tangents);
  free(o[0].grads), free(o[1].grads), free(weights);
  net_free(&net);
} END_TEST

/* However the gradients travel, in however many buckets; the more ranks, the more orders a sum may have. */
START_TEST(every_way_over_the_ranks_gives_one_gradient) {
  struct settings s = step_settings();
  struct net net;
  s.training.batch_size = 7;
  s.training.micro_batch = 2;
  tiny_net(&net, &s);
  real *weights = random_weights(&net);
  s.training.reduce = REDUCE_PLAIN;
  const struct outcome plain = gradient(&world, &net, &s, weights, 3, NO_FAULT);
  for (s.training.reduce = REDUCE_PLAIN; s.training.reduce <= REDUCE_TWOLEVEL; s.training.reduce++)
    for (s.training.bucket_mib = 1e-4; s.training.bucket_mib < 10; s.training.bucket_mib *= 50) {
      const struct outcome o = gradient(&world, &net, &s, weights, 3, NO_FAULT);
      const double error = gradient_error(&net, &o, &plain);
      const int bits = agree_same(world.comm, o.grads, net.table.size * sizeof(real));
      free(o.grads);
      ck_assert_double_le(worst_over_ranks(bits ? error : INFINITY), world.ranks > 2 ? 1e-6 : 0);
    }
  s.training.reduce = REDUCE_OVERLAP;
  s.training.bucket_mib = 1e-3;
  const struct outcome o = gradient(&world, &net, &s, weights, 3, BUCKET_LEFT_OUT);
  if (world.ranks > 1) ck_assert_double_gt(worst_over_ranks(gradient_error(&net, &o, &plain)), 1e-2);
  free(o.grads), free(plain.grads), free(weights);
  net_free(&net);
} END_TEST

/* These stand before the library's, whose own are PMPI_*: sums of buckets that begin while no rank waits for them; and, so that no
 * clock decides, a look at what has come waits for some of it. */
static int counting;
static size_t behind;

int MPI_Iallreduce(const void *from, void *to, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm, MPI_Request *q) {
  behind += counting && !watch_now().inside;
  return PMPI_Iallreduce(from, to, n, type, op, comm, q);
}
int MPI_Testsome(int n, MPI_Request q[], int *some, int which[], MPI_Status status[]) {
  return (counting ? PMPI_Waitsome : PMPI_Testsome)(n, q, some, which, status);
}

/* More than can be on their way at once have begun before the rank waits for them: some had come, and made room. */
START_TEST(gradients_travel_behind_the_way_back) {
  if (world.ranks == 1) return;
  struct settings s = step_settings();
  struct net net;
  struct step step;
  struct loader *loader;
  struct objective_sums sums;
  s.training.batch_size = 8;
  s.training.micro_batch = 1;
  s.training.bucket_mib = 1e-4;
  tiny_net(&net, &s);
  real *weights = random_weights(&net);
  tiny_must(step_init(&step, &world, &net, &s));
  tiny_must(loader_start(&loader, &tiny_data, step.seed, 0, step.batch, step.first, step.count, 0));
  counting = 1;
  behind = 0;
  tiny_must(step_gradient(&step, &world, loader, 0, weights, &sums));
  counting = 0;
  const size_t buckets = step.reduction.buckets.count, at_once = step.reduction.places;
  loader_stop(loader);
  step_free(&step);
  free(weights);
  net_free(&net);
  ck_assert_uint_gt(buckets, 3 * at_once);
  const double least = -worst_over_ranks(-(double)behind);
  ck_assert_msg(least > 2 * (double)at_once, "%g of %zu buckets, %zu at once", least, buckets, at_once);
} END_TEST

/* The linker puts this in the place of crew_newton_schulz (Makefile.am). */
static atomic_size_t newton_schulz_calls;
__typeof__(crew_newton_schulz) __real_crew_newton_schulz, __wrap_crew_newton_schulz;
void __wrap_crew_newton_schulz(const struct crew *c, size_t out, size_t in, real *X, real *work, void (*breathe)(void *),
                               void *context) {
  newton_schulz_calls++;
  __real_crew_newton_schulz(c, out, in, X, work, breathe, context);
}

/* COLLECTIVE. Weights after two steps of a whole trainer, the caller's to free; calls: of Newton-Schulz, on all ranks; matrices: of
 * the net. */
static real *weights_of_two_steps(const struct settings *s, double *calls, size_t *matrices) {
  struct trainer t = { .w = &world, .s = *s, .data.fd = -1 };
  struct objective_sums sums;
  double rate;
  snprintf(t.s.dataset.root, sizeof t.s.dataset.root, "%s/shapes.h5", tiny_folder);
  tiny_must(trainer_open(&t));
  tiny_must(trainer_allocate(&t));
  tiny_must(trainer_start(&t));
  newton_schulz_calls = 0;
  for (int k = 0; k < 2; k++) tiny_must(trainer_step(&t, &sums, &rate));
  state_settle(&t.state);
  *calls = (double)newton_schulz_calls;
  MPI_Allreduce(MPI_IN_PLACE, calls, 1, MPI_DOUBLE, MPI_SUM, world.comm);
  *matrices = 0;
  for (size_t i = 0; i < t.net.table.count; i++) *matrices += t.net.table.tensors[i].rule == RULE_MUON;
  real *weights = new_zeros(t.net.table.size);
  memcpy(weights, t.state.weights, t.net.table.size * sizeof *weights);
  trainer_close(&t);
  return weights;
}

START_TEST(newton_schulz_is_done_once_a_step) {
  struct settings s = tiny_settings();
  struct net net;
  double calls[2];
  size_t matrices;
  tiny_net(&net, &s);
  for (int shard = SHARD_AUTO; shard <= SHARD_OFF; shard++) {
    real *weights[2];
    s.training.shard = shard;
    for (int cut = 0; cut < 2; cut++) {
      s.training.micro_batch = cut ? 1 : 6;
      weights[cut] = weights_of_two_steps(&s, &calls[cut], &matrices);
    }
    const double error = relative_error(net.table.size, weights[1], weights[0]);
    free(weights[0]), free(weights[1]);
    ck_assert_uint_gt(matrices, 0);
    for (int cut = 0; cut < 2; cut++) ck_assert_double_eq(calls[cut], 2 * (double)matrices);
    ck_assert_double_lt(worst_over_ranks(error), 1e-3);
  }
  net_free(&net);
} END_TEST

/* An owner's part is that of the whole gradient, on whatever way it came; with more ranks than tensors some own nothing. */
START_TEST(an_owner_gets_its_part) {
  struct settings s = step_settings();
  struct net net;
  s.training.batch_size = 7;
  s.training.micro_batch = 2;
  tiny_net(&net, &s);
  share_matrices(&net.table, world.ranks);
  real *weights = random_weights(&net);
  s.training.reduce = REDUCE_PLAIN;
  const struct outcome plain = gradient(&world, &net, &s, weights, 3, NO_FAULT);
  s.training.shard = SHARD_ON;
  s.training.bucket_mib = 1e-3;
  for (; s.training.reduce <= REDUCE_TWOLEVEL; s.training.reduce++) {
    const struct outcome o = gradient(&world, &net, &s, weights, 3, NO_FAULT);
    double error = 0;
    for (size_t i = 0; i < net.table.count; i++) {
      const struct tensor *t = &net.table.tensors[i];
      if (t->owner == world.rank) error = fmax(error, relative_error(t->size, o.grads + t->offset, plain.grads + t->offset));
    }
    free(o.grads);
    ck_assert_double_le(worst_over_ranks(error), world.ranks > 2 ? 1e-6 : 0);
  }
  free(plain.grads), free(weights);
  net_free(&net);
} END_TEST

/* The bits of this rank's part of the gradient, and of the losses, are those of one rank alone, on every way and in any batch. */
START_TEST(reproducible_gradients_have_one_ranks_bits) {
  static const long batches[] = { 1, 7, 13 };
  struct settings s = step_settings();
  struct net net;
  s.training.reproducible = 1;
  s.training.bucket_mib = 1e-3;
  tiny_net(&net, &s);
  share_matrices(&net.table, world.ranks);
  real *weights = random_weights(&net);
  for (int b = 0; b < 3; b++)
    for (s.training.micro_batch = 0; s.training.micro_batch < 3; s.training.micro_batch++) {
      s.training.batch_size = batches[b];
      s.training.reduce = b == 0 ? REDUCE_PLAIN : b == 1 ? REDUCE_OVERLAP : REDUCE_TWOLEVEL;
      s.training.shard = s.training.micro_batch == 1 ? SHARD_OFF : SHARD_AUTO;
      const struct outcome one = gradient(&alone, &net, &s, weights, 3, NO_FAULT);
      const struct outcome all = gradient(&world, &net, &s, weights, 3, NO_FAULT);
      const struct share whole = { 0, net.table.size };
      const struct share mine = setup_sharded(&s, world.ranks) ? share_flat(&net.table, world.rank) : whole;
      const int differ = memcmp(all.grads + mine.first, one.grads + mine.first, mine.count * sizeof(real)) != 0
                         || memcmp(&all.sums, &one.sums, sizeof all.sums) != 0;
      free(one.grads), free(all.grads);
      ck_assert_double_eq(worst_over_ranks(differ), 0);
    }
  s.training.micro_batch = 2;   /* and it is the gradient */
  s.training.shard = SHARD_OFF;
  const struct outcome exact = gradient(&world, &net, &s, weights, 3, NO_FAULT);
  s.training.reproducible = 0;
  const struct outcome usual = gradient(&world, &net, &s, weights, 3, NO_FAULT);
  const double error = fmax(gradient_error(&net, &exact, &usual), sums_error(&exact.sums, &usual.sums));
  free(exact.grads), free(usual.grads), free(weights);
  net_free(&net);
  ck_assert_double_lt(worst_over_ranks(error), limit);
} END_TEST

START_TEST(the_same_again_has_the_same_bits) {
  struct settings s = step_settings();
  struct net net;
  s.training.batch_size = 7;
  tiny_net(&net, &s);
  real *weights = random_weights(&net);
  const struct outcome a = gradient(&world, &net, &s, weights, 3, NO_FAULT);
  const struct outcome b = gradient(&world, &net, &s, weights, 3, NO_FAULT);
  const int differ = memcmp(a.grads, b.grads, net.table.size * sizeof(real)) || memcmp(&a.sums, &b.sums, sizeof a.sums);
  free(a.grads);
  free(b.grads);
  free(weights);
  net_free(&net);
  ck_assert_double_eq(worst_over_ranks(differ), 0);
} END_TEST

START_TEST(a_rank_with_the_wrong_samples_is_seen) {
  struct settings s = step_settings();
  s.training.batch_size = 7;
  ck_assert_double_gt(compare(&s, 0, 3, OTHER_DRAWS), 100 * limit);
  if (world.ranks == 1) return;   /* no image before the first */
  ck_assert_double_gt(compare(&s, 0, 3, OTHER_IMAGES), 100 * limit);
} END_TEST

START_TEST(neighbouring_steps_differ) {   /* or the comparisons above would say little */
  struct settings s = step_settings();
  struct net net;
  tiny_net(&net, &s);
  real *weights = random_weights(&net);
  const struct outcome a = gradient(&world, &net, &s, weights, 0, NO_FAULT);
  const struct outcome b = gradient(&world, &net, &s, weights, 1, NO_FAULT);
  const double error = gradient_error(&net, &a, &b);
  free(a.grads);
  free(b.grads);
  free(weights);
  net_free(&net);
  ck_assert_double_gt(worst_over_ranks(error), 100 * limit);
} END_TEST

START_TEST(images_are_packed) { tiny_open(); } END_TEST      /* what the tests between need */
START_TEST(their_folder_is_removed) { tiny_close(); } END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "step",
                       (const TTest *[]){ images_are_packed, any_ranks_and_micro_batches_give_one_gradient,
                                          with_every_sampler_of_times_and_either_prediction,
                                          with_any_share_of_flow_matching_and_dropped_labels,
                                          with_networks_that_look_at_images, what_a_rank_asks_for_all_learn,
                                          a_rank_without_images_ends_the_step_of_all, without_classes_labels_do_not_matter,
                                          every_way_over_the_ranks_gives_one_gradient, gradients_travel_behind_the_way_back,
                                          newton_schulz_is_done_once_a_step, an_owner_gets_its_part,
                                          reproducible_gradients_have_one_ranks_bits,
                                          the_same_again_has_the_same_bits, a_rank_with_the_wrong_samples_is_seen,
                                          neighbouring_steps_differ, their_folder_is_removed, NULL });
}
