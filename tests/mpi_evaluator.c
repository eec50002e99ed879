/* The evaluator: trained by any number of ranks and threads to the same bits, kept, read again, and refused to other data. */
#define HARNESS_MPI
#include <omp.h>
#include <sys/stat.h>

#include "jobs/evaluator.h"
#include "jobs/evaluator_train.h"
#include "src/optim/adam.h"
#include "tests/harness.h"
#include "tests/tiny.h"

enum { SIZE = 8, CLASSES = 4, MOST = 150 };

/* Noise, with one quarter of the image brighter: which one is the class. */
static void draw_quarter(uint32_t which, uint8_t *image) {
  const size_t class = which % CLASSES;
  real noise[SIZE * SIZE];
  fill_normal(which, SIZE * SIZE, noise);
  for (size_t i = 0; i < SIZE * SIZE; i++) {
    const size_t quarter = i / SIZE / (SIZE / 2) * 2 + i % SIZE / (SIZE / 2);
    image[i] = (uint8_t)fmin(fmax(60 + 20 * noise[i] + 80 * (quarter == class), 0), 255);
  }
}

/* COLLECTIVE. So many training and held-out images, in the folder of tiny.h; of the half `other` (each class's first, third, ...
 * training image, or its second, fourth, ...) others of the same classes than without. */
enum { NEITHER = -1 };
static void pack_but(const char *name, uint32_t first, size_t count, size_t heldout_count, int other) {
  static char names[CLASSES][CLASS_NAME_MAX] = { "a", "b", "c", "d" };
  static uint8_t pixels[2][MOST][SIZE * SIZE];
  int32_t labels[2][MOST];
  char path[300];
  size_t dropped;
  for (uint32_t split = 0; split < 2; split++)
    for (uint32_t i = 0; i < MOST; i++) {
      const uint32_t changed = !split && (int)(i / CLASSES % 2) == other;
      const uint32_t which = first + (split + 2 * changed) * 4 * MOST + i;
      draw_quarter(which, pixels[split][i]);
      labels[split][i] = (int32_t)(which % CLASSES);
    }
  const struct images train = { count, SIZE, 1, CLASSES, pixels[0][0], labels[0] };
  const struct images heldout = { heldout_count, SIZE, 1, CLASSES, pixels[1][0], labels[1] };
  snprintf(path, sizeof path, "%s/%s", tiny_folder, name);
  if (!world.rank) tiny_must(dataset_write(path, &train, &heldout, names, "quarters", "a test", &dropped));
  MPI_Barrier(world.comm);
}
static void pack(const char *name, uint32_t first, size_t count, size_t heldout_count) {
  pack_but(name, first, count, heldout_count, NEITHER);
}
static struct dataset open_pack(const char *name) {
  struct dataset d;
  char path[300];
  snprintf(path, sizeof path, "%s/%s", tiny_folder, name);
  tiny_must(dataset_open(&d, path));
  return d;
}

enum { STEPS = 12, SEED = 3 };

/* COLLECTIVE over w. The weights after some steps; the caller frees them. */
static real *train(const struct world *w, const struct classifier *net, const struct dataset *d) {
  real *weights = new_zeros(net->table.size);
  tiny_must(evaluator_train(net, w, d, SEED, STEPS, weights, 0));
  return weights;
}

/* The same by the book: the whole batch at once, in one thread, its images by the order that loader.h promises. */
static real *train_plainly(const struct classifier *net, const struct dataset *d, size_t batch) {
  const size_t n = net->table.size, images = d->count[SPLIT_TRAIN], epoch = images / batch;
  static const struct adam adam = { .b1 = 0.9, .b2 = 0.999 };
  struct arena arena = { 0 };
  struct classifier_work work;
  classifier_layout(&arena, net, batch, 1, &work);
  tiny_must(arena_init(&arena));
  classifier_layout(&arena, net, batch, 1, &work);
  real *weights = new_zeros(n), *g = new_zeros(n), *m = new_zeros(n), *s = new_zeros(n), *x = new_zeros(batch * SIZE * SIZE);
  real *features = new_zeros(batch * CLASSIFIER_FEATURES), *logits = new_zeros(batch * CLASSES);
  int32_t y[MOST];
  table_init_weights(&net->table, SEED, weights);
  for (size_t k = 0; k < STEPS; k++) {
    for (size_t b = 0; b < batch; b++) {
      uint8_t u8[SIZE * SIZE];
      const size_t i = random_permute(SEED, k / epoch, images, k % epoch * batch + b);
      tiny_must(dataset_read(d, SPLIT_TRAIN, i, u8));
      for (size_t p = 0; p < SIZE * SIZE; p++) x[b * SIZE * SIZE + p] = (real)u8[p] / (real)127.5 - 1;
      y[b] = d->labels[SPLIT_TRAIN][i];
    }
    memset(g, 0, n * sizeof *g);
    classifier_forward(net, weights, &work, batch, x, features, logits);
    classifier_backward(net, weights, &work, batch, logits, y, g);
    for (size_t i = 0; i < n; i++) g[i] /= (real)batch;
    adam_update(&adam, n, k + 1, 3e-3 * (double)k / 50, g, m, s, weights);   /* still warming up */
  }
  free(g), free(m), free(s), free(x), free(features), free(logits);
  arena_free(&arena);
  return weights;
}

/* |a - b| against |b - start|, by length: where a gradient is all but zero Adam makes much of its rounding. */
static double way_apart(const struct classifier *net, const real *a, const real *b) {
  const size_t n = net->table.size;
  real *start = new_zeros(n), *apart = new_zeros(n);
  table_init_weights(&net->table, SEED, start);
  for (size_t i = 0; i < n; i++) apart[i] = a[i] - b[i], start[i] = b[i] - start[i];
  const double way = dot(n, start, start), error = way > 0 ? sqrt(dot(n, apart, apart) / way) : INFINITY;
  free(start), free(apart);
  return error;
}

START_TEST(any_ranks_and_threads_train_the_same) {
  static const size_t counts[][2] = { { MOST, 128 }, { 23, 23 } };   /* images, batch: 8 shards; a whole and a short one */
  for (int k = 0; k < 2; k++) {
    pack("train.h5", (uint32_t)k, counts[k][0], 71);
    struct dataset d = open_pack("train.h5");
    struct classifier net;
    tiny_must(classifier_init(&net, SIZE, 1, CLASSES));
    const size_t bytes = net.table.size * sizeof(real);
    real *all = train(&world, &net, &d), *one = train(&alone, &net, &d);
    omp_set_num_threads(3);
    real *threaded = train(&alone, &net, &d);
    omp_set_num_threads(1);
    real *plain = train_plainly(&net, &d, counts[k][1]);
    const int differ = memcmp(all, one, bytes) || memcmp(all, threaded, bytes);
    const double apart = way_apart(&net, one, plain);
    free(all), free(one), free(threaded), free(plain);
    classifier_free(&net);
    dataset_close(&d);
    ck_assert_double_eq(worst_over_ranks(differ), 0);
    ck_assert_double_lt(worst_over_ranks(apart), 1e-3);
  }
} END_TEST

/* Whether they differ in hash, accuracy, or in features of held-out images, whichever way these are cut into calls. */
static int differs(const struct evaluator *a, const struct evaluator *b, const struct dataset *d) {
  enum { N = 71, F = CLASSIFIER_FEATURES };
  static uint8_t u8[N][SIZE * SIZE];
  static float all[N][F], some[N][F];
  int32_t class[N], again[N];
  const size_t cut = 1 + (size_t)world.rank * 13;
  for (size_t i = 0; i < N; i++) tiny_must(dataset_read(d, SPLIT_HELDOUT, i, u8[i]));
  evaluator_features(a, N, u8[0], all[0], class);
  evaluator_features(b, cut, u8[0], some[0], again);
  evaluator_features(b, N - cut, u8[cut], some[cut], again + cut);
  return strcmp(a->hash, b->hash) || a->accuracy != b->accuracy || memcmp(all, some, sizeof all)
         || memcmp(class, again, sizeof class) || class[0] != d->labels[SPLIT_HELDOUT][0];
}

START_TEST(a_kept_one_is_read_not_trained) {
  struct evaluator first, second;
  struct stat before, after;
  char path[300];
  pack("kept.h5", 0, 23, 71);
  struct dataset d = open_pack("kept.h5");
  evaluator_path(d.path, EVALUATOR_JUDGE, path, sizeof path);
  tiny_must(evaluator_open(&first, EVALUATOR_JUDGE, &world, &d, path, 1));
  MPI_Barrier(world.comm);
  const int lost = stat(path, &before);
  tiny_must(evaluator_open(&second, EVALUATOR_JUDGE, &world, &d, path, 1));
  const int wrong = lost || stat(path, &after) || before.st_mtim.tv_nsec != after.st_mtim.tv_nsec
                    || before.st_ino != after.st_ino || differs(&first, &second, &d);
  const double missed = 1 - first.accuracy;
  evaluator_close(&first);
  evaluator_close(&second);
  dataset_close(&d);
  ck_assert_double_eq(worst_over_ranks(wrong), 0);
  ck_assert_double_eq(worst_over_ranks(missed), 0);
} END_TEST

/* COLLECTIVE. Whether opening fails on every rank with these words, and leaves nothing open. */
static int refuses(const struct dataset *d, const char *path, const char *words) {
  struct evaluator e;
  const int status = evaluator_open(&e, EVALUATOR_JUDGE, &world, d, path, 1);
  return status == STATUS_BAD && strstr(status_reason(), words) && !e.weights && !e.net.table.tensors;
}

START_TEST(another_ones_file_is_refused) {
  struct evaluator e;
  char path[300];
  pack("mine.h5", 0, 23, 71);
  pack("other.h5", 1, 23, 71);
  pack("untested.h5", 0, 23, 0);
  struct dataset mine = open_pack("mine.h5"), other = open_pack("other.h5"), untested = open_pack("untested.h5");
  evaluator_path(mine.path, EVALUATOR_JUDGE, path, sizeof path);
  tiny_must(evaluator_open(&e, EVALUATOR_JUDGE, &world, &mine, path, 1));
  evaluator_close(&e);
  int wrong = !refuses(&other, path, "other images") + !refuses(&untested, path, "held-out");
  MPI_Barrier(world.comm);
  struct stat facts;
  if (!world.rank) wrong += stat(path, &facts) || truncate(path, facts.st_size / 2);
  MPI_Barrier(world.comm);
  wrong += !refuses(&mine, path, path);
  dataset_close(&mine), dataset_close(&other), dataset_close(&untested);
  ck_assert_double_eq(worst_over_ranks(wrong), 0);
} END_TEST

/* COLLECTIVE. The classifier of this role, trained on `name`; closed, but for what names it. */
static struct evaluator trained_as(enum evaluator_role role, const char *name) {
  char path[300];
  struct evaluator e;
  struct dataset d = open_pack(name);
  evaluator_path(d.path, role, path, sizeof path);
  tiny_must(evaluator_open(&e, role, &world, &d, path, 1));
  struct evaluator facts = { .accuracy = e.accuracy, .seed = e.seed, .net.kernel = e.net.kernel };
  facts.net.table.size = e.net.table.size;
  memcpy(facts.hash, e.hash, sizeof facts.hash);
  evaluator_close(&e);
  dataset_close(&d);
  return facts;
}

/* Change all that the loss's classifier learns from: the judge of the other half stays the same to the bit. And the other way
 * round. They differ in architecture and seed too, and each of them has met all classes. */
START_TEST(no_run_is_judged_by_what_it_was_trained_on) {
  enum { IMAGES = 48 };
  static const char *const names[] = { "same.h5", "first.h5", "second.h5" };   /* which half has other images */
  struct evaluator loss[3], half[3], all[2];
  for (int k = 0; k < 3; k++) {
    pack_but(names[k], 0, IMAGES, 71, k - 1);
    loss[k] = trained_as(EVALUATOR_LOSS, names[k]);
    half[k] = trained_as(EVALUATOR_HALF, names[k]);
    if (k < 2) all[k] = trained_as(EVALUATOR_JUDGE, names[k]);
  }
  ck_assert_str_eq(half[1].hash, half[0].hash);
  ck_assert_str_ne(half[2].hash, half[0].hash);
  ck_assert_str_ne(loss[1].hash, loss[0].hash);
  ck_assert_str_eq(loss[2].hash, loss[0].hash);
  ck_assert_str_ne(all[1].hash, all[0].hash);
  ck_assert_str_ne(all[0].hash, half[0].hash);
  ck_assert(loss[0].net.kernel != half[0].net.kernel && loss[0].net.table.size != half[0].net.table.size);
  ck_assert(loss[0].seed != half[0].seed && loss[0].seed != all[0].seed);
  ck_assert_double_gt(fmin(loss[0].accuracy, half[0].accuracy), 0.95);
} END_TEST

/* One classifier's file is not taken for another's: those that the law above left. */
START_TEST(a_file_of_another_role_is_refused) {
  char path[300];
  int wrong = 0;
  struct dataset d = open_pack("same.h5");
  for (int role = EVALUATOR_JUDGE; role <= EVALUATOR_HALF; role++) {
    struct evaluator e;
    evaluator_path(d.path, role, path, sizeof path);
    for (int asked = EVALUATOR_JUDGE; asked <= EVALUATOR_HALF; asked++) {
      const int status = evaluator_open(&e, asked, &world, &d, path, 1);
      if (asked == role) wrong += status != STATUS_OK;
      else wrong += status != STATUS_BAD || !strstr(status_reason(), "a classifier of another kind");
      evaluator_close(&e);
    }
  }
  dataset_close(&d);
  ck_assert_double_eq(worst_over_ranks(wrong), 0);
} END_TEST

START_TEST(a_folder_is_made) { tiny_open(); } END_TEST       /* what the tests between need */
START_TEST(the_folder_is_removed) { tiny_close(); } END_TEST

START_TEST(its_place_is_beside_the_data) {
  char path[64];
  evaluator_path("a/fashion.h5", EVALUATOR_JUDGE, path, sizeof path);
  ck_assert_str_eq(path, "a/fashion.classifier.h5");
  evaluator_path("images", EVALUATOR_JUDGE, path, sizeof path);
  ck_assert_str_eq(path, "images.classifier.h5");
  evaluator_path("a/fashion.h5", EVALUATOR_LOSS, path, sizeof path);
  ck_assert_str_eq(path, "a/fashion.loss.h5");
  evaluator_path("a/fashion.h5", EVALUATOR_HALF, path, sizeof path);
  ck_assert_str_eq(path, "a/fashion.judge.h5");
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "evaluator",
                       (const TTest *[]){ a_folder_is_made, any_ranks_and_threads_train_the_same,
                                          a_kept_one_is_read_not_trained, another_ones_file_is_refused,
                                          no_run_is_judged_by_what_it_was_trained_on, a_file_of_another_role_is_refused,
                                          its_place_is_beside_the_data, the_folder_is_removed, NULL });
}
