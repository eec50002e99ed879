/* What a step trains on is what SPEC says: images in their order, mirrored where a bit says so, noise, times, guidance, dropped
 * labels, and the mean over the batch. Told here once more without jobs/setup.c and jobs/step.c, for settings unlike the usual
 * ones, so that none of them can be forgotten or taken twice. */
#define HARNESS_MPI
#include "io/loader.h"
#include "jobs/step.h"
#include "src/flow/guidance.h"
#include "src/flow/times.h"
#include "tests/harness.h"
#include "tests/tiny.h"
#include "tests/outcome.h"

enum { B = 9, P = TINY_SIZE * TINY_SIZE * SHAPES_CHANNELS, SEED = 78, STEP = 5 };   /* the second step of the third epoch */
static const double limit = 1e-5;

static const struct net_config shape = { .image = TINY_SIZE, .patch = 4, .channels = SHAPES_CHANNELS, .width = 16,
  .depth = 2, .head_depth = 1, .heads = 2, .class_tokens = 2, .omega_tokens = 1, .interval_tokens = 1, .time_tokens = 1 };

/* What is set, and what the mathematics is to make of it. */
static const struct kind {
  int classes, times, prediction;
  double P_mean, P_std, data_proportion, noise_scale, cfg_beta, cfg_max, dropout, norm_p, norm_eps;
  int tr_uniform, flip;
  struct times draw;
  struct guidance guidance;
  struct objective_config objective;
} kinds[] = {
  { SHAPES, TIMES_TRIANGLE, PREDICTION_X, -0.3, 1.1, 0.25, 0.8, 2, 3, 0.4, 0.7, 0.1, 1, 1,
    { TIMES_OF_TRIANGLE, -0.3, 1.1, 0.25, 1 }, { 2, 3, 0.4, 0.25, 0 }, { PREDICT_X, 0.7, 0.1, NULL } },
  { SHAPES, TIMES_TRIANGLE, PREDICTION_U, 0.5, 0.6, 0.75, 2, 1, 5, 0.2, 1, 10, 0, 0,
    { TIMES_OF_TRIANGLE, 0.5, 0.6, 0.75, 0 }, { 1, 5, 0.2, 0.75, 0 }, { PREDICT_U, 1, 10, NULL } },
  { SHAPES, TIMES_EQUAL, PREDICTION_X, 0, 0.9, 0.25, 0.6, 0.5, 2, 0.4, 0.9, 0.05, 1, 0,
    { TIMES_ALL_EQUAL, 0, 0.9, 0.25, 1 }, { 0.5, 2, 0.4, 1, 0 }, { PREDICT_X, 0.9, 0.05, NULL } },
  { SHAPES, TIMES_ZERO, PREDICTION_U, 0.2, 1, 0.25, 1.3, 3, 4, 0.4, 0.8, 0.2, 0, 1,
    { TIMES_ALL_ZERO, 0.2, 1, 0.25, 0 }, { 3, 4, 0.4, 0, 0 }, { PREDICT_U, 0.8, 0.2, NULL } },
  { SHAPES, TIMES_BOTH, PREDICTION_X, 0.1, 1.2, 0.6, 0.7, 1, 6, 0.3, 1, 0.3, 1, 1,
    { TIMES_EQUAL_OR_ZERO, 0.1, 1.2, 0.6, 1 }, { 1, 6, 0.3, 0.6, 0 }, { PREDICT_X, 1, 0.3, NULL } },
  { 0, TIMES_TRIANGLE, PREDICTION_X, 0.1, 1.2, 0.6, 0.7, 1, 6, 0.3, 1, 0.3, 1, 1,
    { TIMES_OF_TRIANGLE, 0.1, 1.2, 0.6, 1 }, { 1, 6, 0.3, 0.6, 1 }, { PREDICT_X, 1, 0.3, NULL } },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static struct settings set(const struct kind *k) {
  struct settings s = tiny_settings();
  s.dataset.num_classes = k->classes;
  s.model.times = k->times;
  s.model.prediction = k->prediction;
  s.model.P_mean = k->P_mean, s.model.P_std = k->P_std;
  s.model.data_proportion = k->data_proportion;
  s.model.noise_scale = k->noise_scale;
  s.model.cfg_beta = k->cfg_beta, s.model.cfg_max = k->cfg_max;
  s.model.class_dropout_prob = k->dropout;
  s.model.norm_p = k->norm_p, s.model.norm_eps = k->norm_eps;
  s.model.tr_uniform = k->tr_uniform;
  s.dataset.use_flip = k->flip;
  s.training.batch_size = B;
  s.training.seed = SEED;
  s.training.shard = SHARD_OFF;
  s.training.micro_batch = 2;
  tiny_must(settings_check(&s));
  return s;
}

/* Sample j: image (step mod S) B + j of the epoch's permutation, S = floor(images / B), in [-1,1]; mirrored by its bit. */
static void image(const struct kind *k, uint32_t j, real *x, int32_t *y) {
  const uint64_t S = TINY_IMAGES / B, i = random_permute(SEED, STEP / S, TINY_IMAGES, STEP % S * B + j);
  uint8_t u8[TINY_SIZE][TINY_SIZE][SHAPES_CHANNELS];
  uint32_t bits;
  random_bits((struct purpose){ SEED, STREAM_FLIP, STEP, j }, 1, &bits);
  tiny_must(dataset_read(&tiny_data, SPLIT_TRAIN, i, &u8[0][0][0]));
  for (size_t row = 0; row < TINY_SIZE; row++)
    for (size_t column = 0; column < TINY_SIZE; column++)
      for (size_t c = 0; c < SHAPES_CHANNELS; c++)
        *x++ = ((real)u8[row][k->flip && bits & 1 ? TINY_SIZE - 1 - column : column][c] / 255 - (real)0.5) / (real)0.5;
  *y = k->classes ? tiny_data.labels[SPLIT_TRAIN][i] : 0;
}

/* The mean gradient over the batch, and the sums, of the objective itself. */
static struct outcome by_hand(const struct kind *k, const struct net *n, const real *weights) {
  static real x[B][P], e[B][P], t[B], r[B], w[B], t_min[B], t_max[B];
  static int32_t y[B];
  static int fm[B], drop[B];
  struct outcome o = { .grads = new_zeros(n->table.size) };
  for (uint32_t j = 0; j < B; j++) {
    image(k, j, x[j], &y[j]);
    random_normal((struct purpose){ SEED, STREAM_NOISE, STEP, j }, P, e[j]);
    for (size_t i = 0; i < P; i++) e[j][i] *= (real)k->noise_scale;
    times_draw(&k->draw, SEED, STEP, j, &t[j], &r[j], &fm[j]);
    guidance_draw(&k->guidance, SEED, STEP, j, fm[j], &w[j], &t_min[j], &t_max[j], &drop[j]);
  }
  const struct objective_batch batch = { B, x[0], e[0], t, r, w, t_min, t_max, y, fm, drop, SEED, STEP, 0 };
  struct arena a = { 0 };
  struct objective_work work;
  objective_layout(&a, n, B, B, &work);
  tiny_must(arena_init(&a));
  objective_layout(&a, n, B, B, &work);
  objective_gradient(&k->objective, n, weights, &work, &batch, o.grads, &o.sums, NULL, NULL);
  for (size_t i = 0; i < n->table.size; i++) o.grads[i] /= B;
  arena_free(&a);
  return o;
}

/* COLLECTIVE. The step's, on all ranks. */
static struct outcome by_step(const struct kind *k, const struct net *n, const real *weights) {
  const struct settings s = set(k);
  struct outcome o = { .grads = new_zeros(n->table.size) };
  struct step step;
  struct loader *loader;
  tiny_must(step_init(&step, &world, n, &s));
  tiny_must(loader_start(&loader, &tiny_data, SEED, s.dataset.use_flip, B, step.first, step.count, STEP));
  tiny_must(step_gradient(&step, &world, loader, STEP, weights, &o.sums));
  memcpy(o.grads, step.grads, n->table.size * sizeof *o.grads);
  loader_stop(loader);
  step_free(&step);
  return o;
}

static void begin(const struct kind *k, struct net *n, real **weights) {
  struct net_config c = shape;
  c.classes = (size_t)k->classes;
  tiny_must(net_init(n, &c, 0));
  *weights = random_weights(n);
}

START_TEST(a_batch_is_what_the_spec_says) {
  for (size_t i = 0; i < KINDS; i++) {
    struct net net;
    real *weights;
    begin(&kinds[i], &net, &weights);
    const struct outcome hand = by_hand(&kinds[i], &net, weights), step = by_step(&kinds[i], &net, weights);
    const double grads = worst_over_ranks(gradient_error(&net, &step, &hand));
    const double sums = worst_over_ranks(sums_error(&step.sums, &hand.sums));
    const double counts = worst_over_ranks(!same_counts(&step.sums, &hand.sums));
    free(hand.grads), free(step.grads), free(weights);
    net_free(&net);
    ck_assert_msg(grads < limit && sums < limit && !counts, "kind %zu: error of the gradient %g, of the sums %g%s", i, grads, sums,
                  counts > 0 ? ", other counts" : "");
  }
} END_TEST

/* And the comparison sees each setting: with one of another kind in its place the gradient is another. */
START_TEST(no_setting_is_without_effect) {
  struct net net;
  real *weights;
  begin(&kinds[0], &net, &weights);
  const struct outcome usual = by_hand(&kinds[0], &net, weights);
  for (int which = 0; which < 11; which++) {
    struct kind k = kinds[0];
    if (which == 0) k.noise_scale = 1;
    if (which == 1) k.draw.P_mean = 0.8;
    if (which == 2) k.draw.P_std = 0.8;
    if (which == 3) k.draw.data_proportion = 0.5;
    if (which == 4) k.draw.tr_uniform = 0;
    if (which == 5) k.guidance.cfg_beta = 1;
    if (which == 6) k.guidance.cfg_max = 7;
    if (which == 7) k.guidance.class_dropout_prob = 0.1;
    if (which == 8) k.objective.norm_p = 1;
    if (which == 9) k.objective.norm_eps = 0.01;
    if (which == 10) k.flip = 0;
    const struct outcome other = by_hand(&k, &net, weights);
    const double error = gradient_error(&net, &other, &usual);
    free(other.grads);
    ck_assert_msg(error > 10 * limit, "setting %d: %g", which, error);
  }
  free(usual.grads), free(weights);
  net_free(&net);
} END_TEST

START_TEST(images_are_packed) { tiny_open(); } END_TEST      /* what the tests between need */
START_TEST(their_folder_is_removed) { tiny_close(); } END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "batch", (const TTest *[]){ images_are_packed, a_batch_is_what_the_spec_says,
                                                                 no_setting_is_without_effect, their_folder_is_removed, NULL });
}
