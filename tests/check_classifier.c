/* The classifier alone: what an image's features may depend on, that it learns, and its file. */
#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/classifier_file.h"
#include "io/dataset.h"
#include "src/base/status.h"
#include "src/optim/adam.h"
#include "src/vision/classifier.h"
#include "tests/folder.h"
#include "tests/harness.h"

enum { F = CLASSIFIER_FEATURES };

static struct classifier_work new_work(const struct classifier *c, size_t B, int backward, struct arena *a) {
  struct classifier_work w;
  *a = (struct arena){ 0 };
  classifier_layout(a, c, B, backward, &w);
  if (arena_init(a)) abort();
  classifier_layout(a, c, B, backward, &w);
  return w;
}

/* The same image at every place among 64, with others around it each time, on one thread and on three: the same bits. */
static void check_places(size_t size, size_t channels) {
  enum { B = 64, CLASSES = 7 };
  const size_t pixels = size * size * channels;
  const int threads = omp_get_max_threads();
  struct classifier c;
  struct arena arena;
  ck_assert_int_eq(classifier_init(&c, size, channels, CLASSES), STATUS_OK);
  real *weights = new_zeros(c.table.size), *image = new_normal(1, pixels), *images = new_zeros(B * pixels);
  real *features = new_zeros(B * F), *logits = new_zeros(B * CLASSES), kept[F], kept_logits[CLASSES];
  table_init_weights(&c.table, 1, weights);
  for (size_t place = 0; place < B; place++) {
    omp_set_num_threads(place % 2 ? 3 : 1);
    const struct classifier_work w = new_work(&c, B, 0, &arena);
    fill_normal(2 + (uint32_t)place, B * pixels, images);
    memcpy(images + place * pixels, image, pixels * sizeof *image);
    classifier_forward(&c, weights, &w, B, images, features, logits);
    if (!place) memcpy(kept, features, sizeof kept), memcpy(kept_logits, logits, sizeof kept_logits);
    ck_assert_mem_eq(kept, features + place * F, sizeof kept);
    ck_assert_mem_eq(kept_logits, logits + place * CLASSES, sizeof kept_logits);
    arena_free(&arena);
  }
  omp_set_num_threads(threads);
  ck_assert_double_gt(max_abs(F, kept), 0);
  free(weights), free(image), free(images), free(features), free(logits);
  classifier_free(&c);
}
START_TEST(features_depend_on_the_image_alone) {
  check_places(28, 1);
  check_places(17, 3);
  check_places(40, 3);
} END_TEST

START_TEST(sizes_set_the_layers) {
  static const size_t expected[][3] = { { 8, 1, 4 }, { 9, 1, 4 }, { 16, 1, 8 }, { 28, 2, 7 }, { 32, 2, 8 }, { 64, 3, 8 },
                                        { 256, 5, 8 }, { 2048, 8, 8 } };   /* pixels, convolutions, pixels left */
  struct classifier c;
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    ck_assert_int_eq(classifier_init(&c, expected[i][0], 3, 10), STATUS_OK);
    ck_assert_uint_eq(c.layers, expected[i][1]);
    ck_assert_uint_eq(c.side[c.layers], expected[i][2]);
    ck_assert_uint_eq(c.width[c.layers], 64);
    ck_assert_uint_eq(table_find(&c.table, "conv1.weight")->shape[1], 3);
    ck_assert_uint_eq(table_find(&c.table, "logits.weight")->shape[0], 10);
    classifier_free(&c);
  }
  ck_assert_int_eq(classifier_init(&c, 7, 3, 10), STATUS_BAD);
  ck_assert_int_eq(classifier_init(&c, 2049, 3, 10), STATUS_BAD);
} END_TEST

/* Noise, with one quarter of the image brighter: which one is the class. */
static void draw_quarter(uint32_t which, size_t size, size_t class, real *image) {
  fill_normal(which, size * size, image);
  for (size_t i = 0; i < size * size; i++) image[i] = (real)0.3 * image[i] - (real)0.5;
  for (size_t i = 0; i < size / 2; i++)
    for (size_t j = 0; j < size / 2; j++) image[(i + class / 2 * (size / 2)) * size + j + class % 2 * (size / 2)] += 1;
}

START_TEST(it_learns_what_can_be_told_apart) {
  enum { SIZE = 12, B = 32, CLASSES = 4, STEPS = 40 };
  static const struct adam adam = { .b1 = 0.9, .b2 = 0.999 };
  struct classifier c;
  struct arena arena;
  ck_assert_int_eq(classifier_init(&c, SIZE, 1, CLASSES), STATUS_OK);
  const size_t n = c.table.size;
  const struct classifier_work w = new_work(&c, B, 1, &arena);
  real *weights = new_zeros(n), *g = new_zeros(n), *m = new_zeros(n), *s = new_zeros(n), *images = new_zeros(B * SIZE * SIZE);
  real features[B * F], logits[B * CLASSES];
  int32_t labels[B];
  double first = 0, loss = 0;
  table_init_weights(&c.table, 1, weights);
  for (uint32_t k = 0; k < STEPS; k++) {   /* images never seen before in each step */
    for (uint32_t b = 0; b < B; b++) {
      labels[b] = b % CLASSES;
      draw_quarter(k * B + b, SIZE, b % CLASSES, images + b * SIZE * SIZE);
    }
    memset(g, 0, n * sizeof *g);
    classifier_forward(&c, weights, &w, B, images, features, logits);
    loss = classifier_backward(&c, weights, &w, B, logits, labels, g) / B;
    if (!k) first = loss;
    for (size_t i = 0; i < n; i++) g[i] /= B;
    adam_update(&adam, n, k + 1, 2e-3, g, m, s, weights);
  }
  ck_assert_double_gt(first, 1);
  ck_assert_double_lt(loss, 0.01);
  free(weights), free(g), free(m), free(s), free(images);
  classifier_free(&c);
  arena_free(&arena);
} END_TEST

/* ---- its file ---- */

static char folder[256];
static char *at(const char *name) {
  static char path[2][512];
  static int turn;
  turn = !turn;
  snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
  return path[turn];
}
static void make_folder(void) { new_folder(folder); }

enum { N = 1000 };
static const struct classifier_facts facts = { .size = 28, .channels = 1, .classes = 10, .kernel = 3,
                                               .images = "0123456789abcdef", .part = "all",
                                               .seed = 7, .blas_core = "Zen", .accuracy = 0.9153 };

/* Expects a refusal whose one line holds these words. */
static void refused(const char *path, struct classifier_facts want, size_t n, const char *words) {
  float weights[N + 1];
  ck_assert_int_eq(classifier_file_read(path, "data.h5", &want, n, weights), STATUS_BAD);
  ck_assert_msg(strstr(status_reason(), words) != NULL && strstr(status_reason(), path) != NULL, "%s", status_reason());
}

START_TEST(a_file_gives_back_what_went_in) {
  float *weights = new_normal(1, N), back[N];
  struct classifier_facts have = facts, other;
  have.seed = 0, have.accuracy = 0, have.blas_core[0] = 0;
  make_folder();
  ck_assert_int_eq(classifier_file_may_write(at("c.h5")), STATUS_OK);
  ck_assert_int_eq(classifier_file_write(at("c.h5"), &facts, N, weights), STATUS_OK);
  ck_assert_int_eq(classifier_file_read(at("c.h5"), "data.h5", &have, N, back), STATUS_OK);
  ck_assert_mem_eq(weights, back, sizeof back);
  ck_assert_double_eq(have.accuracy, facts.accuracy);
  ck_assert_uint_eq(have.seed, 7);
  ck_assert_str_eq(have.blas_core, "Zen");

  refused(at("c.h5"), facts, N - 1, "numbers");
  other = facts, other.classes = 11, refused(at("c.h5"), other, N, "classes");
  other = facts, other.size = 32, refused(at("c.h5"), other, N, "size");
  other = facts, other.images[3] = '0', refused(at("c.h5"), other, N, "other images");
  other = facts, other.kernel = 5, refused(at("c.h5"), other, N, "another kind");
  other = facts, strcpy(other.part, "first half"), refused(at("c.h5"), other, N, "trained on all of the images");
  refused(at("none.h5"), facts, N, "missing");
  ck_assert_int_eq(classifier_file_may_write(at("no/c.h5")), STATUS_IO);
  ck_assert_int_eq(classifier_file_write(at("no/c.h5"), &facts, N, weights), STATUS_IO);
  ck_assert_int_eq(unlink(at("c.h5")), 0);
  ck_assert_int_eq(rmdir(folder), 0);
  free(weights);
} END_TEST

/* Two jobs that find no classifier both train one and keep it: neither spoils the other's file, and the last one stays. */
START_TEST(two_processes_may_write_one_file) {
  enum { TIMES = 50 };
  float *weights = new_normal(1, N), back[N];
  int state;
  make_folder();
  const pid_t other = fork();
  ck_assert_int_ge(other, 0);
  int failed = 0, torn = 0;
  for (int k = 0; k < TIMES; k++) {
    struct classifier_facts have = facts;
    failed += classifier_file_may_write(at("c.h5")) || classifier_file_write(at("c.h5"), &facts, N, weights);
    torn += classifier_file_read(at("c.h5"), "data.h5", &have, N, back) != STATUS_OK || memcmp(weights, back, sizeof back) != 0;
  }
  if (!other) _exit(failed || torn);
  ck_assert_int_eq(waitpid(other, &state, 0), other);
  ck_assert_int_eq(failed, 0);
  ck_assert_int_eq(torn, 0);
  ck_assert(WIFEXITED(state) && WEXITSTATUS(state) == 0);
  ck_assert_int_eq(unlink(at("c.h5")), 0);
  ck_assert_int_eq(rmdir(folder), 0);
  free(weights);
} END_TEST

static size_t read_bytes(const char *path, char *bytes, size_t room) {
  FILE *f = fopen(path, "rb");
  const size_t n = f ? fread(bytes, 1, room, f) : 0;
  if (f) fclose(f);
  return n;
}
static void write_bytes(const char *path, const char *bytes, size_t n) {
  FILE *f = fopen(path, "wb");
  if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) abort();
}

START_TEST(a_cut_or_changed_file_is_refused) {
  static char bytes[1 << 16];
  float *weights = new_normal(1, N);
  make_folder();
  ck_assert_int_eq(classifier_file_write(at("c.h5"), &facts, N, weights), STATUS_OK);
  const size_t length = read_bytes(at("c.h5"), bytes, sizeof bytes);
  ck_assert_uint_gt(length, N * sizeof *weights);
  ck_assert_uint_lt(length, sizeof bytes);
  for (int eighth = 0; eighth < 8; eighth++) {
    write_bytes(at("cut.h5"), bytes, length * (size_t)eighth / 8);
    refused(at("cut.h5"), facts, N, "");
  }
  char *first = NULL;   /* where the weights lie */
  for (size_t i = 0; i + N * sizeof *weights <= length && !first; i++)
    if (!memcmp(bytes + i, weights, N * sizeof *weights)) first = bytes + i;
  ck_assert(first != NULL);
  for (size_t i = 0; i < N * sizeof *weights; i += 1333) {
    first[i] ^= 1;
    write_bytes(at("cut.h5"), bytes, length);
    first[i] ^= 1;
    refused(at("cut.h5"), facts, N, "damaged");
  }
  unlink(at("cut.h5")), unlink(at("c.h5"));
  ck_assert_int_eq(rmdir(folder), 0);
  free(weights);
} END_TEST

START_TEST(the_images_are_known_by_their_bytes) {
  enum { SIZE = 8, IMAGES = 5 };
  static char names[2][CLASS_NAME_MAX] = { "a", "b" };
  uint8_t pixels[IMAGES][SIZE * SIZE] = { { 1 }, { 2 }, { 3 }, { 4 }, { 5 } }, held[SIZE * SIZE] = { 9 };
  int32_t labels[IMAGES] = { 0, 1, 0, 1, 0 };
  const struct images train = { IMAGES, SIZE, 1, 2, pixels[0], labels }, heldout = { 1, SIZE, 1, 2, held, labels };
  char hash[3][CLASSIFIER_HASH];
  size_t dropped;
  make_folder();
  for (int i = 0; i < 3; i++) {   /* once more the same; then one label changed; */
    if (i == 2) labels[4] = 1;
    ck_assert_int_eq(dataset_write(at("d.h5"), &train, &heldout, names, "test", i ? "now" : "then", &dropped), STATUS_OK);
    ck_assert_int_eq(classifier_file_images(at("d.h5"), hash[i]), STATUS_OK);
  }
  ck_assert_uint_eq(strlen(hash[0]), 16);
  ck_assert_str_eq(hash[0], hash[1]);
  ck_assert_str_ne(hash[0], hash[2]);
  pixels[2][7] = 1;               /* then one pixel */
  ck_assert_int_eq(dataset_write(at("d.h5"), &train, &heldout, names, "test", "now", &dropped), STATUS_OK);
  ck_assert_int_eq(classifier_file_images(at("d.h5"), hash[1]), STATUS_OK);
  ck_assert_str_ne(hash[1], hash[2]);
  unlink(at("d.h5"));
  ck_assert_int_eq(rmdir(folder), 0);
} END_TEST

int main(void) {
  return run_tests("classifier",
                   (const TTest *[]){ sizes_set_the_layers, features_depend_on_the_image_alone,
                                      it_learns_what_can_be_told_apart, a_file_gives_back_what_went_in,
                                      two_processes_may_write_one_file, a_cut_or_changed_file_is_refused, the_images_are_known_by_their_bytes, NULL });
}
