/* What may still be taken: the least that is left below the limits of the process's own control group and of those above it, in
 * both versions of control groups; pages of files count as free. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/memory.h"
#include "tests/folder.h"
#include "tests/harness.h"

static char root[256];

/* Makes ROOT/name with that text, and the folders above it. */
static void put(const char *name, const char *text) {
  char path[600];
  snprintf(path, sizeof path, "%s/%s", root, name);
  for (char *c = path + strlen(root) + 1; (c = strchr(c, '/')); *c++ = '/') *c = 0, mkdir(path, 0777);
  FILE *f = fopen(path, "w");
  ck_assert_ptr_nonnull(f);
  fputs(text, f);
  fclose(f);
}

static size_t left(const char *groups) {
  char path[300];
  put("groups", groups);
  snprintf(path, sizeof path, "%s/groups", root);
  return memory_group_left(path, root);
}

static void begin(void) { new_folder(root); }

static void clear(void) {
  char command[300];
  snprintf(command, sizeof command, "rm -r %s", root);
  ck_assert_int_eq(system(command), 0);
}

START_TEST(the_least_of_a_group_and_of_those_above_it) {
  begin();
  ck_assert_uint_eq(left("0::/\n"), SIZE_MAX);
  put("memory.max", "max\n"), put("memory.current", "900000\n");
  put("slurm/job_7/memory.max", "5000\n"), put("slurm/job_7/memory.current", "1000\n");
  put("slurm/job_7/step_0/memory.max", "max\n"), put("slurm/job_7/step_0/memory.current", "900\n");
  ck_assert_uint_eq(left("0::/slurm/job_7/step_0\n"), 4000);   /* the job's limit, which its step has not */
  ck_assert_uint_eq(left("0::/slurm\n"), SIZE_MAX);
  ck_assert_uint_eq(left("0::/not/here\n"), SIZE_MAX);
  put("slurm/job_7/step_0/memory.max", "1000\n");
  ck_assert_uint_eq(left("0::/slurm/job_7/step_0\n"), 100);
  put("slurm/job_7/step_0/memory.current", "1100\n");
  ck_assert_uint_eq(left("0::/slurm/job_7/step_0\n"), 0);
  put("memory.max", "900050\n");
  ck_assert_uint_eq(left("0::/not/here\n"), 50);   /* a container that does not see its group's name */
  clear();
} END_TEST

START_TEST(pages_of_files_are_free) {
  begin();
  put("memory.max", "5000\n"), put("memory.current", "4800\n");
  ck_assert_uint_eq(left("0::/\n"), 200);
  put("memory.stat", "anon 1500\nfile 3300\ninactive_anon 1500\ninactive_file 2000\nactive_file 1000\nslab 70\n");
  ck_assert_uint_eq(left("0::/\n"), 3200);
  clear();
} END_TEST

START_TEST(version_one_has_a_place_of_its_own) {
  begin();
  put("memory/memory.limit_in_bytes", "9223372036854771712\n"), put("memory/memory.usage_in_bytes", "900000\n");
  put("memory/slurm/job_7/memory.limit_in_bytes", "5000\n"), put("memory/slurm/job_7/memory.usage_in_bytes", "4000\n");
  put("memory/slurm/job_7/memory.stat", "inactive_file 1\nactive_file 2\ntotal_inactive_file 300\ntotal_active_file 400\n");
  put("slurm/job_7/memory.max", "1\n"), put("slurm/job_7/memory.current", "1\n");
  ck_assert_uint_eq(left("12:cpuset:/slurm/job_7\n4:cpu,memory:/slurm/job_7\n1:name=memory2:/slurm/job_7\n"), 1700);
  ck_assert_uint_eq(left("4:memory:/slurm/job_7\n0::/\n"), 1700);
  ck_assert_uint_eq(left("4:memoryless:/slurm/job_7\n"), SIZE_MAX);
  ck_assert_uint_eq(left("nonsense\n4:memory\n"), SIZE_MAX);
  clear();
} END_TEST

START_TEST(of_this_machine_it_is_something) {
  ck_assert_uint_gt(memory_available(), 0);
  ck_assert_uint_lt(memory_available(), SIZE_MAX);
} END_TEST

int main(void) {
  return run_tests("memory", (const TTest *[]){ the_least_of_a_group_and_of_those_above_it, pages_of_files_are_free,
                                                version_one_has_a_place_of_its_own, of_this_machine_it_is_something, NULL });
}
