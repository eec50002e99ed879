#include "io/provenance.h"

#include <cblas.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <hdf5.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/folder.h"
#include "io/origin.h"
#include "io/utf8.h"
#include "src/base/onednn.h"
#include "src/base/status.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unversioned"
#endif
#if defined __clang__ || !defined __GNUC__
#define COMPILER __VERSION__   /* it begins with the compiler's name */
#else
#define COMPILER "gcc " __VERSION__
#endif

extern char **environ;

/* A variable is recorded if it has one of these names, or if it begins with one that ends in '_'. */
static const char *const recorded[] = {
  "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "OMP_SCHEDULE", "OMP_DYNAMIC", "GOMP_CPU_AFFINITY", "KMP_AFFINITY",
  "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "HDF5_USE_FILE_LOCKING",
  "PMF_BLAS_CORE_WAS", "PMF_PRESETS", "PMF_PROGRESS",
  "SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_JOB_PARTITION", "SLURM_JOB_NODELIST", "SLURM_JOB_NUM_NODES", "SLURM_NTASKS",
  "SLURM_NTASKS_PER_NODE", "SLURM_CPUS_PER_TASK", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT",
  "SLURM_CLUSTER_NAME", "SLURM_CPU_BIND_TYPE", "UCX_TLS", "UCX_NET_DEVICES", "FI_PROVIDER",
  /* Open MPI's frameworks; what its launcher tells the ranks for itself (ess, orte, pmix ...) is left out */
  "OMPI_MCA_btl_", "OMPI_MCA_btl", "OMPI_MCA_pml_", "OMPI_MCA_pml", "OMPI_MCA_mtl_", "OMPI_MCA_mtl", "OMPI_MCA_coll_",
  "OMPI_MCA_coll", "OMPI_MCA_io_", "OMPI_MCA_io", "OMPI_MCA_fs_", "OMPI_MCA_fs", "OMPI_MCA_fbtl_", "OMPI_MCA_fbtl",
  "OMPI_MCA_fcoll_", "OMPI_MCA_fcoll", "OMPI_MCA_sharedfp_", "OMPI_MCA_sharedfp", "OMPI_MCA_hwloc_", "OMPI_MCA_rmaps_",
  "OMPI_MCA_odls_", "OMPI_MCA_mpi_", "OMPI_MCA_opal_",
};

static int is_recorded(const char *variable) {
  const size_t length = strcspn(variable, "=");
  for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++) {
    const size_t n = strlen(recorded[i]);
    if (strncmp(variable, recorded[i], n)) continue;
    if (n == length || (recorded[i][n - 1] == '_' && n < length)) return 1;
  }
  return 0;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void add_environment(cJSON *o) {
  enum { MOST = 256 };
  char *found[MOST];
  size_t n = 0;
  cJSON *list = cJSON_AddObjectToObject(o, "environment");
  for (char **v = environ; *v && n < MOST; v++)
    if (strchr(*v, '=') && is_recorded(*v)) found[n++] = *v;
  qsort(found, n, sizeof *found, by_text);
  for (size_t i = 0; i < n; i++) {
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(found[i], "="), found[i]);
    cJSON_AddStringToObject(list, name, strchr(found[i], '=') + 1);
  }
}

/* To the list of a group's NUMA nodes those of a rank, once. */
static void add_nodes(char *list, size_t size, const char *numa) {
  char all[300], one[64];
  snprintf(all, sizeof all, " %s ", list);
  snprintf(one, sizeof one, " %s ", numa);
  if (*numa && !strstr(all, one) && strlen(list) + strlen(numa) + 2 < size)
    snprintf(list + strlen(list), size - strlen(list), *list ? " %s" : "%s", numa);
}

/* Ranks in their order; a run of like ones on one host is one object. */
static void add_hosts(cJSON *o, const struct provenance *p) {
  cJSON *list = cJSON_AddArrayToObject(o, "hosts");
  for (int i = 0, next; i < p->ranks; i = next) {
    const struct binding *b = &p->bindings[i];
    double slowest = b->gflops;
    char nodes[256] = "";
    add_nodes(nodes, sizeof nodes, b->numa);
    for (next = i + 1; next < p->ranks; next++) {
      const struct binding *c = &p->bindings[next];
      if (strcmp(b->host, c->host) || strcmp(b->kernels, c->kernels) || b->threads != c->threads
          || binding_cores(b) != binding_cores(c)) break;
      slowest = fmin(slowest, c->gflops);
      add_nodes(nodes, sizeof nodes, c->numa);
    }
    cJSON *host = cJSON_CreateObject();
    cJSON_AddStringToObject(host, "host", b->host);
    cJSON_AddNumberToObject(host, "ranks", next - i);
    cJSON_AddNumberToObject(host, "threads", b->threads);
    cJSON_AddNumberToObject(host, "cores", binding_cores(b));
    cJSON_AddStringToObject(host, "numa", nodes);
    cJSON_AddStringToObject(host, "kernels", b->kernels);
    cJSON_AddNumberToObject(host, "gflops", slowest);
    cJSON_AddItemToArray(list, host);
  }
}

static void add_text(cJSON *o, const char *name, const char *text) {
  if (text && *text) cJSON_AddStringToObject(o, name, text);
  else cJSON_AddNullToObject(o, name);
}

static void add_libraries(cJSON *o) {
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "", hdf5[64] = "";
  int length;
  unsigned major, minor, patch;
  MPI_Get_library_version(mpi, &length);
  mpi[strcspn(mpi, "\n")] = 0;
  if (H5get_libversion(&major, &minor, &patch) >= 0) snprintf(hdf5, sizeof hdf5, "%u.%u.%u", major, minor, patch);
  add_text(o, "mpi", mpi);
  add_text(o, "hdf5", hdf5);
  add_text(o, "openblas", openblas_get_config());
  add_text(o, "onednn", onednn_version());
}

/* Words with blanks or quotes in single quotes, as a shell would want them back. */
static void add_command(cJSON *o, const struct provenance *p) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (!out) return;
  fprintf(out, "pmf %s", p->job);
  for (int i = 0; i < p->argc; i++) {
    const int plain = *p->argv[i] && !strpbrk(p->argv[i], " \t\n'\"\\$`&|;<>()*?[]{}~#!");
    fputs(plain ? " " : " '", out);
    for (const char *c = p->argv[i]; *c; c++) fputs(*c == '\'' ? "'\\''" : (char[]){ *c, 0 }, out);
    if (!plain) fputc('\'', out);
  }
  if (!fclose(out)) add_text(o, "command", text);
  free(text);
}

static cJSON *describe(const struct provenance *p) {
  const time_t now = time(NULL);
  char date[32];
  cJSON *o = cJSON_CreateObject();
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
  add_text(o, "started", date);
  cJSON_AddNumberToObject(o, "step", (double)p->step);
  add_command(o, p);
  add_text(o, "pmf", PACKAGE_VERSION);
  add_text(o, "commit", ORIGIN_COMMIT);
  add_text(o, "compiler", COMPILER);
  add_text(o, "flags", ORIGIN_FLAGS);
  add_libraries(o);
  cJSON_AddNumberToObject(o, "ranks", p->ranks);
  add_hosts(o, p);
  add_environment(o);
  return o;
}

/* The list so far, empty if there is none; NULL without memory. What cannot be read keeps another name. */
static cJSON *read_list(const char *path) {
  char *text = NULL, aside[4096 + 16];
  size_t room = 0;
  FILE *file = fopen(path, "r");
  if (!file && errno == ENOENT) return cJSON_CreateArray();
  const ssize_t length = file ? getdelim(&text, &room, '\0', file) : 0;
  if (file) fclose(file);
  cJSON *list = length > 0 ? cJSON_Parse(text) : NULL;
  free(text);
  if (cJSON_IsArray(list)) return list;
  cJSON_Delete(list);
  snprintf(aside, sizeof aside, "%s.broken", path);
  rename(path, aside);
  return cJSON_CreateArray();
}

int provenance_add(const char *folder, const struct provenance *p) {
  char path[4096];
  snprintf(path, sizeof path, "%s/provenance.json", folder);
  cJSON *list = read_list(path), *start = describe(p);
  if (!cJSON_AddItemToArray(list, start)) cJSON_Delete(start);
  char *text = cJSON_Print(list);
  cJSON_Delete(list);
  char *lines = text ? malloc(strlen(text) + 2) : NULL;
  if (lines) utf8_mend(strcat(strcpy(lines, text), "\n"));   /* words and files may be any bytes */
  cJSON_free(text);
  if (!lines) return because(STATUS_NOMEM, "no memory for %s", path);
  const int status = folder_write(folder, "provenance.json", lines);
  free(lines);
  return status;
}
