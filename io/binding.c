#include "io/binding.h"

#include <hwloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "io/memory.h"
#include "src/base/median.h"

/* --- what is -------------------------------------------------------------------------------------------------------- */

static void read_cores(hwloc_topology_t topology, hwloc_const_cpuset_t bound, struct binding *b) {
  const hwloc_obj_type_t type = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
  b->machine_cores = hwloc_get_nbobjs_by_type(topology, type);
  for (int i = 0; i < b->machine_cores && i < 64 * BINDING_WORDS; i++) {
    const hwloc_obj_t core = hwloc_get_obj_by_type(topology, type, (unsigned)i);
    if (hwloc_bitmap_intersects(core->cpuset, bound)) b->cores[i / 64] |= (uint64_t)1 << i % 64;
  }
}

static void read_topology(struct binding *b) {
  hwloc_topology_t topology;
  if (hwloc_topology_init(&topology)) return;
  const hwloc_bitmap_t bound = hwloc_bitmap_alloc(), nodes = hwloc_bitmap_alloc();
  if (bound && nodes && !hwloc_topology_load(topology) && !hwloc_get_cpubind(topology, bound, HWLOC_CPUBIND_THREAD)) {
    read_cores(topology, bound, b);
    hwloc_cpuset_to_nodeset(topology, bound, nodes);
    hwloc_bitmap_list_snprintf(b->numa, sizeof b->numa, nodes);
  }
  hwloc_bitmap_free(bound);
  hwloc_bitmap_free(nodes);
  hwloc_topology_destroy(topology);
}

void binding_read(struct binding *b, int threads, const char *kernels) {
  const char *bind = getenv("OMP_PROC_BIND"), *places = getenv("GOMP_CPU_AFFINITY");
  *b = (struct binding){ .threads = threads, .memory = memory_anonymous(), .huge = memory_huge() };
  gethostname(b->host, sizeof b->host - 1);
  b->host[strcspn(b->host, ".")] = 0;
  snprintf(b->kernels, sizeof b->kernels, "%s", kernels);
  if (bind && *bind && strcasecmp(bind, "false")) snprintf(b->pinned, sizeof b->pinned, "OMP_PROC_BIND");
  else if (places && *places) snprintf(b->pinned, sizeof b->pinned, "GOMP_CPU_AFFINITY");
  read_topology(b);
}

static int bits(const uint64_t *words) {
  int count = 0;
  for (int i = 0; i < BINDING_WORDS; i++)
    for (uint64_t w = words[i]; w; w &= w - 1) count++;
  return count;
}
int binding_cores(const struct binding *b) { return bits(b->cores); }

double binding_gflops(const struct binding *all, int ranks, int *slowest) {
  double *speeds = malloc((size_t)ranks * sizeof *speeds);
  *slowest = 0;
  for (int i = 1; i < ranks; i++)
    if (all[i].gflops < all[*slowest].gflops) *slowest = i;
  for (int i = 0; speeds && i < ranks; i++) speeds[i] = all[i].gflops;
  const double middle = speeds ? median(speeds, (size_t)ranks) : 0;
  free(speeds);
  return middle;
}

/* --- how it is told ------------------------------------------------------------------------------------------------- */

static const char *plural(int n) { return n == 1 ? "" : "s"; }

static int is_alike(const struct binding *a, const struct binding *b) {
  return a->threads == b->threads && binding_cores(a) == binding_cores(b) && !strcmp(a->numa, b->numa) &&
         !strcmp(a->kernels, b->kernels);
}
/* Whether an earlier one is like number i: by kind, or by host. */
static int was_alike(const struct binding *all, int i) {
  for (int k = 0; k < i; k++)
    if (is_alike(&all[k], &all[i])) return 1;
  return 0;
}
static int was_host(const struct binding *all, int i) {
  for (int k = 0; k < i; k++)
    if (!strcmp(all[k].host, all[i].host)) return 1;
  return 0;
}

/* All ranks that are like number i, from the first on: "ranks 0-3,8 on 2 hosts n1 ... n2: 4 cores of NUMA node 0, ...". */
static void describe(const struct binding *all, int ranks, int i, char *line, size_t size) {
  char list[64] = "";
  int count = 0, hosts = 0, last = i;
  double low = all[i].gflops, high = low;
  for (int k = i; k < ranks; k++) {
    if (!is_alike(&all[k], &all[i])) continue;
    int end = k, first_here = 1;
    for (int m = i; m < k && first_here; m++)
      first_here = !is_alike(&all[m], &all[i]) || strcmp(all[m].host, all[k].host) != 0;
    hosts += first_here;
    low = fmin(low, all[k].gflops), high = fmax(high, all[k].gflops);
    count++;
    last = k;
    if (k > i && is_alike(&all[k - 1], &all[i])) continue;
    while (end + 1 < ranks && is_alike(&all[end + 1], &all[i])) end++;
    char range[32] = "";
    snprintf(range, sizeof range, end > k ? "%s%d-%d" : "%s%d", *list ? "," : "", k, end);
    if (strlen(list) < 40) snprintf(list + strlen(list), sizeof list - strlen(list), "%s", strlen(list) < 32 ? range : ",...");
  }
  char where[192], numa[64] = "", speed[64] = "";
  if (hosts == 1) snprintf(where, sizeof where, "%s", all[i].host);
  else snprintf(where, sizeof where, "%d hosts %s ... %s", hosts, all[i].host, all[last].host);
  const struct binding *b = &all[i];
  const int cores = binding_cores(b), several = strpbrk(b->numa, "-,") != NULL;
  if (*b->numa) snprintf(numa, sizeof numa, " of NUMA node%s %s", several ? "s" : "", b->numa);
  if (round(low) < round(high)) snprintf(speed, sizeof speed, ", %.0f-%.0f GF/s", low, high);
  else if (high > 0) snprintf(speed, sizeof speed, ", %.0f GF/s", high);
  snprintf(line, size, "rank%s %s on %s: %d core%s%s, %d thread%s%s, OpenBLAS kernels %s%s", plural(count), list, where, cores,
           plural(cores), numa, b->threads, plural(b->threads), count > 1 ? " each" : "", b->kernels, speed);
}

/* Host of rank i: threads of all its ranks on the cores that they may use together. Nonzero where these are too few. */
static int check_host(const struct binding *all, int ranks, int i, void (*say)(void *, const char *), void *context) {
  char line[512];
  uint64_t together[BINDING_WORDS] = { 0 };
  int threads = 0, here = 0;
  for (int k = i; k < ranks; k++) {
    if (strcmp(all[k].host, all[i].host)) continue;
    for (int w = 0; w < BINDING_WORDS; w++) together[w] |= all[k].cores[w];
    threads += all[k].threads;
    here++;
  }
  const int cores = bits(together);
  if (!cores || all[i].pinned[0]) return 0;   /* not known, or only what the first thread is pinned to */
  const int machine = all[i].machine_cores;
  if (threads > cores) {
    const int each = cores >= here ? machine / here : 1;
    snprintf(line, sizeof line, "WARNING: %s: %d thread%s of %d rank%s share %d core%s; give each rank cores of its own: "
             "OMP_NUM_THREADS=%d mpirun --map-by slot:PE=%d --bind-to core", all[i].host, threads, plural(threads), here,
             plural(here), cores, plural(cores), each > 0 ? each : 1, each > 0 ? each : 1);
    say(context, line);
  } else if (threads < machine) {
    snprintf(line, sizeof line, "note: %s: %d of %d cores have no thread of this run", all[i].host, machine - threads, machine);
    say(context, line);
  }
  return threads > cores;
}

/* A rank may have fewer cores than threads where its host has enough for all. */
static void check_rank(const struct binding *all, int ranks, void (*say)(void *, const char *), void *context) {
  char line[512];
  int count = 0, first = 0;
  for (int i = ranks; i-- > 0;) {
    const int cores = binding_cores(&all[i]);
    if (!cores || all[i].pinned[0] || all[i].threads <= cores) continue;
    count++;
    first = i;
  }
  if (!count) return;
  const struct binding *b = &all[first];
  snprintf(line, sizeof line, "WARNING: %d of %d ranks, rank %d first, run more threads (%d) than they are bound to cores"
           " (%d): OMP_NUM_THREADS=%d, or mpirun --map-by slot:PE=%d --bind-to core", count, ranks, first, b->threads,
           binding_cores(b), binding_cores(b), b->threads);
  say(context, line);
}

/* Every step waits for its slowest rank. */
static void check_speed(const struct binding *all, int ranks, void (*say)(void *, const char *), void *context) {
  char line[512];
  int slowest, count = 0;
  const double middle = binding_gflops(all, ranks, &slowest), least = BINDING_SLOW * middle;
  for (int i = 0; i < ranks; i++) count += all[i].gflops < least;
  if (!count) return;
  const struct binding *b = &all[slowest];
  snprintf(line, sizeof line, "WARNING: %d of %d ranks, rank %d on %s slowest, multiply at less than %g of the median: %.1f of"
           " %.1f GF/s; the others will wait for it: is its clock held down, or other work on its cores?", count, ranks, slowest,
           b->host, BINDING_SLOW, b->gflops, middle);
  say(context, line);
}

/* Arenas ask for huge pages (base/arena.c); little memory is not worth a word. */
static void check_huge(const struct binding *all, int ranks, void (*say)(void *, const char *), void *context) {
  enum { MANY = 256 << 20 };
  char line[512];
  int count = 0, first = 0;
  for (int i = ranks; i-- > 0;)
    if (all[i].memory >= MANY && all[i].huge < all[i].memory / 2) count++, first = i;
  if (!count) return;
  const struct binding *b = &all[first];
  snprintf(line, sizeof line, "note: %d of %d ranks, rank %d on %s first, have little of their memory in huge pages (%zu of"
           " %zu MiB): is /sys/kernel/mm/transparent_hugepage/enabled \"never\" there, or free memory in pieces?", count, ranks,
           first, b->host, b->huge >> 20, b->memory >> 20);
  say(context, line);
}

void binding_tell(const struct binding *all, int ranks, void (*say)(void *context, const char *line), void *context) {
  char line[512];
  int bound_short = 0, shared = 0;
  for (int i = 0; i < ranks; i++) {
    if (was_alike(all, i)) continue;
    describe(all, ranks, i, line, sizeof line);
    say(context, line);
    bound_short |= binding_cores(&all[i]) && all[i].threads > binding_cores(&all[i]);
  }
  if (bound_short) check_rank(all, ranks, say, context);
  for (int i = 0; i < ranks && !bound_short; i++)
    if (!was_host(all, i)) shared |= check_host(all, ranks, i, say, context);
  for (int i = 0; i < ranks; i++)
    if (all[i].pinned[0]) {
      snprintf(line, sizeof line, "WARNING: %s makes OpenMP pin its threads, and products of OpenBLAS may then run on one"
               " core; unset it and bind with mpirun", all[i].pinned);
      say(context, line);
      break;
    }
  check_huge(all, ranks, say, context);
  if (!bound_short && !shared) check_speed(all, ranks, say, context);   /* else it is a matter of turns */
  for (int i = 1; i < ranks; i++)
    if (strcmp(all[i].kernels, all[0].kernels)) {
      snprintf(line, sizeof line, "WARNING: OpenBLAS runs %s kernels on %s and %s on %s: the slowest sets the speed, and ranks "
               "round differently; OPENBLAS_CORETYPE can name one for all", all[0].kernels, all[0].host, all[i].kernels,
               all[i].host);
      say(context, line);
      break;
    }
}
