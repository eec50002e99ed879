/* The delivery: images come to rank 0 in their order, the same as one rank makes alone, on any number of ranks; when rank 0
 * gives up, at the beginning or in the middle of a round, all do, with its reason. */
#define HARNESS_MPI
#include "jobs/delivery.h"
#include "mpi/agree.h"
#include "tests/harness.h"
#include "tests/tiny.h"

enum { CHUNK = GENERATE_CHUNK, MOST = 9 * CHUNK };

static struct settings settings;
static struct net net;
static real *weights;
static struct generate generate;
static uint8_t *expected;

START_TEST(prepare_images) {
  settings = tiny_settings();
  tiny_net(&net, &settings);
  weights = new_normal(4, net.table.size);
  for (size_t i = 0; i < net.table.size; i++) weights[i] *= 0.3f;
  generate = (struct generate){ .net = &net, .sampler = setup_sampler(&settings), .seed = 3, .n_labels = SHAPES };
  tiny_must(generate_init(&generate));
  expected = malloc(MOST * net.pixels);
  generate_images(&generate, weights, 0, MOST, expected);
} END_TEST

/* Takes up to `stop` chunks of n images. */
static int take(size_t n, size_t stop, int outcome, size_t *wrong) {
  struct delivery s;
  tiny_must(delivery_open(&s, &world, &generate, weights, n));
  size_t done = 0;
  for (size_t i = 0; i < stop && world.rank == 0; i++) {
    const uint8_t *u8;
    size_t count;
    delivery_next(&s, &u8, &count);
    *wrong += memcmp(u8, expected + done * net.pixels, count * net.pixels) != 0;
    done += count;
  }
  const int status = delivery_end(&s, world.rank ? STATUS_OK : outcome ? because(outcome, "enough") : STATUS_OK);
  *wrong += world.rank == 0 && !outcome && done != n;
  delivery_close(&s);
  return status;
}

START_TEST(images_come_in_their_order) {
  const size_t sizes[] = { 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 7 * CHUNK + 5, MOST };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t wrong = 0;
    const int status = take(sizes[i], delivery_chunks(sizes[i]), 0, &wrong);
    ck_assert_msg(!agree_any(world.comm, status || wrong), "%zu images", sizes[i]);
  }
} END_TEST

START_TEST(when_rank_0_has_enough_all_end) {
  for (size_t stop = 0; stop <= 9; stop++) {
    size_t wrong = 0;
    const int status = take(MOST, stop, STATUS_IO, &wrong);
    int late;                                      /* no chunk is left on its way */
    MPI_Barrier(world.comm);
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, world.comm, &late, MPI_STATUS_IGNORE);
    wrong += late != 0;
    ck_assert_msg(!agree_any(world.comm, status != STATUS_IO || wrong || strcmp(status_reason(), "enough")),
                  "after %zu chunks", stop);
  }
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "delivery", (const TTest *[]){
    prepare_images, images_come_in_their_order, when_rank_0_has_enough_all_end, NULL });
}
