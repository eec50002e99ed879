/* bench.c - pmf bench: how fast this machine does the program's work, against its own limits. */
#include "jobs/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/words.h"
#include "jobs/jobs.h"
#include "mpi/agree.h"
#include "src/base/status.h"

static long steps = 5, images = 512, size;
static double step_seconds = 0.5;
static char layers[TEXT_MAX];
static struct word words[] = {
  { .name = "steps", .type = WORD_INTEGER, .value = &steps, .min = 1, .max = 1000, .help = "measured; medians are shown; 5" },
  { .name = "size", .type = WORD_INTEGER, .value = &size, .min = 1, .max = 65536,
    .help = "data: pixels a side; dataset.image_size" },
  { .name = "n", .type = WORD_INTEGER, .value = &images, .min = 4, .max = 1 << 30,
    .help = "data: images read, in batches of training.batch_size or n / 4; 512" },
  { .name = "step_seconds", .type = WORD_REAL, .value = &step_seconds, .min = 1e-3, .max = 3600,
    .help = "data: the steps to hide behind, as bench step measures them; 0.5" },
  { .name = "layers", .type = WORD_TEXT, .value = layers,
    .help = "step, on one rank: a file for the seconds layer for layer, which many ranks are simulated with" },
  { .name = "--json", .type = WORD_TEXT, .help = "one line of JSON" },
};
enum { STEPS, SIZE, N, STEP_SECONDS, LAYERS, JSON, WORDS };

static const struct { const char *name; int (*run)(struct bench *); const char *help; } benches[] = {
  { "step", bench_step, "training steps on generated data: images/s, share of the sgemm rate, seconds by phase, memory" },
  { "sample", bench_sample, "sampling: seconds for one image, images/s in chunks" },
  { "gemm", bench_gemm, "OpenBLAS at the shapes of the net" },
  { "comm", bench_comm, "ways to sum a gradient over the ranks, by size" },
  { "data", bench_data, "random reads of packed images (data=FILE.h5, or noise) from disk and memory, and behind steps" },
  { "vision", bench_vision, "the networks of scores and perceptual losses, weights drawn: images/s, with and without gradient" },
  { "node", NULL, "step for every division of this node's cores into ranks x threads, the fastest first; without mpirun" },
};
enum { BENCHES = sizeof benches / sizeof *benches };

void bench_help(void) {
  puts("usage: pmf bench step|sample|gemm|comm|data|vision|node  preset=NAME  [key=value ...]\n");
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
       "  pmf bench data size=512 training.batch_size=16 step_seconds=20\n"
       "  OMP_NUM_THREADS=2 pmf bench vision\n"
       "  pmf bench node preset=fashion");
}

/* The number of the bench that a word names, or BENCHES. */
static int find(const char *word) {
  int i = 0;
  while (i < BENCHES && strcmp(word, benches[i].name)) i++;
  return i;
}

/* One word, wherever it stands, says which; by hand, as `data` would be taken for a data= without a value. */
static int read_words(struct bench *b, int argc, char **argv, int *which) {
  char *bare[2] = { NULL }, **rest = malloc(((size_t)argc + 1) * sizeof *rest);
  int n = 0;
  if (!rest) return because(STATUS_NOMEM, "no memory for the words");
  *which = BENCHES;
  for (int i = 0; i < argc; i++)
    if (*which == BENCHES && find(argv[i]) < BENCHES) *which = find(argv[i]);
    else rest[n++] = argv[i];
  int status = settings_load(&b->s, n, rest, words, WORDS, bare, *which == BENCHES);
  free(rest);
  if (!status) status = settings_check(&b->s);
  if (status) return status;
  if (*which == BENCHES)
    return because(STATUS_BAD, "bench %s: expected one of step, sample, gemm, comm, data, vision, node", bare[0] ? bare[0] : "");
  for (int i = SIZE; i <= STEP_SECONDS; i++)
    if (words[i].given && benches[*which].run != bench_data)
      return because(STATUS_BAD, "%s= is for bench data alone", words[i].name);
  if (words[SIZE].given && *b->s.dataset.root) return because(STATUS_BAD, "size=: the images of data= have their own");
  if (words[SIZE].given) b->s.dataset.image_size = size;
  if (words[LAYERS].given && benches[*which].run != bench_step) return because(STATUS_BAD, "layers= is for bench step alone");
  b->layers = layers;
  b->steps = steps, b->n = images, b->step_seconds = step_seconds;
  b->json = words[JSON].given;
  return STATUS_OK;
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
