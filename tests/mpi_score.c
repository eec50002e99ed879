/* A score is a law of the images: the same bits on any number of ranks, and those of the plain formulas (EXPECTATIONS E3, E7);
 * and an evaluation comes when it is due, within its share of the time (E10). */
#define HARNESS_MPI
#include "io/progress.h"
#include "jobs/evaluate.h"
#include "jobs/nearest.h"
#include "jobs/recall.h"
#include "mpi/agree.h"
#include "src/score/frechet.h"
#include "src/score/kernel.h"
#include "tests/harness.h"
#include "tests/tiny.h"

enum { D = CLASSIFIER_FEATURES, MOST = 200 };

static struct evaluator judge;
static struct settings settings;
static struct net net;
static real *weights;

/* COLLECTIVE. */
START_TEST(a_classifier_is_trained) {
  char path[400];
  tiny_open();
  snprintf(path, sizeof path, "%s/classifier.h5", tiny_folder);
  tiny_must(evaluator_open(&judge, EVALUATOR_JUDGE, &world, &tiny_data, path, 1));
  settings = tiny_settings();
  tiny_net(&net, &settings);
  weights = new_normal(1, net.table.size);   /* untrained ones make one grey image of all noise */
  for (size_t i = 0; i < net.table.size; i++) weights[i] *= 0.3f;
} END_TEST

static struct generate generator(void) {
  struct generate g = { .net = &net, .sampler = setup_sampler(&settings), .seed = 3, .n_labels = SHAPES };
  tiny_must(generate_init(&g));
  return g;
}

/* The score of n generated images against the first m of noise, by the ranks of w. COLLECTIVE over w. */
static struct score score_of(const struct world *w, size_t n, size_t m) {
  struct generate g = generator();
  struct scorer s = { .w = w, .judge = &judge, .pixels = net.pixels, .most = { MOST, MOST } };
  const struct generated_images generated = { &g, weights };
  const struct noise_images noise = { 5, net.pixels };
  const struct source images = source_generated(&generated), reference = source_noise(&noise);
  struct score score;
  tiny_must(scorer_init(&s));
  tiny_must(scorer_reference(&s, &reference, m));
  tiny_must(scorer_score(&s, &images, n, &score));
  scorer_free(&s);
  generate_free(&g);
  return score;
}

START_TEST(any_number_of_ranks_gives_the_same_bits) {
  const size_t sizes[][2] = { { 200, 130 }, { 64, 200 }, { 65, 2 }, { 3, 191 } };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const struct score all = score_of(&world, sizes[i][0], sizes[i][1]), one = score_of(&alone, sizes[i][0], sizes[i][1]);
    const int same = all.n == one.n && all.frechet == one.frechet && all.clipped == one.clipped && all.kernel == one.kernel &&
                     all.agreement == one.agreement;
    ck_assert_msg(!agree_any(world.comm, !same), "case %zu: %.17g %.17g %g against %.17g %.17g %g", i, all.frechet, all.kernel,
                  all.agreement, one.frechet, one.kernel, one.agreement);
  }
} END_TEST

/* Features of n images, all here, in one go. */
static float *features_of(const struct source *source, size_t n, double *agreement) {
  uint8_t *u8 = calloc(n, net.pixels);
  int32_t *labels = calloc(n, sizeof *labels), *classes = calloc(n, sizeof *classes);
  float *x = new_zeros(n * D);
  tiny_must(source->make(source->context, 0, n, u8, labels));
  evaluator_features(&judge, n, u8, x, classes);
  *agreement = 0;
  for (size_t i = 0; i < n; i++) *agreement += (labels[i] == classes[i]) / (double)n;
  free(u8);
  free(labels);
  free(classes);
  return x;
}

/* Mean and scatter in two passes. */
static struct moments plain_moments(size_t n, const float *x) {
  struct moments m = { D, (double)n, calloc(D, sizeof(double)), calloc(D * D, sizeof(double)) };
  for (size_t i = 0; i < n * D; i++) m.mean[i % D] += x[i] / (double)n;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < D; j++)
      for (size_t k = 0; k < D; k++) m.S[j * D + k] += (x[i * D + j] - m.mean[j]) * (x[i * D + k] - m.mean[k]);
  return m;
}

static double plain_kernel(const float *a, const float *b) {
  double sum = 0;
  for (size_t j = 0; j < D; j++) sum += (double)a[j] * (double)b[j];
  return pow(sum / D + 1, 3);
}

/* Mean of k over pairs; where both are one set, without those of an image with itself. */
static double plain_mean(size_t n, const float *x, size_t m, const float *y) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < m; j++)
      if (x != y || i != j) sum += plain_kernel(x + i * D, y + j * D);
  return sum / (double)(x == y ? n * (n - 1) : n * m);
}

START_TEST(scores_are_those_of_the_plain_formulas) {
  const size_t n = 190, m = 150;
  struct generate g = generator();
  const struct generated_images generated = { &g, weights };
  const struct noise_images noise = { 5, net.pixels };
  const struct source images = source_generated(&generated), reference = source_noise(&noise);
  double agreement, none, frechet;
  float *x = features_of(&images, n, &agreement), *y = features_of(&reference, m, &none);
  struct moments a = plain_moments(n, x), b = plain_moments(m, y);
  tiny_must(frechet_distance(&a, &b, &frechet));
  const double kernel = plain_mean(n, x, n, x) + plain_mean(m, y, m, y) - 2 * plain_mean(n, x, m, y);
  const struct score score = score_of(&world, n, m);
  ck_assert_double_lt(worst_over_ranks(fabs(score.frechet / frechet - 1)), 1e-9);
  ck_assert_double_lt(worst_over_ranks(fabs(score.kernel / kernel - 1)), 1e-9);
  ck_assert_double_lt(worst_over_ranks(fabs(score.agreement - agreement)), 1e-12);
  ck_assert_double_gt(frechet, 1e-3);
  free(x), free(y), free(a.mean), free(a.S), free(b.mean), free(b.S);
  generate_free(&g);
} END_TEST

/* Folders are packed class by class: any part of a score's images must be of all classes, and the same ones whatever else is asked. */
START_TEST(packed_images_come_in_an_order_of_their_own) {
  enum { BYTES = TINY_SIZE * TINY_SIZE * SHAPES_CHANNELS };
  const struct packed_images some = { &tiny_data, SPLIT_TRAIN, TINY_IMAGES - 2 }, all = { &tiny_data, SPLIT_TRAIN, TINY_IMAGES };
  const struct source chosen = source_packed(&some), whole = source_packed(&all);
  static uint8_t few[TINY_IMAGES][BYTES], u8[TINY_IMAGES][BYTES], one[BYTES];
  int32_t labels[TINY_IMAGES], few_labels[TINY_IMAGES];
  int moved = 0;
  tiny_must(whole.make(whole.context, 0, TINY_IMAGES, u8[0], labels));
  tiny_must(chosen.make(chosen.context, 0, TINY_IMAGES - 2, few[0], few_labels));
  ck_assert_mem_eq(few, u8, (TINY_IMAGES - 2) * BYTES);
  ck_assert_mem_eq(few_labels, labels, (TINY_IMAGES - 2) * sizeof *labels);
  for (size_t i = 0; i < TINY_IMAGES; i++) {
    int found = 0;
    tiny_must(dataset_read(&tiny_data, SPLIT_TRAIN, i, one));
    for (size_t k = 0; k < TINY_IMAGES; k++)
      if (!memcmp(one, u8[k], BYTES) && labels[k] == tiny_data.labels[SPLIT_TRAIN][i]) found++, moved += k != i;
    ck_assert_int_eq(found, 1);
  }
  ck_assert_int_gt(moved, TINY_IMAGES / 2);
} END_TEST

START_TEST(a_set_is_at_no_distance_from_itself) {
  const struct packed_images some = { &tiny_data, SPLIT_TRAIN, TINY_IMAGES - 2 };
  const struct packed_images all = { &tiny_data, SPLIT_TRAIN, TINY_IMAGES };
  const struct source chosen = source_packed(&some), whole = source_packed(&all);
  struct scorer s = { .w = &world, .judge = &judge, .pixels = net.pixels, .most = { MOST, MOST } };
  struct score same, nearly;
  tiny_must(scorer_init(&s));
  tiny_must(scorer_reference(&s, &whole, TINY_IMAGES));
  tiny_must(scorer_score(&s, &whole, TINY_IMAGES, &same));
  tiny_must(scorer_score(&s, &chosen, TINY_IMAGES - 2, &nearly));
  scorer_free(&s);
  ck_assert_double_lt(same.frechet, 1e-9 * nearly.frechet);
  ck_assert_double_gt(nearly.frechet, 0);
  ck_assert_double_lt(same.kernel, 0);   /* unbiased: the equal pairs are in the mixed mean alone */
} END_TEST

/* 1 where a mean is not that of its class. */
static int wrong_means(const uint8_t *means, size_t P, uint8_t *one) {
  int wrong = 0;
  for (size_t c = 0; c < SHAPES; c++)
    for (size_t j = 0; j < P; j++) {
      double sum = 0, count = 0;
      for (size_t i = 0; i < TINY_IMAGES; i++) {
        if (tiny_data.labels[SPLIT_TRAIN][i] != (int32_t)c) continue;
        tiny_must(dataset_read(&tiny_data, SPLIT_TRAIN, i, one));
        sum += one[j], count++;
      }
      wrong |= fabs(means[c * P + j] - (count > 0 ? sum / count : 0)) > 0.5000001;
    }
  return wrong;
}

/* 1 where an image is not the one that a permutation without repetition gives, or a class mean is not the mean. */
static int wrong_source(void) {
  const struct packed_images some = { &tiny_data, SPLIT_TRAIN, TINY_IMAGES - 1 };
  const struct source chosen = source_packed(&some);
  const size_t P = net.pixels;
  uint8_t *u8 = calloc(TINY_IMAGES, P), *one = calloc(1, P), *means;
  int32_t labels[TINY_IMAGES], label;
  int wrong = 0;
  tiny_must(chosen.make(chosen.context, 0, TINY_IMAGES - 1, u8, labels));
  for (size_t i = 0; i < TINY_IMAGES - 1; i++) {
    tiny_must(chosen.make(chosen.context, i, 1, one, &label));
    wrong |= label != labels[i] || memcmp(one, u8 + i * P, P);
    for (size_t j = 0; j < i; j++) wrong |= !memcmp(u8 + j * P, one, P);
  }
  const size_t rooms[] = { source_means_room, 1, 3 * P * sizeof(double) };   /* all classes at once, each alone, three */
  for (size_t k = 0; k < 3; k++) {
    source_means_room = rooms[k];
    wrong |= source_means_bytes(&tiny_data) != P * SHAPES + P * sizeof(double) * (size_t[]){ SHAPES, 1, 3 }[k];
    tiny_must(source_class_means(&world, &tiny_data, &means));
    wrong |= wrong_means(means, P, one);
    free(means);
  }
  source_means_room = rooms[0];
  free(u8), free(one);
  return wrong;
}

START_TEST(sources_are_what_they_say) { ck_assert(!agree_any(world.comm, wrong_source())); } END_TEST

START_TEST(an_image_does_not_depend_on_its_share) {
  enum { N = 37 };
  struct generate g = generator();
  uint8_t *all = calloc(N, net.pixels), *part = calloc(N, net.pixels);
  size_t next = 0;
  int wrong = 0;
  generate_images(&g, weights, 0, N, all);
  for (int k = 0; k < 5; k++) {
    size_t first, count;
    generate_share(N, k, 5, &first, &count);
    wrong |= count && first != next;
    if (count) generate_images(&g, weights, first, count, part + first * net.pixels);
    next += count;
  }
  wrong |= next != N || memcmp(all, part, N * net.pixels);
  free(all), free(part);
  generate_free(&g);
  ck_assert(!agree_any(world.comm, wrong));
} END_TEST

static int stop_on_the_last(void *calls) { return ++*(int *)calls == 2 && world.rank == world.ranks - 1; }

START_TEST(a_stop_on_one_rank_ends_the_score_on_all) {
  int calls = 0;
  const struct noise_images noise = { 5, net.pixels };
  const struct source source = source_noise(&noise);
  struct scorer s = { .w = &world, .judge = &judge, .pixels = net.pixels, .most = { 100 * MOST, 2 }, .stop = stop_on_the_last,
                      .stop_context = &calls };
  tiny_must(scorer_init(&s));
  const int status = scorer_reference(&s, &source, 100 * MOST);
  scorer_free(&s);
  ck_assert(!agree_any(world.comm, status != STATUS_SAVED || calls != 2));
} END_TEST

static struct nearest nearest_of(const struct world *w, const struct source *source, size_t n) {
  struct nearest result;
  tiny_must(nearest_training(w, &tiny_data, source, n, &result));
  return result;
}

/* Squares of the distances to the nearest training image and the next, image by image. */
static double plain_nearest(size_t n, const uint8_t *images, double *memorised) {
  const size_t P = net.pixels;
  uint8_t *one = calloc(1, P);
  double sum = 0;
  *memorised = 0;
  for (size_t i = 0; i < n; i++) {
    double d1 = INFINITY, d2 = INFINITY;
    for (size_t k = 0; k < TINY_IMAGES; k++) {
      double d = 0;
      tiny_must(dataset_read(&tiny_data, SPLIT_TRAIN, k, one));
      for (size_t j = 0; j < P; j++) d += (images[i * P + j] - one[j]) * (images[i * P + j] - one[j]);
      if (d < d1) d2 = d1, d1 = d;
      else if (d < d2) d2 = d;
    }
    *memorised += (3 * sqrt(d1) < sqrt(d2)) / (double)n;
    sum += sqrt(d1 / (double)P) / (double)n;
  }
  free(one);
  return sum;
}

/* Every third is a training image, a little changed, or two thirds of one with a third of the next; the others are noise. */
static int mostly_noise(const void *context, size_t first, size_t count, uint8_t *u8, int32_t *labels) {
  const struct noise_images noise = { 5, net.pixels };
  const struct source source = source_noise(&noise);
  (void)context;
  tiny_must(source.make(source.context, first, count, u8, labels));
  for (size_t i = 0; i < count; i++)
    if ((first + i) % 3 == 0) {
      const size_t k = (first + i) % TINY_IMAGES, P = net.pixels;
      uint8_t *x = u8 + i * P, next[TINY_SIZE * TINY_SIZE * SHAPES_CHANNELS];
      tiny_must(dataset_read(&tiny_data, SPLIT_TRAIN, k, x));
      tiny_must(dataset_read(&tiny_data, SPLIT_TRAIN, (k + 1) % TINY_IMAGES, next));
      for (size_t j = 0; j < P && (first + i) % 2; j++) x[j] = (uint8_t)((2 * x[j] + next[j] + 1) / 3);
      x[0] ^= 3;
    }
  return STATUS_OK;
}

START_TEST(images_seen_again_are_counted) {
  enum { N = 61 };
  const struct packed_images all = { &tiny_data, SPLIT_TRAIN, TINY_IMAGES };
  const struct source training = source_packed(&all), mixed = { mostly_noise, NULL };
  uint8_t *u8 = calloc(N, net.pixels);
  int32_t labels[N];
  double memorised;
  mostly_noise(NULL, 0, N, u8, labels);
  const double distance = plain_nearest(N, u8, &memorised);
  const struct nearest same = nearest_of(&world, &training, TINY_IMAGES), some = nearest_of(&world, &mixed, N),
                       one = nearest_of(&alone, &mixed, N);
  free(u8);
  ck_assert(!agree_any(world.comm, same.memorised != 1 || same.distance != 0 || same.n != TINY_IMAGES));
  ck_assert_msg(!agree_any(world.comm, fabs(some.memorised - memorised) > 1e-12 || fabs(some.distance / distance - 1) > 1e-12),
                "%g and %g, by the formula %g and %g", some.memorised, some.distance, memorised, distance);
  ck_assert_double_gt(some.memorised, 0.15);
  ck_assert_double_lt(some.memorised, 0.25);
  ck_assert(!agree_any(world.comm, memcmp(&some, &one, sizeof some)));
} END_TEST

static double square_of(const float *a, const float *b) {
  double sum = 0;
  for (size_t j = 0; j < D; j++) sum += ((double)a[j] - b[j]) * ((double)a[j] - b[j]);
  return sum;
}

/* The share of x inside the ball of some y, that reaches to y's third nearest in its own set. */
static double plain_cover(size_t n, const float *x, size_t m, const float *y) {
  double count = 0, radius[MOST];
  for (size_t j = 0; j < m; j++) {
    double near[3] = { INFINITY, INFINITY, INFINITY };
    for (size_t k = 0; k < m; k++) {
      double d = k == j ? INFINITY : square_of(y + j * D, y + k * D);
      for (int p = 0; p < 3; p++)
        if (d < near[p]) {
          const double out = near[p];
          near[p] = d, d = out;
        }
    }
    radius[j] = near[2];
  }
  for (size_t i = 0; i < n; i++) {
    int inside = 0;
    for (size_t j = 0; j < m; j++) inside |= square_of(x + i * D, y + j * D) <= radius[j];
    count += inside;
  }
  return count / (double)n;
}

/* Against a second reference images have the score that they have where it is the first, and the first stays as it was. */
START_TEST(a_second_reference_is_as_the_first) {
  enum { N = 190, M = 150, FEW = 70 };
  const struct noise_images noise = { 5, net.pixels }, other = { 6, net.pixels };
  const struct source mixed = { mostly_noise, NULL }, one = source_noise(&noise), two = source_noise(&other);
  struct scorer s = { .w = &world, .judge = &judge, .pixels = net.pixels, .most = { M, N, M } };
  struct score first[2], second[2];
  tiny_must(scorer_init(&s));
  for (int k = 0; k < 2; k++) {
    tiny_must(scorer_reference(&s, k ? &two : &one, k ? FEW : M));
    tiny_must(scorer_second(&s, k ? &one : &two, k ? M : FEW));
    tiny_must(scorer_score(&s, &mixed, N, &first[k]));
    tiny_must(scorer_score_second(&s, &second[k]));
  }
  scorer_free(&s);
  ck_assert(!agree_any(world.comm, memcmp(&first[0], &second[1], sizeof *first) || memcmp(&first[1], &second[0], sizeof *first)));
  ck_assert(first[0].frechet != first[1].frechet && first[0].kernel != first[1].kernel);
} END_TEST

/* By the formula, over several chunks of both sets; of a set against itself all is covered. */
START_TEST(precision_and_recall_are_those_of_the_formula) {
  enum { N = 190, M = 150 };
  const struct packed_images all = { &tiny_data, SPLIT_TRAIN, TINY_IMAGES };
  const struct noise_images noise = { 5, net.pixels };
  const struct source whole = source_packed(&all), mixed = { mostly_noise, NULL }, other = source_noise(&noise);
  struct scorer s = { .w = &world, .judge = &judge, .pixels = net.pixels, .most = { MOST, MOST } };
  struct score score;
  double none, precision[2], recall[2];
  float *x = features_of(&mixed, N, &none), *y = features_of(&other, M, &none);
  tiny_must(scorer_init(&s));
  tiny_must(scorer_reference(&s, &other, M));
  tiny_must(scorer_score(&s, &mixed, N, &score));
  tiny_must(recall_of(&s, &precision[0], &recall[0]));
  tiny_must(scorer_reference(&s, &whole, TINY_IMAGES));
  tiny_must(scorer_score(&s, &whole, TINY_IMAGES, &score));
  tiny_must(recall_of(&s, &precision[1], &recall[1]));
  const double should[2] = { plain_cover(N, x, M, y), plain_cover(M, y, N, x) };
  scorer_free(&s);
  free(x), free(y);
  ck_assert(!agree_any(world.comm, precision[1] != 1 || recall[1] != 1));
  ck_assert_msg(!agree_any(world.comm, fabs(precision[0] - should[0]) > 1e-12 || fabs(recall[0] - should[1]) > 1e-12),
                "%g and %g, by the formula %g and %g", precision[0], recall[0], should[0], should[1]);
  ck_assert_double_lt(should[0], 0.999);
} END_TEST

START_TEST(an_evaluation_waits_for_its_turn) {
  struct evaluation e = { .every = 10, .share = 1, .guess = 5, .last = 0 };
  ck_assert(!evaluate_due(&e, 9, -1, 0, -1));
  ck_assert(evaluate_due(&e, 10, -1, 0, -1));
  ck_assert(evaluate_due(&e, 13, -1, 0, -1));   /* put off, not forgotten */
  e.last = 13;
  ck_assert(!evaluate_due(&e, 19, -1, 0, -1));
  ck_assert(evaluate_due(&e, 20, -1, 0, -1));
  ck_assert(!evaluate_due(&e, 20, -1, 0, 4));    /* the end is nearer */
  ck_assert(!evaluate_due(&e, 20, 4, 60, -1));   /* a save */
  ck_assert(evaluate_due(&e, 20, 4, 7, -1));     /* saves come so often that there is no better time */
  e.share = 0.1;
  e.began = progress_clock() - 100;
  ck_assert(evaluate_due(&e, 20, -1, 0, -1));    /* 5 s in 100 */
  e.spent = 6;
  ck_assert(!evaluate_due(&e, 20, -1, 0, -1));
  e.every = 0;
  ck_assert(!evaluate_due(&e, 20, -1, 0, -1));
} END_TEST

START_TEST(the_plan_counts_its_memory) {
  struct settings s = settings;
  s.fid.num_samples = 130;
  s.fid.online_samples = 300;
  const size_t without = needs_of(&net, &s, world.ranks, 0).total;
  s.fid.every_steps = 10;
  const struct needs k = needs_of(&net, &s, world.ranks, 0);
  struct generate g = generator();
  struct scorer scorer = { .w = &world, .pixels = net.pixels, .most = { 130, 300 } };
  tiny_must(scorer_init(&scorer));
  const size_t taken = (g.arena.size + scorer.arena.size + judge.arena.size) * sizeof(real);
  const int right = k.evaluation == taken && k.total == without + taken + k.classifier && k.classifier && scorer.arena.used == scorer.arena.size;
  scorer_free(&scorer);
  generate_free(&g);
  ck_assert_msg(!agree_any(world.comm, !right), "planned %zu, taken %zu", k.evaluation, taken);
} END_TEST

START_TEST(all_is_given_back) {
  free(weights);
  net_free(&net);
  evaluator_close(&judge);
  tiny_close();
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "score",
                       (const TTest *[]){ a_classifier_is_trained, any_number_of_ranks_gives_the_same_bits,
                                          scores_are_those_of_the_plain_formulas, packed_images_come_in_an_order_of_their_own,
                                          a_set_is_at_no_distance_from_itself,
                                          sources_are_what_they_say, an_image_does_not_depend_on_its_share,
                                          a_stop_on_one_rank_ends_the_score_on_all, images_seen_again_are_counted,
                                          precision_and_recall_are_those_of_the_formula, a_second_reference_is_as_the_first,
                                          an_evaluation_waits_for_its_turn, the_plan_counts_its_memory,
                                          all_is_given_back, NULL });
}
