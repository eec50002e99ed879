#include "jobs/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "io/folder.h"
#include "src/base/matmul.h"
#include "src/base/processor.h"

/* Says to the second start what the first one found. */
static const char *const mark = "PMF_BLAS_CORE_WAS";

/* The first line of RUN/blas_core where a word run=DIR names a folder that has one. */
static int remembered(char **argv, char core[static 64]) {
  char path[4096] = "";
  for (; *argv; argv++)
    if (!strncmp(*argv, "run=", 4)) snprintf(path, sizeof path, "%s/blas_core", *argv + 4);
  FILE *f = *path ? fopen(path, "r") : NULL;
  const int found = f && fgets(core, 64, f);
  if (f) fclose(f);
  if (found) core[strcspn(core, "\n")] = 0;
  return found && *core;
}

void core_choose(char **argv) {
  const char *now = matmul_core(), *want = processor_better_core(now);
  char core[64];
  if (getenv("OPENBLAS_CORETYPE") || getenv(mark)) return;
  if (remembered(argv, core) && processor_runs_core(core)) want = strcasecmp(core, now) ? core : NULL;
  if (!want) return;
  setenv(mark, now, 1);
  setenv("OPENBLAS_CORETYPE", want, 1);
  execv("/proc/self/exe", argv);
  unsetenv("OPENBLAS_CORETYPE");   /* it did not come to that: go on as we are */
}

void core_describe(char text[static 256]) {
  const char *now = matmul_core(), *better = processor_better_core(now);
  const char *was = getenv(mark), *set = getenv("OPENBLAS_CORETYPE");
  if (was) snprintf(text, 256, "OpenBLAS kernels: %.40s (it had taken this processor for %.40s)", now, was);
  else if (better) snprintf(text, 256, "OpenBLAS kernels: %.40s; %s would be faster here%s", now, better,
                            set ? ", but OPENBLAS_CORETYPE is set" : "");
  else *text = 0;
}

int core_remember(const char *run) {
  char line[64];
  snprintf(line, sizeof line, "%.60s\n", matmul_core());
  return folder_write(run, "blas_core", line);
}
