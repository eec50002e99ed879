#include "io/memory.h"

#include <stdio.h>
#include <string.h>

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
  return good ? (size_t)value : (size_t)-1;
}

size_t memory_now(void) { return kilobytes("/proc/self/status", "VmRSS"); }
size_t memory_peak(void) { return kilobytes("/proc/self/status", "VmHWM"); }

size_t memory_anonymous(void) { return kilobytes("/proc/self/smaps_rollup", "Anonymous"); }
size_t memory_huge(void) { return kilobytes("/proc/self/smaps_rollup", "AnonHugePages"); }

size_t memory_available(void) {
  const size_t node = kilobytes("/proc/meminfo", "MemAvailable");
  const size_t limit = number("/sys/fs/cgroup/memory.max"), used = number("/sys/fs/cgroup/memory.current");
  if (limit == (size_t)-1 || used == (size_t)-1) return node;
  const size_t left = limit > used ? limit - used : 0;
  return node && node < left ? node : left;
}
