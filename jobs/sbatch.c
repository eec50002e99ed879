/* sbatch.c - pmf sbatch: slurm/train.sbatch with the settings of a run, once they are known to fit together. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/binding.h"
#include "io/checkpoint_io.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "jobs/needs.h"
#include "jobs/setup.h"
#include "jobs/trainer.h"
#include "mpi/agree.h"
#include "src/base/status.h"

#define MARK "# ---- nothing to set below this line"

static char words_run[TEXT_MAX], words_out[TEXT_MAX], words_launcher[TEXT_MAX] = "mpirun", words_partition[TEXT_MAX],
            words_pmf[TEXT_MAX] = "pmf", words_time[TEXT_MAX] = "24:00:00";
static long nodes = 1, tasks = 1, threads = 1, cores, patience = 3;
static double lead = 300, step_seconds = 30, mb_per_s = 100;
static struct word words[] = {
  { .name = "run", .type = WORD_TEXT, .value = words_run, .help = "folder of the run" },
  { .name = "out", .type = WORD_TEXT, .value = words_out, .help = "the script; none: standard output" },
  { .name = "nodes", .type = WORD_INTEGER, .value = &nodes, .min = 1, .max = 1 << 16, .help = "how many" },
  { .name = "tasks", .type = WORD_INTEGER, .value = &tasks, .min = 1, .max = 1 << 12, .help = "ranks on a node" },
  { .name = "threads", .type = WORD_INTEGER, .value = &threads, .min = 1, .max = 1 << 12, .help = "of a rank" },
  { .name = "cores", .type = WORD_INTEGER, .value = &cores, .min = 0, .max = 1 << 16,
    .help = "physical cores of a node; 0: as many as this machine has" },
  { .name = "time", .type = WORD_TEXT, .value = words_time, .help = "limit of one start, [D-]HH:MM:SS or minutes" },
  { .name = "lead", .type = WORD_REAL, .value = &lead, .min = 1, .max = 65535,
    .help = "seconds before the limit at which Slurm tells the run to stop" },
  { .name = "step_seconds", .type = WORD_REAL, .value = &step_seconds, .min = 0, .max = 1e6,
    .help = "the longest step, as RUN/metrics.jsonl or pmf plan have it" },
  { .name = "mb_per_s", .type = WORD_REAL, .value = &mb_per_s, .min = 1e-3, .max = 1e9,
    .help = "of checkpoints, as pmf iotest measures it" },
  { .name = "launcher", .type = WORD_TEXT, .value = words_launcher, .help = "mpirun or srun" },
  { .name = "partition", .type = WORD_TEXT, .value = words_partition, .help = "Slurm's; none: its default" },
  { .name = "patience", .type = WORD_INTEGER, .value = &patience, .min = 1, .max = 1000,
    .help = "starts without a new checkpoint before the job gives up" },
  { .name = "pmf", .type = WORD_TEXT, .value = words_pmf, .help = "the program on the nodes" },
};
enum { RUN, OUT, NODES, TASKS, THREADS, CORES, TIME, LEAD, STEP_SECONDS, MB_PER_S, LAUNCHER, PARTITION, PATIENCE, PROGRAM, WORDS };

void sbatch_help(void) {
  puts("usage: pmf sbatch preset=NAME | config=FILE.yml  data=FILE.h5 run=DIR  [nodes= tasks= threads= time= ...] [key=value ...]\n\n"
       "Writes a batch script for Slurm that trains in RUN, is saved before its time is up or when it is preempted, and goes on\n"
       "by itself until the training is done; scancel or the file RUN/stop ends it. What does not fit together is refused, also images that FILE.h5 has not, if it is here.\n\nwords (all others go to pmf train):");
  words_help(words, WORDS);
  puts("\nexample:\n"
       "  pmf sbatch preset=pMF_B_16 data=imagenet.h5 run=runs/b16 nodes=4 tasks=8 threads=8 out=b16.sbatch\n"
       "  sbatch b16.sbatch");
}

/* Seconds of Slurm's forms M, M:S, H:M:S, D-H, D-H:M, D-H:M:S; 0 for none of them. */
static double seconds_of(const char *text) {
  unsigned d = 0, a = 0, b = 0, c = 0;
  int used = 0, parts;
  const char *rest = text;
  const int days = strchr(text, '-') != NULL;
  if (days) {
    if (sscanf(text, "%u-%n", &d, &used) != 1 || !used) return 0;
    rest += used;
  }
  if (strspn(rest, "0123456789:") != strlen(rest)) return 0;
  parts = sscanf(rest, "%u:%u:%u", &a, &b, &c);
  if (parts < 1) return 0;
  if (days) return 86400.0 * d + 3600.0 * a + 60.0 * b + c;
  return parts == 3 ? 3600.0 * a + 60.0 * b + c : 60.0 * a + b;
}

/* Bytes of a checkpoint of these settings. */
static int checkpoint_bytes(const struct settings *s, double *bytes) {
  struct net net = { .blocks = NULL };
  const struct net_config config = setup_net(s);
  const int status = net_init(&net, &config, s->training.optimizer == OPTIMIZER_ADAMW);
  if (!status) *bytes = (double)needs_of(&net, s, (int)(nodes * tasks), 0).checkpoint;
  net_free(&net);
  return status;
}

/* Images that lie on the cluster alone cannot be looked at here: a note says so. */
static int check_images(const struct settings *s) {
  struct dataset d;
  if (access(s->dataset.root, F_OK)) {
    fprintf(stderr, "note: %s is not here: whether its images are those of the settings was not looked at\n", s->dataset.root);
    return STATUS_OK;
  }
  int status = dataset_open(&d, s->dataset.root);
  if (status) return status;
  status = trainer_fits(s, &d);
  dataset_close(&d);
  return status;
}

static int check(const struct settings *s) {
  if (!words[RUN].given) return because(STATUS_BAD, "run=DIR is missing: the folder of this run");
  if (!*s->dataset.root) return because(STATUS_BAD, "data=FILE.h5 is missing: a file that `pmf pack` wrote");
  if (strcmp(words_launcher, "mpirun") && strcmp(words_launcher, "srun"))
    return because(STATUS_BAD, "launcher=%s: expected mpirun or srun", words_launcher);
  if (!cores) {
    struct binding b;
    binding_read(&b, 1, "");
    cores = b.machine_cores;
  }
  if (tasks * threads > cores)
    return because(STATUS_BAD, "tasks=%ld x threads=%ld are more than the %ld cores of a node; cores=N says how many it has",
                   tasks, threads, cores);
  if (nodes * tasks > s->training.batch_size)
    return because(STATUS_BAD, "nodes=%ld x tasks=%ld are more ranks than a batch has images: training.batch_size=%ld", nodes,
                   tasks, s->training.batch_size);
  double bytes = 0;
  const int status = checkpoint_bytes(s, &bytes);
  if (status) return status;
  const double save = bytes / 1e6 / mb_per_s, need = step_seconds + 2 * save, limit = seconds_of(words_time);
  if (lead < need)
    return because(STATUS_BAD, "lead=%g: a step of %g s and twice a save of %.0f MB at %g MB/s take %.0f s; expected at least that",
                   lead, step_seconds, bytes / 1e6, mb_per_s, need);
  if (limit <= 0) return because(STATUS_BAD, "time=%s: expected [D-]HH:MM:SS or minutes", words_time);
  if (limit < lead + 120)
    return because(STATUS_BAD, "time=%s leaves no time to train before the signal, lead=%g s earlier and up to a minute more",
                   words_time, lead);
  return check_images(s);
}

/* 'text' for the shell. */
static void put_quoted(FILE *f, const char *text) {
  fputc('\'', f);
  for (; *text; text++)
    if (*text == '\'') fputs("'\\''", f);
    else fputc(*text, f);
  fputc('\'', f);
}

static int of_this_job(const char *word) {
  for (size_t i = 0; i < WORDS; i++) {
    const size_t n = strlen(words[i].name);
    if (!strncmp(word, words[i].name, n) && word[n] == '=') return 1;
  }
  return 0;
}

/* What pmf iotest is to try before the first step: all ways that the run's saves may go. */
static const char *ways(const struct settings *s) {
  static const char *const by_io[] = { "all", "ompio", "romio", "rank0" };
  static char text[32];
  const int io = (int)s->checkpoint.io;   /* the last save of an asynchronous run goes this way too */
  snprintf(text, sizeof text, "%s%s", by_io[io], s->checkpoint.async && io != CHECKPOINT_AUTO ? " threads" : "");
  return text;
}

static void put_head(FILE *f, const struct settings *s, int argc, char **argv) {
  fprintf(f, "#!/bin/bash\n# Written by pmf sbatch. %ld rank%s of %ld thread%s.\n#SBATCH --job-name=pmf\n", nodes * tasks,
          nodes * tasks > 1 ? "s" : "", threads, threads > 1 ? "s" : "");
  if (*words_partition) fprintf(f, "#SBATCH --partition=%s\n", words_partition);
  fprintf(f, "#SBATCH --nodes=%ld\n#SBATCH --ntasks-per-node=%ld\n#SBATCH --cpus-per-task=%ld\n#SBATCH --hint=nomultithread\n"
          "#SBATCH --time=%s\n#SBATCH --signal=B:USR1@%.0f\n#SBATCH --requeue\n#SBATCH --open-mode=append\n"
          "#SBATCH --output=pmf-%%j.log\n\n",
          nodes, tasks, threads, words_time, lead);
  fprintf(f, "pmf=");
  put_quoted(f, words_pmf);
  fprintf(f, "\nlauncher=%s\n# Lustre: to begin with, a stripe for each node, in a new folder: lfs setstripe -c %ld DIR\nrun=",
          words_launcher, nodes);
  put_quoted(f, words_run);
  fprintf(f, "\nwords=(");
  for (int i = 0, first = 1; i < argc; i++) {
    if (of_this_job(argv[i])) continue;
    if (!first) fputc(' ', f);
    put_quoted(f, argv[i]);
    first = 0;
  }
  fprintf(f, ")\npatience=%ld\niotest='%s'\n\n", patience, ways(s));
}

static FILE *open_template(void) {
  FILE *f = fopen(SLURMDIR "/train.sbatch", "r");
  return f ? f : fopen(SOURCE_SLURMDIR "/train.sbatch", "r");
}

/* The template's part below the mark. */
static int put_body(FILE *f) {
  char line[4096];
  int below = 0;
  FILE *from = open_template();
  if (!from) return because(STATUS_IO, "%s/train.sbatch: %s", SLURMDIR, strerror(errno));
  while (fgets(line, sizeof line, from)) {
    below |= !strncmp(line, MARK, strlen(MARK));
    if (below) fputs(line, f);
  }
  fclose(from);
  return below ? STATUS_OK : because(STATUS_BAD, "train.sbatch has no line '%s'", MARK);
}

static int write_script(const struct settings *s, int argc, char **argv) {
  char tmp[TEXT_MAX + 8];
  snprintf(tmp, sizeof tmp, "%s.tmp", words_out);
  FILE *f = words[OUT].given ? fopen(tmp, "w") : stdout;
  if (!f) return because(STATUS_IO, "%s: %s", tmp, strerror(errno));
  put_head(f, s, argc, argv);
  int status = put_body(f);
  if (f == stdout) return status;
  if (fclose(f) && !status) status = because(STATUS_IO, "%s: %s", tmp, strerror(errno));
  if (!status && rename(tmp, words_out)) status = because(STATUS_IO, "%s: %s", words_out, strerror(errno));
  if (status) unlink(tmp);
  else fprintf(stderr, "%s: written; sbatch %s starts it\n", words_out, words_out);
  return status;
}

static int sbatch(int argc, char **argv) {
  struct settings *s = malloc(sizeof *s);
  if (!s) return because(STATUS_NOMEM, "no memory for settings");
  int status = settings_load(s, argc, argv, words, WORDS, NULL, 0);
  if (!status) status = settings_check(s);
  if (!status) status = settings_name_a_net();
  if (!status) status = check(s);
  if (!status) status = write_script(s, argc, argv);
  free(s);
  return status;
}

int sbatch_run(const struct world *w, int argc, char **argv) {
  return agree(w->comm, w->rank == 0 ? sbatch(argc, argv) : STATUS_OK);
}
