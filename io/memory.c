#include "io/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PATH = 8192, LEAST = 1 << 20 };

/* The number behind `key` in a file of lines "key: N kB". */
static size_t kilobytes(const char *path, const char *key) {
  FILE *f = fopen(path, "r");
  char line[256];
  unsigned long long value = 0;
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, key, strlen(key)) && sscanf(line + strlen(key), ": %llu", &value) == 1) break;
  if (f) fclose(f);
  return (size_t)value << 10;
}

/* A file that holds one number; SIZE_MAX for "max" or none. */
static size_t number(const char *path) {
  FILE *f = fopen(path, "r");
  unsigned long long value;
  const int good = f && fscanf(f, "%llu", &value) == 1;
  if (f) fclose(f);
  return good ? (size_t)value : SIZE_MAX;
}

/* Bytes of files that a control group has in memory, which are given up where room is wanted. */
static size_t pages_of_files(const char *path) {
  FILE *f = fopen(path, "r");
  char line[256], key[128];
  unsigned long long value, sum = 0, total = 0;
  while (f && fgets(line, sizeof line, f)) {
    if (sscanf(line, "%127s %llu", key, &value) != 2) continue;
    if (!strcmp(key, "inactive_file") || !strcmp(key, "active_file")) sum += value;
    if (!strcmp(key, "total_inactive_file") || !strcmp(key, "total_active_file")) total += value;   /* version 1 */
  }
  if (f) fclose(f);
  return (size_t)(total ? total : sum);
}

/* What is left below the limit of one group; SIZE_MAX: it has none. */
static size_t group_left(const char *folder, const char *limit_name, const char *used_name) {
  char path[PATH + 64];
  snprintf(path, sizeof path, "%s/%s", folder, limit_name);
  const size_t limit = number(path);
  snprintf(path, sizeof path, "%s/%s", folder, used_name);
  const size_t used = number(path);
  if (limit == SIZE_MAX || used == SIZE_MAX) return SIZE_MAX;
  snprintf(path, sizeof path, "%s/memory.stat", folder);
  const size_t files = pages_of_files(path), taken = used > files ? used - files : 0;
  return limit > taken ? limit - taken : 0;
}

/* The least of a group and of all above it; `group` is used up. */
static size_t least_left(const char *root, char *group, const char *limit_name, const char *used_name) {
  size_t least = SIZE_MAX;
  for (;;) {
    char folder[PATH];
    snprintf(folder, sizeof folder, "%s%s", root, group);
    const size_t left = group_left(folder, limit_name, used_name);
    least = left < least ? left : least;
    char *last = strrchr(group, '/');
    if (!last) return least;
    *last = 0;
  }
}

/* Is "memory" in a list separated by commas? */
static int has_memory(const char *list) {
  for (const char *at = list; (at = strstr(at, "memory")); at++)
    if ((at == list || at[-1] == ',') && (!at[6] || at[6] == ',')) return 1;
  return 0;
}

size_t memory_group_left(const char *groups, const char *root) {
  FILE *f = fopen(groups, "r");
  char line[PATH / 2], memory[PATH / 4];
  size_t least = SIZE_MAX;
  snprintf(memory, sizeof memory, "%s/memory", root);
  while (f && fgets(line, sizeof line, f)) {   /* number:controllers:/group */
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) continue;
    *group++ = 0, controllers++;
    const size_t left = !*controllers            ? least_left(root, group, "memory.max", "memory.current")
                        : has_memory(controllers) ? least_left(memory, group, "memory.limit_in_bytes", "memory.usage_in_bytes")
                                                  : SIZE_MAX;
    least = left < least ? left : least;
  }
  if (f) fclose(f);
  return least;
}

size_t memory_now(void) { return kilobytes("/proc/self/status", "VmRSS"); }
size_t memory_peak(void) { return kilobytes("/proc/self/status", "VmHWM"); }

size_t memory_anonymous(void) { return kilobytes("/proc/self/smaps_rollup", "Anonymous"); }
size_t memory_huge(void) { return kilobytes("/proc/self/smaps_rollup", "AnonHugePages"); }

size_t memory_available(void) {
  const size_t node = kilobytes("/proc/meminfo", "MemAvailable");
  const size_t left = memory_group_left("/proc/self/cgroup", "/sys/fs/cgroup");
  if (left == SIZE_MAX || (node && node < left)) return node;
  return left > LEAST ? left : LEAST;
}
