#include "jobs/rate.h"

#include <math.h>

#include "io/progress.h"
#include "src/base/matmul.h"
#include "src/base/status.h"

void rate_shapes(const struct net *n, size_t rows, size_t rows_dot, struct rate_shape shapes[RATE_SHAPES]) {
  const size_t D = n->shape.D, I = n->shape.I;
  const size_t out[] = { 3 * D, D, 2 * I, D }, in[] = { D, D, D, I };
  for (int i = 0; i < 4; i++) {
    shapes[3 * i] = (struct rate_shape){ rows + rows_dot, out[i], in[i], 0 };
    shapes[3 * i + 1] = (struct rate_shape){ rows, in[i], out[i], 1 };
    shapes[3 * i + 2] = (struct rate_shape){ out[i], in[i], rows, 2 };
  }
}

static void multiply(const struct rate_shape *s, const real *A, const real *B, real *C) {
  if (s->kind == 0) matmul_nt(s->m, s->n, s->k, 1, A, s->k, B, s->k, 0, C, s->n);
  if (s->kind == 1) matmul_nn(s->m, s->n, s->k, 1, A, s->k, B, s->n, 0, C, s->n);
  if (s->kind == 2) matmul_tn(s->m, s->n, s->k, 1, A, s->m, B, s->n, 0, C, s->n);
}

/* Of at least four runs, each of one product and as many as `run` seconds take. */
static int best_run(const struct rate_shape *s, double seconds, double run, double *rate) {
  struct arena a = { 0 };
  const size_t sizes[] = { s->m * s->k, s->k * s->n, s->m * s->n };
  for (int i = 0; i < 3; i++) arena_take(&a, sizes[i]);
  const int status = arena_init(&a);
  if (status) return status;
  real *v[3];
  for (int i = 0; i < 3; i++) v[i] = arena_take(&a, sizes[i]);
  for (int i = 0; i < 2; i++)
    for (size_t j = 0; j < sizes[i]; j++) v[i][j] = (real)(j % 7) / 8;
  const double flops = 2 * (double)s->m * (double)s->n * (double)s->k, began = progress_clock();
  double best = INFINITY;
  for (int runs = 0; runs < 4 || progress_clock() - began < seconds; runs++) {   /* the first finds cold caches */
    const double at = progress_clock();
    int times = 0;
    do multiply(s, v[0], v[1], v[2]), times++;
    while (progress_clock() - at < run);
    best = fmin(best, (progress_clock() - at) / times);
  }
  *rate = flops / best;
  arena_free(&a);
  return STATUS_OK;
}

int rate_of(const struct rate_shape *s, double seconds, double *rate) { return best_run(s, seconds, seconds / 4, rate); }

int rate_glance(double seconds, double *rate) { return best_run(&(struct rate_shape){ 256, 256, 256, 0 }, seconds, 0, rate); }

int rate_measure(const struct net *n, size_t rows, size_t rows_dot, double seconds, double *rate) {
  struct rate_shape shapes[RATE_SHAPES];
  double flops = 0, time = 0;
  rate_shapes(n, rows, rows_dot, shapes);
  for (int i = 0; i < RATE_SHAPES; i++) {
    const struct rate_shape *s = &shapes[i];
    double one;
    const int status = rate_of(s, seconds / RATE_SHAPES, &one);
    if (status) return status;
    const double work = 2 * (double)s->m * (double)s->n * (double)s->k;
    flops += work;
    time += work / one;
  }
  *rate = flops / time;
  return STATUS_OK;
}
