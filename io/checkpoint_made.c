#include "io/checkpoint_made.h"

#include <cblas.h>
#include <mpi.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>
#ifdef __x86_64__
#include <sleef.h>
#endif

#include "io/hdf.h"
#include "io/origin.h"
#include "src/base/matmul.h"
#include "src/base/onednn.h"

#ifdef __x86_64__
#define TEXT(x) #x
#define VERSION(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)
#define SLEEF_NOW VERSION(SLEEF_VERSION_MAJOR, SLEEF_VERSION_MINOR, SLEEF_VERSION_PATCHLEVEL)
#else
#define SLEEF_NOW "none"   /* src/base/vecmath.c */
#endif
#ifdef __AVX512F__
#define WIDTH " for AVX-512"
#elif defined __AVX2__
#define WIDTH " for AVX2"
#else
#define WIDTH ""
#endif

/* The attribute's name, what people call it, and its value here and now. */
struct fact { const char *name, *words; char now[256]; };
enum { RANKS, THREADS, CORE, OPENBLAS, MPI, PMF, BUILD, ONEDNN, SLEEF, FACTS };

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unversioned"
#endif

/* Up to the first of these characters. */
static void keep(struct fact *f, const char *text, const char *end) {
  snprintf(f->now, sizeof f->now, "%.*s", (int)strcspn(text, end), text);
}

static void find_facts(struct fact facts[FACTS], int ranks) {
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
  int length;
  const struct fact names[FACTS] = { { "ranks", "ranks", "" }, { "threads", "threads a rank", "" },
                                     { "blas_core", "as OpenBLAS's kernels", "" }, { "openblas", "as its version", "" },
                                     { "mpi", "as MPI library", "" }, { "pmf", "as pmf", "" },
                                     { "build", "as its build", "" }, { "onednn", "as oneDNN", "" },
                                     { "sleef", "as SLEEF", "" } };
  memcpy(facts, names, sizeof names);
  MPI_Get_library_version(mpi, &length);
  snprintf(facts[RANKS].now, sizeof facts->now, "%d", ranks);
  snprintf(facts[THREADS].now, sizeof facts->now, "%d", omp_get_max_threads());
  keep(&facts[CORE], matmul_core(), "\n");
  keep(&facts[MPI], mpi, ",\n");
  const char *config = openblas_get_config(), *number = strchr(config, ' ');   /* "OpenBLAS 0.3.21 DYNAMIC_ARCH ..." */
  keep(&facts[OPENBLAS], number ? number + 1 : "", " ");
  keep(&facts[PMF], *ORIGIN_COMMIT ? PACKAGE_VERSION " " ORIGIN_COMMIT : PACKAGE_VERSION, "\n");
  keep(&facts[BUILD], __VERSION__ WIDTH ", " ORIGIN_FLAGS, "\n");
  keep(&facts[ONEDNN], onednn_version() ? onednn_version() : "none", "\n");
  keep(&facts[SLEEF], SLEEF_NOW, "\n");
}

int checkpoint_made_write(hid_t file, int ranks) {
  struct fact facts[FACTS];
  find_facts(facts, ranks);
  int bad = 0;
  for (int i = 0; i < FACTS && !bad; i++) bad = hdf_put_text(file, facts[i].name, facts[i].now);
  return bad;
}

void checkpoint_made_changes(const char *path, int ranks, int threads, char *text, size_t room) {
  struct fact facts[FACTS];
  hid_t file;
  *text = 0;
  if (hdf_open(&file, path)) return;
  find_facts(facts, ranks);
  for (int i = 0; i < FACTS; i++) {
    char was[sizeof facts->now];
    const size_t at = strlen(text);
    if ((i == RANKS && !ranks) || (i == THREADS && !threads)) continue;
    if (hdf_get_text(file, facts[i].name, was, sizeof was)) continue;   /* an older version did not keep it, */
    if (!*was || !strcmp(was, "not set") || !strcmp(was, facts[i].now)) continue;   /* or did not know */
    snprintf(text + at, room - at, "%s%s %s, now %s", at ? "; " : "", was, facts[i].words, facts[i].now);
  }
  H5Fclose(file);
}
