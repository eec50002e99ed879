/* Which file of a run is used: saves rotate, the newest sound one is found whatever has become of newer ones, and as many stay as
 * are asked for. */
#include "io/blocks.h"
#include "io/generations.h"
#include "io/hdf.h"
#define HARNESS_MPI
#include "tests/harness.h"
#include "tests/saved.h"

START_TEST(saves_rotate_and_keep_two) {
  files(true);
  for (uint64_t step = 1; step <= 5; step++) ASSERT_ALL(save(world.comm, newest, step) == STATUS_OK);
  ASSERT_ALL(files(false) == 2);
  struct checkpoint_info info;
  struct stat s;
  ASSERT_ALL(checkpoint_verify(newest) == STATUS_OK && checkpoint_verify(prev) == STATUS_OK);
  ASSERT_ALL(checkpoint_info(newest, &info) == STATUS_OK && info.step == 5);
  checkpoint_info_free(&info);
  ASSERT_ALL(checkpoint_info(prev, &info) == STATUS_OK && info.step == 4);
  checkpoint_info_free(&info);
  ASSERT_ALL(stat(newest, &s) == 0 && (s.st_mode & 0777) == 0444);
  ASSERT_ALL(load(world.comm, prev) == STATUS_OK && differences(4) == 0);
} END_TEST

START_TEST(find_takes_the_newest_sound_one) {
  char path[400], warning[1024];
  files(true);
  ASSERT_ALL(checkpoint_find(world.comm, directory, true, path, sizeof path, warning, sizeof warning) == STATUS_OK);
  ASSERT_ALL(!*path && !*warning);
  for (uint64_t step = 1; step <= 2; step++) ASSERT_ALL(save(world.comm, newest, step) == STATUS_OK);
  if (world.rank == 0) close(open(tmp, O_CREAT | O_WRONLY, 0644));
  barrier();
  ASSERT_ALL(checkpoint_find(world.comm, directory, false, path, sizeof path, warning, sizeof warning) == STATUS_OK);
  ASSERT_ALL(!strcmp(path, newest) && !*warning && files(false) == 3);
  flip(newest, place(newest, "/arrays/ema500") + 5);
  ASSERT_ALL(checkpoint_find(world.comm, directory, false, path, sizeof path, warning, sizeof warning) == STATUS_OK);
  ASSERT_ALL(!strcmp(path, prev) && strstr(warning, "checkpoint.h5: block 0") && strstr(warning, "ema500"));
  ASSERT_ALL(checkpoint_find(world.comm, directory, true, path, sizeof path, warning, sizeof warning) == STATUS_OK);
  ASSERT_ALL(!strcmp(path, prev) && access(newest, F_OK) && access(tmp, F_OK) && files(false) == 2);
  ASSERT_ALL(save(world.comm, newest, 3) == STATUS_OK);   /* the sound one is not rotated away */
  ASSERT_ALL(load(world.comm, prev) == STATUS_OK && differences(1) == 0);
  flip(newest, 0);
  flip(prev, 0);
  ASSERT_ALL(checkpoint_find(world.comm, directory, false, path, sizeof path, warning, sizeof warning) == STATUS_BAD);
  ASSERT_ALL(!*path && says("checkpoint.h5: not an HDF5 file; ") && says("checkpoint.h5.prev: not an HDF5 file"));
} END_TEST

/* Rank 0 does one kind of damage to newest. */
enum damage { CUT, EMPTY, NO_MARK, NO_STEP, ZEROED, DAMAGES };
static const char *const said_of[] = { "cannot be opened: cut short", "not an HDF5 file", "no mark of completeness",
                                       "attribute step is missing", "block 1 of" };
static void drop_attribute(const char *name) {
  const hid_t file = H5Fopen(newest, H5F_ACC_RDWR, H5P_DEFAULT);
  ck_assert_int_ge(H5Adelete(file, name), 0);
  H5Fclose(file);
}
static void damage(enum damage how, off_t block) {
  static const unsigned char zeros[BLOCK_BYTES];
  struct stat s;
  if (how == ZEROED) overwrite(newest, block, zeros, sizeof zeros);
  if (world.rank == 0 && how != ZEROED) {
    chmod(newest, 0644);
    stat(newest, &s);
    if (how == CUT || how == EMPTY) ck_assert_int_eq(truncate(newest, how == CUT ? s.st_size - BLOCK_BYTES : 0), 0);
    else drop_attribute(how == NO_MARK ? "complete" : "step");
  }
  barrier();
}

START_TEST(find_passes_over_every_kind_of_damage) {   /* with one warning; the damaged one is kept aside (EXPECTATIONS C3) */
  char path[400], bad[330], warning[1024];
  snprintf(bad, sizeof bad, "%s.bad", newest);
  for (int how = 0; how < DAMAGES; how++) {
    files(true);
    for (uint64_t step = 1; step <= 2; step++) ASSERT_ALL(save(world.comm, newest, step) == STATUS_OK);
    damage((enum damage)how, place(newest, "/arrays/weights") + BLOCK_BYTES);
    ASSERT_ALL(checkpoint_find(world.comm, directory, true, path, sizeof path, warning, sizeof warning) == STATUS_OK);
    ASSERT_ALL(!strcmp(path, prev) && strstr(warning, said_of[how]) && !strstr(warning, "; "));
    ASSERT_ALL(access(newest, F_OK) && !access(bad, F_OK) && files(false) == 2);
    ASSERT_ALL(load(world.comm, path) == STATUS_OK && differences(1) == 0);
  }
} END_TEST

/* The step that each generation has, 0 where it is not there. */
static void steps_are(const uint64_t *steps, int n) {
  for (int g = 0; g < n; g++) {
    char name[330];
    struct checkpoint_info info = { 0 };
    generations_name(newest, g, sizeof name, name);
    if (!steps[g]) ASSERT_ALL(access(name, F_OK));
    else ASSERT_ALL(checkpoint_verify(name) == STATUS_OK && checkpoint_info(name, &info) == STATUS_OK && info.step == steps[g]);
    checkpoint_info_free(&info);
  }
}

START_TEST(as_many_generations_stay_as_are_asked_for) {
  char path[400], warning[1024], third[330];
  files(true);
  generations_kept = 4;
  for (uint64_t step = 1; step <= 3; step++) ASSERT_ALL(save(world.comm, newest, step) == STATUS_OK);
  steps_are((uint64_t[]){ 3, 2, 1, 0, 0 }, 5);
  for (uint64_t step = 4; step <= 6; step++) ASSERT_ALL(save(world.comm, newest, step) == STATUS_OK);
  steps_are((uint64_t[]){ 6, 5, 4, 3, 0 }, 5);

  /* A gap, as a death amid the turn leaves it, and damage: the next sound one. */
  flip(newest, 0);
  barrier();
  if (world.rank == 0) unlink(prev);
  barrier();
  generations_name(newest, 2, sizeof third, third);
  ASSERT_ALL(checkpoint_find(world.comm, directory, false, path, sizeof path, warning, sizeof warning) == STATUS_OK);
  ASSERT_ALL(!strcmp(path, third) && strstr(warning, "checkpoint.h5: not an HDF5 file"));
  flip(third, 0);
  ASSERT_ALL(checkpoint_find(world.comm, directory, true, path, sizeof path, warning, sizeof warning) == STATUS_OK);
  ASSERT_ALL(strstr(path, ".prev3") && strstr(warning, "; ") && strstr(warning, ".prev2: not an HDF5 file"));
  ASSERT_ALL(save(world.comm, newest, 7) == STATUS_OK);   /* no FILE was there, so nothing grew older */
  ASSERT_ALL(load(world.comm, path) == STATUS_OK && differences(3) == 0);
  ASSERT_ALL(save(world.comm, newest, 8) == STATUS_OK);
  barrier();
  if (world.rank == 0) generations_drop(newest);
  barrier();
  steps_are((uint64_t[]){ 8, 0, 0, 0, 0 }, 5);

  /* Fewer than before: the rest goes with the next save. */
  for (uint64_t step = 9; step <= 12; step++) ASSERT_ALL(save(world.comm, newest, step) == STATUS_OK);
  generations_kept = 2;
  ASSERT_ALL(save(world.comm, newest, 13) == STATUS_OK);
  steps_are((uint64_t[]){ 13, 12, 0, 0, 0 }, 5);

  /* A new file that cannot take its name, and an older one that cannot: all is as it was, but for the oldest. */
  generations_kept = 3;
  ASSERT_ALL(save(world.comm, newest, 14) == STATUS_OK);
  barrier();
  if (world.rank == 0) ck_assert_int_eq(generations_turn(newest), 1);
  if (world.rank == 0) generations_turn_back(newest);
  barrier();
  steps_are((uint64_t[]){ 14, 13, 0, 0, 0 }, 5);
  if (world.rank == 0) mkdir(third, 0755);   /* a file cannot take a folder's name */
  barrier();
  ASSERT_ALL(save(world.comm, newest, 15) == STATUS_IO && says("cannot be renamed: Is a directory"));
  barrier();
  if (world.rank == 0) ck_assert_int_eq(rmdir(third), 0);
  barrier();
  steps_are((uint64_t[]){ 14, 13, 0, 0, 0 }, 5);
  ASSERT_ALL(access(tmp, F_OK) && save(world.comm, newest, 15) == STATUS_OK);
  steps_are((uint64_t[]){ 15, 14, 13, 0, 0 }, 5);
  generations_kept = 2;
} END_TEST

int main(int argc, char **argv) {
  return run_saved_tests(&argc, &argv, "generations",
    (const TTest *[]){ saves_rotate_and_keep_two, find_takes_the_newest_sound_one, find_passes_over_every_kind_of_damage,
                       as_many_generations_stay_as_are_asked_for, NULL });
}
