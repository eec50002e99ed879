#include "src/flow/perceptual.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "src/base/random.h"

static void *take(struct arena *a, size_t n, size_t size) {
  return arena_take(a, (n * size + sizeof(real) - 1) / sizeof(real));
}

static const struct graph_map *input(const struct perceptual_term *t) { return &t->contrast->graph.maps[0]; }

static void lay_out_term(struct arena *a, struct perceptual *p, int k) {
  if (!p->term[k].contrast) return;
  const struct graph_map *in = input(&p->term[k]);
  const size_t n = in->H, threads = (size_t)p->threads;
  assert(in->H == in->W && (in->C == p->C || in->C == 3));
  p->of[k].resample = take(a, threads, sizeof *p->of[k].resample);
  for (size_t i = 0; i < threads; i++) {
    struct resample r;
    resample_layout(a, p->H, p->W, p->C, n, &r);
    if (p->of[k].resample) p->of[k].resample[i] = r;
  }
  p->of[k].small = arena_take(a, threads * n * n * p->C);
  for (int i = 0; i < 2; i++) p->of[k].pair[i] = arena_take(a, threads * n * n * in->C);
  p->of[k].bar = arena_take(a, threads * n * n * in->C);
  p->of[k].distance = arena_take(a, threads);
  contrast_layout(a, p->term[k].contrast, p->threads, &p->of[k].work);
}

void perceptual_layout(struct arena *a, size_t B, int threads, struct perceptual *p) {
  const size_t P = p->H * p->W * p->C;
  p->B = B;
  p->threads = threads;
  p->x_p = arena_take(a, B * P);
  p->x = arena_take(a, B * P);
  p->x_p_bar = arena_take(a, B * P);
  p->row = take(a, B, sizeof *p->row);
  p->crop = take(a, B, sizeof *p->crop);
  for (int k = 0; k < PERCEPTUAL_TERMS; k++) lay_out_term(a, p, k);
}

struct resample_crop perceptual_crop(const struct perceptual *p, uint64_t seed, uint64_t step, uint32_t index) {
  real u[4];
  random_uniform((struct purpose){ seed, STREAM_CROP, step, index }, 4, u);
  return resample_draw(p->H, p->W, u);
}

/* n pixels of C channels as those of `wide` channels. */
static void widen(size_t n, size_t C, size_t wide, const real *from, real *to) {
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < wide; c++) to[i * wide + c] = from[i * C + (C == wide ? c : 0)];
}
static void narrow(size_t n, size_t C, size_t wide, const real *from, real *to) {
  memset(to, 0, n * C * sizeof *to);
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < wide; c++) to[i * C + (C == wide ? c : 0)] += from[i * wide + c];
}

/* Rows first .. first + m - 1 through term k, m <= threads. */
static void tile(const struct perceptual *p, int k, double norm_p, double norm_eps, size_t first, size_t m, double *loss,
                 double *distance) {
  const struct perceptual_term *t = &p->term[k];
  const size_t n = input(t)->H, wide = input(t)->C, P = p->H * p->W * p->C, S = n * n * wide, narrow_S = n * n * p->C;
  real *small = p->of[k].small, *bar = p->of[k].bar, *const *pair = p->of[k].pair;
#pragma omp parallel for num_threads(p->threads)
  for (size_t i = 0; i < m; i++) {
    struct resample *r = &p->of[k].resample[i];
    const real *const image[2] = { p->x_p + (first + i) * P, p->x + (first + i) * P };
    resample_cubic(r, p->crop[first + i]);
    for (int which = 0; which < 2; which++) {
      resample_forward(r, image[which], small + i * narrow_S);
      widen(n * n, p->C, wide, small + i * narrow_S, pair[which] + i * S);
    }
  }
  contrast_distance(t->contrast, t->weights, &p->of[k].work, m, pair[0], pair[1], p->of[k].distance, bar);
#pragma omp parallel for num_threads(p->threads)
  for (size_t i = 0; i < m; i++) {
    const real a = (real)(t->lambda * pow((double)p->of[k].distance[i] + norm_eps, -norm_p));
    real *s = small + i * narrow_S;
    narrow(n * n, p->C, wide, bar + i * S, s);
    for (size_t j = 0; j < narrow_S; j++) s[j] *= a;
    resample_backward(&p->of[k].resample[i], s, p->x_p_bar + (first + i) * P);
  }
  for (size_t i = 0; i < m; i++) {
    const double d = (double)p->of[k].distance[i];
    *distance += d;
    *loss += t->lambda * d * pow(d + norm_eps, -norm_p);
  }
}

void perceptual_gradient(const struct perceptual *p, double norm_p, double norm_eps, size_t rows, double *loss,
                         double distance[PERCEPTUAL_TERMS]) {
  const size_t threads = (size_t)p->threads;
  assert(rows <= p->B);
  memset(p->x_p_bar, 0, rows * p->H * p->W * p->C * sizeof *p->x_p_bar);
  for (int k = 0; k < PERCEPTUAL_TERMS; k++)
    for (size_t first = 0; p->term[k].contrast && first < rows; first += threads)
      tile(p, k, norm_p, norm_eps, first, rows - first < threads ? rows - first : threads, loss, &distance[k]);
}
