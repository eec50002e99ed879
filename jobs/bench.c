/* bench.c - pmf bench step|sample|gemm|comm|node: how fast this machine does the program's work, against its own limits. */
#include "jobs/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/words.h"
#include "jobs/jobs.h"
#include "mpi/agree.h"
#include "src/base/status.h"

static long steps = 5;
static struct word words[] = {
  { .name = "steps", .type = WORD_INTEGER, .value = &steps, .min = 1, .max = 1000, .help = "measured; medians are shown; 5" },
  { .name = "--json", .type = WORD_TEXT, .help = "one line of JSON" },
};
enum { STEPS, JSON, WORDS };

static const struct { const char *name; int (*run)(struct bench *); const char *help; } benches[] = {
  { "step", bench_step, "training steps on generated data: images/s, share of the sgemm rate, seconds by phase, memory" },
  { "sample", bench_sample, "sampling: seconds for one image, images/s in chunks" },
  { "gemm", bench_gemm, "OpenBLAS at the shapes of the net" },
  { "comm", bench_comm, "ways to sum a gradient over the ranks, by size" },
  { "node", NULL, "step for every division of this node's cores into ranks x threads, the fastest first; without mpirun" },
};
enum { BENCHES = sizeof benches / sizeof *benches };

void bench_help(void) {
  puts("usage: pmf bench step|sample|gemm|comm|node  preset=NAME  [key=value ...]\n");
  for (int i = 0; i < BENCHES; i++) {
    printf("  %-7s ", benches[i].name);
    words_wrap(benches[i].help, 10);
  }
  puts("\nwords:");
  words_help(words, WORDS);
  puts("\nexamples:\n"
       "  OMP_NUM_THREADS=2 pmf bench step preset=pMF_B_16 training.batch_size=4\n"
       "  mpirun -np 2 pmf bench step preset=fashion --json\n"
       "  mpirun -np 2 pmf bench comm\n"
       "  pmf bench node preset=fashion");
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double bench_median(double *x, size_t n) {
  qsort(x, n, sizeof *x, compare);
  return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

static int read_words(struct bench *b, int argc, char **argv, int *which) {
  char *bare[2] = { NULL };
  int status = settings_load(&b->s, argc, argv, words, WORDS, bare, 1);
  if (!status) status = settings_check(&b->s);
  if (status) return status;
  b->steps = steps;
  b->json = words[JSON].given;
  for (*which = 0; *which < BENCHES; ++*which)
    if (bare[0] && !strcmp(bare[0], benches[*which].name)) return STATUS_OK;
  return because(STATUS_BAD, "bench %s: expected one of step, sample, gemm, comm, node", bare[0] ? bare[0] : "");
}

int bench_alone(int argc, char **argv, int *status) {
  struct bench b = { .w = NULL };
  int which, asked = 0;
  for (int i = 0; i < argc; i++) asked |= !strcmp(argv[i], "node");
  if (!asked) return 0;
  *status = read_words(&b, argc, argv, &which);
  if (!*status) *status = bench_node(&b, argc, argv);
  return 1;
}

int bench_run(const struct world *w, int argc, char **argv) {
  struct bench b = { .w = w };
  int which = 0;
  const int status = agree(w->comm, read_words(&b, argc, argv, &which));
  return status ? status : benches[which].run(&b);
}
