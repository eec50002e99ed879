/* The same cores as few ranks of many threads or many ranks of few: each division of the node's cores trains a few steps, as a
 * run of `pmf bench step` under an mpirun of its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/binding.h"
#include "io/json.h"
#include "jobs/bench.h"
#include "mpi/world.h"
#include "src/base/status.h"

enum { DIVISIONS = 64, LINE = 8192 };
struct division {
  int ranks, threads, code;        /* code: of mpirun */
  double images_per_s, seconds, peak;
};

static const char *launcher(void) {
  const char *set = getenv("MPIRUN");
  return set && *set ? set : "mpirun";
}

/* mpirun's words, the program's, and those of the user for `bench step`. args: room for n + 24. */
static void command(int n, char **words, const char *steps, char *const numbers[2], char **args) {
  static char self[TEXT_MAX];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  int k = 0;
  self[length > 0 ? length : 0] = 0;
  args[k++] = (char *)launcher();
  args[k++] = "-np", args[k++] = numbers[0];
  args[k++] = "--map-by", args[k++] = numbers[1];
  args[k++] = "--bind-to", args[k++] = "core";
  args[k++] = self, args[k++] = "bench", args[k++] = "step";
  for (int i = 0; i < n; i++)
    if (strcmp(words[i], "node") && strcmp(words[i], "--json") && strncmp(words[i], "steps=", 6)) args[k++] = words[i];
  args[k++] = (char *)steps, args[k++] = "--json", args[k] = NULL;
}

/* In the child: threads as asked for, pinned by mpirun alone. */
static void become(const struct division *d, int out, char **args) {
  char threads[16];
  snprintf(threads, sizeof threads, "%d", d->threads);
  setenv("OMP_NUM_THREADS", threads, 1);
  static const char *const pins[] = { "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "OPENBLAS_NUM_THREADS" };
  for (size_t i = 0; i < sizeof pins / sizeof *pins; i++) unsetenv(pins[i]);
  dup2(out, STDOUT_FILENO);
  close(out);
  execvp(args[0], args);
  _exit(127);
}

/* The last line of what is written there that starts an object, in text. */
static void read_json(int in, char text[LINE]) {
  FILE *f = fdopen(in, "r");
  char line[LINE];
  *text = 0;
  while (f && fgets(line, sizeof line, f))
    if (*line == '{') memcpy(text, line, sizeof line);
  if (f) fclose(f);
  else close(in);
}

static double number(const cJSON *o, const char *name) {
  const cJSON *n = cJSON_GetObjectItem(o, name);
  return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static int run(struct division *d, const struct bench *b, int n, char **words) {
  char ranks[16], slots[32], steps[32], text[LINE], *args[64 + 24];
  int ends[2], code;
  if (n > 64) return because(STATUS_BAD, "bench node: more than 64 words");
  snprintf(ranks, sizeof ranks, "%d", d->ranks);
  snprintf(slots, sizeof slots, "slot:PE=%d", d->threads);
  snprintf(steps, sizeof steps, "steps=%ld", b->steps);
  command(n, words, steps, (char *const[2]){ ranks, slots }, args);
  if (pipe(ends)) return because(STATUS_IO, "no pipe to %s: %s", launcher(), strerror(errno));
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    become(d, ends[1], args);
  }
  close(ends[1]);
  if (child < 0) {
    close(ends[0]);
    return because(STATUS_IO, "%s cannot be started: %s", launcher(), strerror(errno));
  }
  read_json(ends[0], text);
  waitpid(child, &code, 0);
  d->code = WIFEXITED(code) ? WEXITSTATUS(code) : 128 + WTERMSIG(code);
  if (d->code == 127)
    return because(STATUS_BAD, "bench node starts ranks with %s, which is not to be found; MPIRUN names another", launcher());
  cJSON *o = cJSON_Parse(text);
  d->images_per_s = number(o, "images_per_s");
  d->seconds = number(o, "step_seconds");
  d->peak = number(o, "peak_bytes");
  cJSON_Delete(o);
  return STATUS_OK;
}

static int faster(const void *a, const void *b) {
  const double x = ((const struct division *)a)->images_per_s, y = ((const struct division *)b)->images_per_s;
  return (x < y) - (x > y);
}

static void print_json(const struct division *all, int n, int cores) {
  cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "divisions");
  cJSON_AddNumberToObject(o, "cores", cores);
  cJSON_AddNumberToObject(o, "best_ranks", all[0].ranks);
  cJSON_AddNumberToObject(o, "best_threads", all[0].threads);
  for (int i = 0; i < n; i++) {
    cJSON *d = cJSON_CreateObject();
    cJSON_AddNumberToObject(d, "ranks", all[i].ranks);
    cJSON_AddNumberToObject(d, "threads", all[i].threads);
    cJSON_AddNumberToObject(d, "exit_code", all[i].code);
    cJSON_AddNumberToObject(d, "images_per_s", all[i].images_per_s);
    cJSON_AddNumberToObject(d, "step_seconds", all[i].seconds);
    cJSON_AddNumberToObject(d, "peak_bytes", all[i].peak);
    cJSON_AddItemToArray(list, d);
  }
  json_print(o);
}

static void print_table(const struct division *all, int n, int cores) {
  const double GiB = 1 << 30;
  printf("%d core%s\n\n  ranks  threads   images/s   s a step   GiB a rank   GiB in all\n", cores, cores > 1 ? "s" : "");
  for (int i = 0; i < n; i++) {
    const struct division *d = &all[i];
    if (!d->images_per_s) printf("  %5d  %7d   ended with exit code %d\n", d->ranks, d->threads, d->code);
    else printf("  %5d  %7d %10.2f %10.4f %12.3f %12.3f\n", d->ranks, d->threads, d->images_per_s, d->seconds, d->peak / GiB,
                d->ranks * d->peak / GiB);
  }
  printf("\nThe fastest here:  OMP_NUM_THREADS=%d mpirun -np %d --map-by slot:PE=%d --bind-to core pmf train ...\n",
         all[0].threads, all[0].ranks, all[0].threads);
}

int bench_node(struct bench *b, int argc, char **argv) {
  struct division all[DIVISIONS];
  struct binding here;
  int n = 0;
  if (world_launched()) return because(STATUS_BAD, "bench node starts its ranks itself: run it without mpirun");
  binding_read(&here, 1, "");
  const int cores = binding_cores(&here) ? binding_cores(&here) : 1;
  for (int ranks = 1; ranks <= cores && n < DIVISIONS; ranks++) {
    if (cores % ranks || ranks > b->s.training.batch_size) continue;
    all[n] = (struct division){ .ranks = ranks, .threads = cores / ranks };
    const int status = run(&all[n++], b, argc, argv);
    if (status) return status;
  }
  qsort(all, (size_t)n, sizeof *all, faster);
  if (!all[0].images_per_s)
    return because(STATUS_BAD, "no division of the %d cores could train; what %s said is above (exit code %d)", cores,
                   launcher(), all[0].code);
  (b->json ? print_json : print_table)(all, n, cores);
  return STATUS_OK;
}
