#include "jobs/step.h"

#include <math.h>
#include <string.h>

#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/shard.h"
#include "src/base/random.h"
#include "src/base/status.h"

/* Room for other types in the arena of reals. */
static void *take(struct arena *a, size_t n, size_t size) {
  return arena_take(a, (n * size + sizeof(real) - 1) / sizeof(real));
}

static void lay_out(struct step *t) {
  const size_t P = t->net->pixels, m = t->micro;
  t->grads = arena_take(&t->arena, t->net->table.size);
  t->x = arena_take(&t->arena, t->count * P);
  t->y = take(&t->arena, t->count, sizeof *t->y);
  t->e = arena_take(&t->arena, m * P);
  t->conditions = arena_take(&t->arena, 5 * m);
  t->flags = take(&t->arena, 2 * m, sizeof *t->flags);
  objective_layout(&t->arena, t->net, m, times_tangents_max(&t->times, t->batch, m), &t->work);
}

/* The largest micro-batch, up to the share, whose activations stay within 2 GiB; at least one image. */
static size_t choose_micro(const struct step *t, size_t share) {
  const size_t room = (size_t)2 << 30;
  for (size_t m = share;; m = (m + 1) / 2) {
    struct arena counted = { 0 };
    struct objective_work w;
    objective_layout(&counted, t->net, m, times_tangents_max(&t->times, t->batch, m), &w);
    if (m <= 1 || counted.used * sizeof(real) <= room) return m;
  }
}

/* Everything but memory, for the largest share. */
static struct step sized(const struct net *n, const struct settings *s, int ranks, size_t asked) {
  struct step t = { .net = n, .times = setup_times(s), .guidance = setup_guidance(s), .objective = setup_objective(s),
                    .seed = (uint64_t)s->training.seed, .noise_scale = s->model.noise_scale,
                    .batch = (size_t)s->training.batch_size };
  t.count = shard_most(t.batch, ranks);
  t.micro = asked && asked < t.count ? asked : asked ? t.count : choose_micro(&t, t.count);
  return t;
}

struct step_size step_count(const struct net *n, const struct settings *s, int ranks, size_t micro) {
  struct step t = sized(n, s, ranks, micro ? micro : (size_t)s->training.micro_batch);
  struct arena net = { 0 }, primal = { 0 };
  struct net_work w;
  lay_out(&t);
  const size_t micro_dot = times_tangents_max(&t.times, t.batch, t.micro);
  net_layout(&net, n, t.micro, micro_dot, 1, &w);
  net_layout(&primal, n, t.micro, 0, 1, &w);
  return (struct step_size){ t.arena.used, net.used, primal.used, t.micro, micro_dot };
}

int step_init(struct step *t, const struct world *w, const struct net *n, const struct settings *s) {
  *t = sized(n, s, w->ranks, (size_t)s->training.micro_batch);
  t->first = shard_first(t->batch, w->rank, w->ranks);
  t->count = shard_count(t->batch, w->rank, w->ranks);
  lay_out(t);
  const int status = arena_init(&t->arena);
  if (!status) lay_out(t);
  return status;
}

void step_free(struct step *t) { arena_free(&t->arena); }

static void phase_begins(void *context, enum net_phase phase) {
  static const enum phase of[] = { [NET_GUIDANCE] = PHASE_GUIDANCE, [NET_FORWARD] = PHASE_FORWARD, [NET_PERCEPTUAL] = PHASE_PERCEPTUAL,
                                   [NET_BACKWARD] = PHASE_BACKWARD };
  phases_begin(context, of[phase]);
}

/* Draws what samples first .. first + B - 1 of the share need, and adds their gradient. */
static void micro_batch(struct step *t, uint64_t k, size_t first, size_t B, const real *weights,
                        struct objective_sums *sums) {
  const size_t P = t->net->pixels, m = t->micro;
  real *c[5];
  for (int i = 0; i < 5; i++) c[i] = t->conditions + (size_t)i * m;
  int *fm = t->flags, *drop = t->flags + m;
  phases_begin(t->phases, PHASE_DRAW);
  for (size_t b = 0; b < B; b++) {
    const uint32_t index = (uint32_t)(t->first + first + b);
    times_draw(&t->times, t->seed, k, index, &c[0][b], &c[1][b], &fm[b]);
    guidance_draw(&t->guidance, t->seed, k, index, fm[b], &c[2][b], &c[3][b], &c[4][b], &drop[b]);
    real *e = t->e + b * P;
    random_normal((struct purpose){ t->seed, STREAM_NOISE, k, index }, P, e);
    for (size_t i = 0; i < P; i++) e[i] *= (real)t->noise_scale;
  }
  const struct objective_batch batch = { B, t->x + first * P, t->e, c[0], c[1], c[2], c[3], c[4], t->y + first, fm, drop, t->seed, k,
                                         (uint32_t)(t->first + first) };
  const struct net_hooks hooks = { .phase = phase_begins, .context = t->phases };
  objective_gradient(&t->objective, t->net, weights, &t->work, &batch, t->grads, sums, NULL, &hooks);
}

/* Sums over the ranks; the greatest du/dt. */
static void add_up(MPI_Comm comm, struct objective_sums *s) {
  double v[] = { s->loss, s->mse_u, s->mse_v, s->mse_u_fm, s->du_dt_square, (double)s->images, (double)s->fm,
                 (double)s->guidance, (double)s->tangents, s->distance[0], s->distance[1], (double)s->seen };
  reduce_sum_double(comm, sizeof v / sizeof *v, v);
  MPI_Allreduce(MPI_IN_PLACE, &s->du_dt_max, 1, MPI_DOUBLE, MPI_MAX, comm);
  *s = (struct objective_sums){ v[0], v[1], v[2], v[3], v[4], s->du_dt_max, (size_t)v[5], (size_t)v[6], (size_t)v[7],
                                (size_t)v[8], { v[9], v[10] }, (size_t)v[11] };
}

int step_gradient(struct step *t, const struct world *w, struct loader *loader, uint64_t k, const real *weights,
                  struct objective_sums *sums) {
  const size_t size = t->net->table.size;
  phases_begin(t->phases, PHASE_DATA);
  const int status = agree(w->comm, loader_next(loader, t->x, t->y, NULL));
  if (status) return status;
  if (!t->net->config.classes) memset(t->y, 0, t->count * sizeof *t->y);   /* the null row is the table's only one */
  *sums = (struct objective_sums){ 0 };
  memset(t->grads, 0, size * sizeof *t->grads);
  for (size_t first = 0; first < t->count; first += t->micro)
    micro_batch(t, k, first, t->count - first < t->micro ? t->count - first : t->micro, weights, sums);
  phases_begin(t->phases, PHASE_REDUCE);
  reduce_sum(w->comm, size, t->grads);
  const real share = 1 / (real)t->batch;
  for (size_t i = 0; i < size; i++) t->grads[i] *= share;
  add_up(w->comm, sums);
  phases_begin(t->phases, PHASE_OTHER);
  return STATUS_OK;
}
