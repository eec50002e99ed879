/* bench.h - the measurements of pmf bench, a file each. Each prints a table or, with json, one line on standard output,
 * on rank 0. COLLECTIVE over w->comm, all; statuses are equal on all ranks. */
#ifndef JOBS_BENCH_H
#define JOBS_BENCH_H
#include "io/settings.h"
#include "mpi/world.h"

struct bench {
  const struct world *w;
  struct settings s;
  long steps;      /* measured, after one that is not */
  long n;          /* bench_data: images */
  double step_seconds;
  int json;
  const char *layers;   /* bench_step: a file for jobs/layers.h, or "" */
};
int bench_step(struct bench *b);     /* real training steps on generated data */
int bench_sample(struct bench *b);   /* one image, and a chunk */
int bench_gemm(struct bench *b);     /* products at the net's shapes */
int bench_comm(struct bench *b);     /* ways to sum over the ranks */
int bench_data(struct bench *b);     /* random reads of packed images, alone and behind steps */
int bench_vision(struct bench *b);   /* the networks of scores and perceptual losses */
/* Ranks x threads: starts mpirun for each, so it must not run within MPI. argv: the user's words, for `bench step`. LOCAL. */
int bench_node(struct bench *b, int argc, char **argv);

/* COLLECTIVE. Packs so many images of noise in $TMPDIR, once for all nodes that see the same folder there; the caller removes the
 * file `path`, on every rank. */
int bench_noise(const struct world *w, const struct settings *s, size_t count, char path[TEXT_MAX]);
#endif
