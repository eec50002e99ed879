#include "io/checkpoint_made.h"

#include <cblas.h>
#include <mpi.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "io/hdf.h"
#include "src/base/matmul.h"

/* The attribute's name, what people call it, and its value here and now. */
struct fact { const char *name, *words; char now[128]; };
enum { RANKS, THREADS, CORE, OPENBLAS, MPI, FACTS };

/* Up to the first of these characters. */
static void keep(struct fact *f, const char *text, const char *end) {
  snprintf(f->now, sizeof f->now, "%.*s", (int)strcspn(text, end), text);
}

static void find_facts(struct fact facts[FACTS], int ranks) {
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
  int length;
  const struct fact names[FACTS] = { { "ranks", "ranks", "" }, { "threads", "threads a rank", "" },
                                     { "blas_core", "as OpenBLAS's kernels", "" }, { "openblas", "as its version", "" },
                                     { "mpi", "as MPI library", "" } };
  memcpy(facts, names, sizeof names);
  MPI_Get_library_version(mpi, &length);
  snprintf(facts[RANKS].now, sizeof facts->now, "%d", ranks);
  snprintf(facts[THREADS].now, sizeof facts->now, "%d", omp_get_max_threads());
  keep(&facts[CORE], matmul_core(), "\n");
  keep(&facts[MPI], mpi, ",\n");
  const char *config = openblas_get_config(), *number = strchr(config, ' ');   /* "OpenBLAS 0.3.21 DYNAMIC_ARCH ..." */
  keep(&facts[OPENBLAS], number ? number + 1 : "", " ");
}

int checkpoint_made_write(hid_t file, int ranks) {
  struct fact facts[FACTS];
  find_facts(facts, ranks);
  int bad = 0;
  for (int i = 0; i < FACTS && !bad; i++) bad = hdf_put_text(file, facts[i].name, facts[i].now);
  return bad;
}

void checkpoint_made_changes(const char *path, int ranks, char *text, size_t room) {
  struct fact facts[FACTS];
  hid_t file;
  *text = 0;
  if (hdf_open(&file, path)) return;
  find_facts(facts, ranks);
  for (int i = ranks ? RANKS : THREADS; i < FACTS; i++) {
    char was[128];
    const size_t at = strlen(text);
    if (hdf_get_text(file, facts[i].name, was, sizeof was)) continue;   /* an older version did not keep it, */
    if (!*was || !strcmp(was, "not set") || !strcmp(was, facts[i].now)) continue;   /* or did not know */
    snprintf(text + at, room - at, "%s%s %s, now %s", at ? "; " : "", was, facts[i].words, facts[i].now);
  }
  H5Fclose(file);
}
