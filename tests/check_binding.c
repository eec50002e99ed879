/* What is said of ranks, cores and threads, for machines that are made up here: one line where all ranks are equal, one for
 * each kind otherwise, and a warning for each way to lose speed. */
#define _GNU_SOURCE   /* cpu_set_t */
#include <sched.h>

#include "io/binding.h"
#include "io/memory.h"
#include "src/base/arena.h"
#include "tests/harness.h"

enum { MOST = 4096 };
static struct binding ranks[MOST];
static char said[8192];
static int lines;

static void say(void *context, const char *line) {
  (void)context;
  lines++;
  snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", line);
}
static void tell(int n) {
  said[0] = 0;
  lines = 0;
  binding_tell(ranks, n, say, NULL);
}
static int says(const char *text) { return strstr(said, text) != NULL; }
#define SAYS(text) ck_assert_msg(says(text), "expected '%s' in:\n%s", text, said)
#define LINES(n) ck_assert_msg(lines == (n), "expected %d lines:\n%s", n, said)

/* Rank k on a host of 8 cores, bound to cores first .. first + cores - 1. */
static void place(int k, const char *host, int first, int cores, int threads) {
  ranks[k] = (struct binding){ .threads = threads, .machine_cores = 8, .numa = "0", .gflops = 98 };
  snprintf(ranks[k].host, sizeof ranks[k].host, "%s", host);
  snprintf(ranks[k].kernels, sizeof ranks[k].kernels, "SkylakeX");
  for (int i = first; i < first + cores; i++) ranks[k].cores[i / 64] |= (uint64_t)1 << i % 64;
}

START_TEST(equal_ranks_take_one_line) {
  for (int k = 0; k < 4; k++) place(k, "n1", 2 * k, 2, 2);
  tell(4);
  LINES(1);
  ck_assert_str_eq(said, "ranks 0-3 on n1: 2 cores of NUMA node 0, 2 threads each, OpenBLAS kernels SkylakeX, 98 GF/s\n");
  place(0, "n1", 0, 8, 8);
  tell(1);
  ck_assert_str_eq(said, "rank 0 on n1: 8 cores of NUMA node 0, 8 threads, OpenBLAS kernels SkylakeX, 98 GF/s\n");
} END_TEST

START_TEST(many_equal_hosts_take_one_line) {
  char host[16];
  for (int k = 0; k < MOST; k++) {
    snprintf(host, sizeof host, "n%d", k / 8);
    place(k, host, k % 8, 1, 1);
  }
  tell(MOST);
  LINES(1);
  SAYS("ranks 0-4095 on 512 hosts n0 ... n511: 1 core of NUMA node 0, 1 thread each");
} END_TEST

START_TEST(ranks_that_differ_are_told_apart) {
  for (int k = 0; k < 4; k++) place(k, "n1", 2 * k, 2, k == 1 ? 1 : 2);
  snprintf(ranks[2].numa, sizeof ranks[2].numa, "1");
  snprintf(ranks[3].numa, sizeof ranks[3].numa, "0-1");
  tell(4);
  SAYS("rank 0 on n1: 2 cores of NUMA node 0, 2 threads,");
  SAYS("rank 1 on n1: 2 cores of NUMA node 0, 1 thread,");
  SAYS("rank 2 on n1: 2 cores of NUMA node 1, 2 threads,");
  SAYS("rank 3 on n1: 2 cores of NUMA nodes 0-1, 2 threads,");
  SAYS("note: n1: 1 of 8 cores have no thread of this run");
  LINES(5);
  for (int k = 0; k < 4; k++) place(k, "n1", 2 * k, 2, 2), snprintf(ranks[k].numa, sizeof ranks[k].numa, "%d", k % 2);
  tell(4);
  SAYS("ranks 0,2 on n1: 2 cores of NUMA node 0, 2 threads each");
  SAYS("ranks 1,3 on n1: 2 cores of NUMA node 1, 2 threads each");
  LINES(2);
} END_TEST

START_TEST(more_threads_than_bound_cores_are_warned_of) {   /* mpirun's default binds two ranks to a core each */
  for (int k = 0; k < 2; k++) place(k, "n1", k, 1, 4);
  tell(2);
  SAYS("WARNING: 2 of 2 ranks, rank 0 first, run more threads (4) than they are bound to cores (1)");
  SAYS("slot:PE=4 --bind-to core");
  LINES(2);
} END_TEST

START_TEST(ranks_that_share_cores_are_warned_of) {   /* not bound at all: each has all the cores and a thread on each */
  for (int k = 0; k < 2; k++) place(k, "n1", 0, 8, 8);
  tell(2);
  SAYS("WARNING: n1: 16 threads of 2 ranks share 8 cores");
  SAYS("OMP_NUM_THREADS=4 mpirun --map-by slot:PE=4 --bind-to core");
  for (int k = 0; k < 2; k++) place(k, "n1", 0, 8, 4);
  tell(2);
  LINES(1);
} END_TEST

START_TEST(idle_cores_are_a_note) {
  place(0, "n1", 0, 8, 3);
  tell(1);
  SAYS("note: n1: 5 of 8 cores have no thread of this run");
  ck_assert(!says("WARNING"));
} END_TEST

START_TEST(pinning_by_openmp_is_warned_of) {
  static const char *const names[] = { "OMP_PROC_BIND", "GOMP_CPU_AFFINITY" };
  for (int i = 0; i < 2; i++) {
    place(0, "n1", 0, 1, 8);   /* the first thread's place is all that is seen then */
    snprintf(ranks[0].pinned, sizeof ranks[0].pinned, "%s", names[i]);
    tell(1);
    SAYS("WARNING: ");
    SAYS(names[i]);
    ck_assert(!says("more threads"));
  }
} END_TEST

START_TEST(the_environment_is_read) {
  static const struct { const char *bind, *places, *pinned; } cases[] = {
    { NULL, NULL, "" }, { "false", NULL, "" }, { "FALSE", NULL, "" }, { "", "", "" }, { "true", NULL, "OMP_PROC_BIND" },
    { "close", "0-1", "OMP_PROC_BIND" }, { NULL, "0-1", "GOMP_CPU_AFFINITY" },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct binding b;
    if (cases[i].bind) setenv("OMP_PROC_BIND", cases[i].bind, 1);
    else unsetenv("OMP_PROC_BIND");
    if (cases[i].places) setenv("GOMP_CPU_AFFINITY", cases[i].places, 1);
    else unsetenv("GOMP_CPU_AFFINITY");
    binding_read(&b, 3, "Haswell");
    ck_assert_str_eq(b.pinned, cases[i].pinned);
    ck_assert_str_eq(b.kernels, "Haswell");
    ck_assert_int_eq(b.threads, 3);
    ck_assert_int_ge(binding_cores(&b), 1);
    ck_assert_int_le(binding_cores(&b), b.machine_cores);
    ck_assert(b.host[0]);
  }
} END_TEST

START_TEST(hosts_with_other_kernels_are_warned_of) {
  for (int k = 0; k < 4; k++) place(k, k < 2 ? "n1" : "n2", 4 * (k % 2), 4, 4);
  for (int k = 2; k < 4; k++) snprintf(ranks[k].kernels, sizeof ranks[k].kernels, "Haswell");
  tell(4);
  SAYS("ranks 0-1 on n1: 4 cores of NUMA node 0, 4 threads each, OpenBLAS kernels SkylakeX");
  SAYS("ranks 2-3 on n2: 4 cores of NUMA node 0, 4 threads each, OpenBLAS kernels Haswell");
  SAYS("WARNING: OpenBLAS runs SkylakeX kernels on n1 and Haswell on n2");
  LINES(3);
} END_TEST

START_TEST(memory_without_huge_pages_is_a_note) {
  const size_t MiB = (size_t)1 << 20;
  for (int k = 0; k < 3; k++) place(k, "n1", 2 * k, 2, 2), ranks[k].memory = 1000 * MiB, ranks[k].huge = 900 * MiB;
  ranks[0].memory = 100 * MiB, ranks[0].huge = 0;   /* a small run */
  ranks[0].machine_cores = ranks[1].machine_cores = ranks[2].machine_cores = 6;
  tell(3);
  LINES(1);
  ranks[1].huge = 20 * MiB;
  tell(3);
  SAYS("note: 1 of 3 ranks, rank 1 on n1 first, have little of their memory in huge pages (20 of 1000 MiB)");
  LINES(2);
} END_TEST

START_TEST(slow_ranks_are_warned_of) {
  for (int k = 0; k < 8; k++) place(k, k < 4 ? "n1" : "n2", 2 * (k % 4), 2, 2), ranks[k].gflops = 100 - k;
  tell(8);
  SAYS("ranks 0-7 on 2 hosts n1 ... n2: 2 cores of NUMA node 0, 2 threads each, OpenBLAS kernels SkylakeX, 93-100 GF/s");
  LINES(1);
  ranks[2].gflops = 60;   /* the median is 94.5 then, and 66.2 the least that is passed over */
  ranks[5].gflops = 12.5;
  ranks[6].gflops = 68;
  tell(8);
  SAYS("WARNING: 2 of 8 ranks, rank 5 on n2 slowest, multiply at less than 0.7 of the median: 12.5 of 94.5 GF/s");
  LINES(2);
  for (int k = 0; k < 8; k++) place(k, k < 4 ? "n1" : "n2", 0, 8, 4), ranks[k].gflops = 10 + 80 * (k % 2);   /* by turns */
  tell(8);
  ck_assert(!says("median"));
  SAYS("share 8 cores");
} END_TEST

/* A processor of its own memory for each number, and what this thread may run on is of one or two of these. */
START_TEST(nodes_are_those_of_the_cores) {
  enum { MANY = 1024 };
  cpu_set_t before, set;
  int cpu[2], n = 0;
  ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
  for (int i = 0; i < MANY && n < 2; i++)
    if (CPU_ISSET(i, &before)) cpu[n++] = i;
  char machine[64], expected[64];
  snprintf(machine, sizeof machine, "numa:%d core:1 pu:1", cpu[n - 1] + 1);
  setenv("HWLOC_SYNTHETIC", machine, 1);
  setenv("HWLOC_THISSYSTEM", "1", 1);
  CPU_ZERO(&set);
  for (int i = 0; i < n; i++) {
    struct binding b;
    CPU_SET(cpu[i], &set);
    ck_assert_int_eq(sched_setaffinity(0, sizeof set, &set), 0);
    binding_read(&b, 1, "Haswell");
    snprintf(expected, sizeof expected, i ? cpu[1] == cpu[0] + 1 ? "%d-%d" : "%d,%d" : "%d", cpu[0], cpu[i]);
    ck_assert_str_eq(b.numa, expected);
  }
  sched_setaffinity(0, sizeof before, &before);
  unsetenv("HWLOC_SYNTHETIC");
  unsetenv("HWLOC_THISSYSTEM");
} END_TEST

/* What has been taken, and where the system gives huge pages to those who ask, that an arena gets them. */
START_TEST(memory_is_read) {
  const size_t MiB = (size_t)1 << 20;
  char how[64] = "never";
  FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
  if (f && !fgets(how, sizeof how, f)) snprintf(how, sizeof how, "never");
  if (f) fclose(f);
  struct binding b, a;
  binding_read(&b, 1, "Haswell");
  struct arena arena = { .used = 64 * MiB / sizeof(real) };
  ck_assert_int_eq(arena_init(&arena), 0);
  binding_read(&a, 1, "Haswell");
  if (b.memory && !SANITIZED) ck_assert_uint_ge(a.memory, b.memory + 60 * MiB);
  const int given = f && !strstr(how, "[never]") && b.memory && !SANITIZED && memory_available() > 1024 * MiB;
  ck_assert_msg(!given || a.huge > b.huge, "an arena of 64 MiB has no huge page, where they are %s", how);
  arena_free(&arena);
} END_TEST

START_TEST(what_is_not_known_is_not_warned_of) {
  place(0, "n1", 0, 0, 8);
  ranks[0].machine_cores = 0;
  tell(1);
  LINES(1);
} END_TEST

int main(void) {
  return run_tests("binding", (const TTest *[]){ equal_ranks_take_one_line, many_equal_hosts_take_one_line,
                                                 ranks_that_differ_are_told_apart, more_threads_than_bound_cores_are_warned_of,
                                                 ranks_that_share_cores_are_warned_of, idle_cores_are_a_note,
                                                 pinning_by_openmp_is_warned_of, the_environment_is_read,
                                                 hosts_with_other_kernels_are_warned_of, slow_ranks_are_warned_of,
                                                 nodes_are_those_of_the_cores,
                                                 memory_without_huge_pages_is_a_note, memory_is_read,
                                                 what_is_not_known_is_not_warned_of, NULL });
}
