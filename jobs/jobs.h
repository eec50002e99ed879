/* jobs.h - the subcommands. A job is a file, two functions here and a line in main's list.
 * NAME_run is COLLECTIVE over w->comm: it gets the words after the subcommand and returns a status that is equal on all
 * ranks, its reason recorded (status.h); it prints results on standard output and progress on standard error, rank 0 only.
 * NAME_help prints usage, every word it takes, and examples. */
#ifndef JOBS_JOBS_H
#define JOBS_JOBS_H
#include "mpi/world.h"

int pack_run(const struct world *w, int argc, char **argv);
void pack_help(void);
int check_data_run(const struct world *w, int argc, char **argv);
void check_data_help(void);
int train_run(const struct world *w, int argc, char **argv);
void train_help(void);
int sample_run(const struct world *w, int argc, char **argv);
void sample_help(void);
int score_run(const struct world *w, int argc, char **argv);
void score_help(void);
int import_run(const struct world *w, int argc, char **argv);
void import_help(void);
int export_run(const struct world *w, int argc, char **argv);
void export_help(void);
int inspect_run(const struct world *w, int argc, char **argv);
void inspect_help(void);
int verify_run(const struct world *w, int argc, char **argv);
void verify_help(void);
int iotest_run(const struct world *w, int argc, char **argv);
void iotest_help(void);
int sbatch_run(const struct world *w, int argc, char **argv);
void sbatch_help(void);
int plan_run(const struct world *w, int argc, char **argv);
void plan_help(void);
int report_run(const struct world *w, int argc, char **argv);
void report_help(void);
int compare_run(const struct world *w, int argc, char **argv);
void compare_help(void);
int plot_run(const struct world *w, int argc, char **argv);
void plot_help(void);
int bench_run(const struct world *w, int argc, char **argv);
void bench_help(void);
/* Before MPI starts. Nonzero if these words ask for what cannot run within MPI, as it starts ranks of its own: then it is done,
 * and *status its outcome. */
int bench_alone(int argc, char **argv, int *status);
/* Local, without MPI, as its arms start ranks of their own. Errors: any; STATUS_SAVED: stopped, run again. */
int study_alone(int argc, char **argv);
void study_help(void);
#endif
