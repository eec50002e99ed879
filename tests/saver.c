/* Saves and finds checkpoints for tests/checkpoint.sh and disk.sh, one after the other until one fails, by its words: `save DIR STEP`,
 * `later DIR STEP` (by threads), and `find DIR`, which prints the step found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint_later.h"
#include "io/checkpoint_made.h"
#define HARNESS_MPI
#include "tests/harness.h"
#include "tests/saved.h"

/* What load has left, read anew: each rank a piece. */
static int load_pieces(MPI_Comm comm, const char *path) {
  struct flat pieces[FLATS];
  in_pieces(back, pieces, world.rank, world.ranks, 3);
  for (int i = 0; i < FLATS; i++)
    for (size_t j = 0; j < pieces[i].count; j++) pieces[i].data[j] = -1;
  return checkpoint_load(comm, path, pieces, FLATS);
}

/* words: save, later or find, the folder, and the step where there is one. */
static int one_thing(char **words) {
  char path[400], warning[1024];
  const uint64_t step = strcmp(words[0], "find") ? (uint64_t)atoi(words[2]) : 0;
  int status;
  snprintf(path, sizeof path, "%s/checkpoint.h5", words[1]);
  if (!strcmp(words[0], "save")) {
    status = save(world.comm, path, step);
  } else if (!strcmp(words[0], "later")) {
    struct checkpoint_later *later;
    fill(step);
    status = checkpoint_later_open(&later, world.comm, state, FLATS);
    if (!status) status = checkpoint_later_begin(later, path, &table, step, 1, settings, state, FLATS);
    if (!status) status = checkpoint_later_end(later);
    checkpoint_later_close(later);
  } else {
    struct checkpoint_info info = { 0 };
    status = checkpoint_find(world.comm, words[1], true, path, sizeof path, warning, sizeof warning);
    if (!status && *path) status = checkpoint_info(path, &info);
    if (!status && *path) status = load(world.comm, path);
    if (!status && *path && differences(info.step)) status = because(STATUS_BAD, "the values are not those of the step");
    status = agree(world.comm, status);
    if (!status && *path) status = load_pieces(world.comm, path);
    if (!status && *path && differences(info.step)) status = because(STATUS_BAD, "in pieces the values are not those of the step");
    status = agree(world.comm, status);
    if (world.rank == 0 && !status) printf("%llu\n", (unsigned long long)info.step);
    checkpoint_info_free(&info);
  }
  return status;
}

int main(int argc, char **argv) {
  int status = STATUS_OK;
  setenv("OMPI_MCA_io_ompio_num_aggregators", "2", 0);
  world_init(&argc, &argv, &world);
  set_up();
  for (int i = 1; i + 1 < argc && !status; i += strcmp(argv[i], "find") ? 3 : 2) status = one_thing(&argv[i]);
  if (status && world.rank == 0) fprintf(stderr, "%s\n", status_reason());
  const int code = status_exit_code(status);
  world_end(&world, code);
  return code;
}
