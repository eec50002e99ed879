/* main.c - the front door: finds the job, starts MPI, runs the job, and alone says why it failed. */
#include <cblas.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/hdf.h"
#include "io/presets.h"
#include "io/settings.h"
#include "io/words.h"
#include "jobs/core.h"
#include "jobs/jobs.h"
#include "mpi/agree.h"
#include "src/base/processor.h"
#include "src/base/status.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unversioned"
#endif

static const struct job {
  const char *name, *summary;
  int (*run)(const struct world *w, int argc, char **argv);   /* NULL: study_alone */
  void (*help)(void);
} jobs[] = {
  { "pack",    "images into one HDF5 file: class folders, IDX files, or shapes drawn by the program", pack_run, pack_help },
  { "check-data", "every picture of a folder, or image of a packed file: is it whole? bad ones are named", check_data_run,
    check_data_help },
  { "train",   "train a net on a packed file; stopped and started again it goes on", train_run, train_help },
  { "sample",  "make images with a trained net", sample_run, sample_help },
  { "score",   "how near a trained net's images come to the held-out ones", score_run, score_help },
  { "plot",    "losses and scores of a run as a picture, and the numbers in it", plot_run, plot_help },
  { "report",  "a run on one page of HTML: curves, pictures, scores, settings, machine", report_run, report_help },
  { "compare", "runs side by side: settings that differ, errors and scores", compare_run, compare_help },
  { "plan",    "memory, flops and seconds of a training, before it is started", plan_run, plan_help },
  { "bench",   "how fast this machine does the work, against its own limits", bench_run, bench_help },
  { "import",  "released weights (.safetensors, PyTorch's .pt) into a checkpoint", import_run, import_help },
  { "export",  "weights of a checkpoint as safetensors", export_run, export_help },
  { "inspect", "what is in a checkpoint or a packed file", inspect_run, inspect_help },
  { "verify",  "check every block of a checkpoint or a packed file against its checksum", verify_run, verify_help },
  { "iotest",  "whether checkpoints written into a folder are read back as they were, and how fast", iotest_run, iotest_help },
  { "study",   "a finding of the paper repeated: arms, seeds, a picture and a verdict", NULL, study_help },
  { "sbatch",  "a batch script for Slurm that trains to the end, whatever stops it on the way", sbatch_run, sbatch_help },
};
enum { JOBS = sizeof jobs / sizeof *jobs };

/* Before MPI runs: is this the process that speaks? Launchers number theirs in the environment. */
static bool first_process(void) {
  static const char *const names[] = { "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *rank = getenv(names[i]);
    if (rank) return !strcmp(rank, "0");
  }
  return true;
}

static void print_usage(void) {
  puts("pmf " PACKAGE_VERSION " - pixel MeanFlow: one-step image generation, trained with MPI\n\n"
       "usage: pmf JOB [key=value ...]\n");
  for (int i = 0; i < JOBS; i++) printf("  %-11s %s\n", jobs[i].name, jobs[i].summary);
  puts("\n"
       "  pmf JOB --help     what a job takes, with examples\n"
       "  pmf help settings  every key of the YAML files and of key=value: type, range, default, meaning\n"
       "  pmf help presets   what preset=NAME may be: settings for a purpose\n"
       "  pmf --version\n\n"
       "Exit codes: 0 done, 65 wrong settings or data, 69 a program is missing, 70 diverged,\n"
       "71 out of memory, 74 the file system failed, 75 saved before the end (run again),\n"
       "76 hung (run again: it goes on from the last checkpoint).");
}

/* Before MPI runs: the first process says the reason recorded and fails; the others go quietly, as a launcher that
 * sees one of them fail may end the first before it has spoken. */
static int refused(int status) {
  if (!first_process()) return 0;
  fprintf(stderr, "pmf: %s\n", status_reason());
  return status_exit_code(status);
}

/* STATUS_BAD and NULL for what is no job. */
static int find_job(const char *name, const struct job **job) {
  const char *names[JOBS];
  *job = NULL;
  for (int i = 0; i < JOBS; i++) {
    names[i] = jobs[i].name;
    if (!strcmp(names[i], name)) *job = &jobs[i];
  }
  if (*job) return STATUS_OK;
  const char *nearest = words_nearest(name, names, JOBS);
  if (nearest) return because(STATUS_BAD, "unknown job %s; did you mean %s?", name, nearest);
  return because(STATUS_BAD, "unknown job %s; pmf --help lists the jobs", name);
}

/* pmf help [JOB | settings | presets] */
static int help(const char *topic) {
  const struct job *job;
  if (!topic) print_usage();
  else if (!strcmp(topic, "settings")) settings_help(NULL);
  else if (!strcmp(topic, "presets")) presets_help();
  else if (find_job(topic, &job)) return refused(STATUS_BAD);
  else job->help();
  return 0;
}

static bool asks_help(const char *word) { return !strcmp(word, "--help") || !strcmp(word, "-h"); }

/* Products are slow or wrong in threads with another flavour: loops of ours call it from inside OpenMP. */
static int check_blas(void) {
  if (openblas_get_parallel() == 2) return STATUS_OK;
  return because(STATUS_BAD, "the OpenBLAS found at run time is not the OpenMP flavour; install libopenblas-openmp-dev"
                 " and build again, or put its folder (.../openblas-openmp) first in LD_LIBRARY_PATH");
}

/* Some launchers take long over a rank that ends with another code than 0: a batch script that reads RUN/status asks for 0. */
static int exit_code(int status) {
  const char *saved = getenv("PMF_EXIT_SAVED");
  return status == STATUS_SAVED && saved && !strcmp(saved, "0") ? 0 : status_exit_code(status);
}

/* What was printed has gone where it was to go. */
static int check_output(void) {
  errno = 0;
  if (!fflush(stdout) && !ferror(stdout)) return STATUS_OK;
  return because(STATUS_IO, "standard output could not be written whole%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
}

static int run(const struct job *job, int argc, char **argv) {
  struct world w;
  core_choose(argv);
  hdf_start();
  world_init(&argc, &argv, &w);
  processor_flush_denormals();
  hdf_quiet();   /* our own one line instead of HDF5's stack */
  int status = agree(w.comm, check_blas());
  if (!status) status = job->run(&w, argc - 2, argv + 2);
  if (!status && w.rank == 0) status = check_output();
  if (status && w.rank == 0)
    fprintf(stderr, "pmf %s: %s\n", job->name, *status_reason() ? status_reason() : "stopped without a reason");
  const int code = exit_code(status);
  world_end(&w, code);
  return code;
}

int main(int argc, char **argv) {
  const struct job *job;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc < 2) return refused(because(STATUS_BAD, "expected a job; pmf --help lists the jobs"));
  if (!strcmp(argv[1], "--version")) {
    if (first_process()) puts("pmf " PACKAGE_VERSION);
    return 0;
  }
  const bool help_word = asks_help(argv[1]) || !strcmp(argv[1], "help");
  if (help_word) return first_process() ? help(argc > 2 ? argv[2] : NULL) : 0;
  if (find_job(argv[1], &job)) return refused(STATUS_BAD);
  for (int i = 2; i < argc; i++)
    if (asks_help(argv[i])) {
      if (first_process()) job->help();
      return 0;
    }
  int status;
  if (!job->run) {   /* without MPI: it starts ranks of its own */
    core_choose(argv);
    processor_flush_denormals();
    status = check_blas();
    if (!status) status = study_alone(argc - 2, argv + 2);
    if (!status) status = check_output();
    return status ? refused(status) : 0;
  }
  if (job->run == bench_run && bench_alone(argc - 2, argv + 2, &status)) {
    if (!status) status = check_output();
    return status ? refused(status) : 0;
  }
  return run(job, argc, argv);
}
