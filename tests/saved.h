/* saved.h - what the tests of checkpoints share: a state of some arrays, other numbers in each step; its saves in a folder of the
 * job; and ways to damage a file. Include it after harness.h with HARNESS_MPI.
 * Errors: a test that cannot do its part fails. Ranks: collective where it says so. Memory: statics. */
#ifndef TESTS_SAVED_H
#define TESTS_SAVED_H
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/checkpoint.h"
#include "mpi/agree.h"
#include "mpi/shard.h"
#include "src/base/status.h"
#include "tests/folder.h"

enum { FLATS = 6 };
static struct table table;
static struct flat state[FLATS], back[FLATS];
static char directory[256], newest[300], prev[310], tmp[310];
static const char settings[] = "training:\n  seed: 7\nsampling:\n  ema: ema500\n";

static inline void set_up(void) {
  table_add(&table, "x_embedder.proj1.weight", 4, (size_t[]){ 16, 3, 7, 7 }, RULE_MUON, INIT_NORMAL, 1, 0);
  table_add(&table, "blocks.0.attn.q_norm.weight", 1, (size_t[]){ 33 }, RULE_ADAM, INIT_ONE, 0, 0);
  table_add(&table, "blocks.0.mlp.w1.weight", 2, (size_t[]){ 1201, 907 }, RULE_MUON, INIT_NORMAL, 1, 0);
  table_add(&table, "t_embedder.bias", 1, (size_t[]){ 300001 }, RULE_ADAM, INIT_ZERO, 0, 0);
  table_place_second(&table, 0);
  const struct { const char *name; size_t size; } flats[FLATS] = { { "weights", table.size }, { "m", table.size },
    { "s", table.second_size }, { "ema500", table.size }, { "tiny", 3 }, { "empty", 0 } };
  for (int i = 0; i < FLATS; i++) {
    state[i] = flat_whole(flats[i].name, new_zeros(flats[i].size), flats[i].size);
    back[i] = state[i];
    back[i].data = new_zeros(flats[i].size);
  }
}

/* The state of that step, other numbers in each array. */
static inline void fill(uint64_t step) {
  for (int i = 0; i < FLATS; i++) fill_normal((uint32_t)(step * FLATS) + (uint32_t)i, state[i].size, state[i].data);
}

/* Rank k's of R pieces of the arrays in `of`, as views of them, in the way `how`: even, all on the last, every second rank none,
 * cut at odd places. */
enum { WAYS = 4 };
static inline void in_pieces(const struct flat *of, struct flat *piece, int k, int R, int how) {
  for (int i = 0; i < FLATS; i++) {
    const size_t n = of[i].size;
    const int last = k == R - 1;
    size_t first = shard_first(n, k, R), end = shard_first(n, k + 1, R);
    if (how == 1) first = last ? 0 : n, end = n;
    if (how == 2) first = shard_first(n, (k + 1) / 2, R), end = last ? n : shard_first(n, (k + 2) / 2, R);
    if (how == 3) first = n * (size_t)(k * k) / (size_t)(R * R), end = n * (size_t)((k + 1) * (k + 1)) / (size_t)(R * R);
    piece[i] = of[i];
    piece[i].first = first, piece[i].count = end - first;
    piece[i].data = of[i].data + first;
  }
}

static inline int save(MPI_Comm comm, const char *path, uint64_t step) {
  fill(step);
  return checkpoint_save(comm, path, &table, step, 64 * step, settings, state, FLATS);
}

/* Number of arrays that were not read back bit for bit as they were at that step. */
static inline int differences(uint64_t step) {
  int n = 0;
  fill(step);
  for (int i = 0; i < FLATS; i++) n += memcmp(state[i].data, back[i].data, state[i].size * sizeof(float)) != 0;
  return n;
}

static inline int load(MPI_Comm comm, const char *path) {
  for (int i = 0; i < FLATS; i++)
    for (size_t j = 0; j < back[i].size; j++) back[i].data[j] = -1;
  return checkpoint_load(comm, path, back, FLATS);
}

static inline void barrier(void) { MPI_Barrier(world.comm); }

/* COLLECTIVE. True on all ranks or none. */
static inline bool all(bool mine) { return !agree_any(world.comm, !mine); }
#define ASSERT_ALL(condition) ck_assert_msg(all(condition), "%s; reason: %s", #condition, status_reason())
static inline bool says(const char *text) { return strstr(status_reason(), text) != NULL; }

/* Local. Number of files in the directory; clear: they are then removed. */
static inline int list_files(bool clear) {
  int n = 0;
  DIR *d = opendir(directory);
  for (struct dirent *e; d && (e = readdir(d));) {
    char path[600];
    if (e->d_name[0] == '.') continue;
    n++;
    snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
    if (clear) unlink(path);
  }
  if (d) closedir(d);
  return n;
}
/* COLLECTIVE. The same, as rank 0 sees it. */
static inline int files(bool clear) {
  int n = world.rank ? 0 : list_files(clear);
  MPI_Bcast(&n, 1, MPI_INT, 0, world.comm);
  return n;
}

/* Rank 0 writes bytes at a place in the file, which is read-only by then. */
static inline void overwrite(const char *path, off_t at, const void *bytes, size_t n) {
  if (world.rank == 0) {
    chmod(path, 0644);
    const int fd = open(path, O_WRONLY);
    ck_assert_int_eq((int)pwrite(fd, bytes, n, at), (int)n);
    close(fd);
  }
  barrier();
}
static inline void flip(const char *path, off_t at) {
  unsigned char c = 0;
  if (world.rank == 0) {
    const int fd = open(path, O_RDONLY);
    ck_assert_int_eq((int)pread(fd, &c, 1, at), 1);
    close(fd);
  }
  c ^= 0x10;
  overwrite(path, at, &c, 1);
}

static inline off_t place(const char *path, const char *dataset) {
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, dataset, H5P_DEFAULT);
  const off_t at = (off_t)H5Dget_offset(set);
  H5Dclose(set);
  H5Fclose(file);
  barrier();
  return at;
}

/* COLLECTIVE. What the tests behind it need, all ranks in one folder. */
START_TEST(their_folder_is_made) {
  if (world.rank == 0) new_folder(directory);
  MPI_Bcast(directory, sizeof directory, MPI_CHAR, 0, world.comm);
  snprintf(newest, sizeof newest, "%s/checkpoint.h5", directory);
  snprintf(prev, sizeof prev, "%s.prev", newest);
  snprintf(tmp, sizeof tmp, "%s.tmp", newest);
} END_TEST

static inline int run_saved_tests(int *argc, char ***argv, const char *name, const TTest *const *tests) {
  enum { MOST = 40 };
  const TTest *all_tests[MOST] = { their_folder_is_made };
  setenv("OMPI_MCA_io_ompio_num_aggregators", "2", 0);   /* the hard case, also on one node */
  set_up();
  for (size_t i = 0; tests[i]; i++) {
    assert(i + 2 < MOST);
    all_tests[i + 1] = tests[i];
  }
  const int code = run_mpi_tests(argc, argv, name, all_tests);
  if (world.rank == 0) {
    list_files(true);
    rmdir(directory);
  }
  return code;
}
#endif
