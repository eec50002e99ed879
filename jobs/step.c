#include "jobs/step.h"

#include <math.h>
#include <string.h>

#include "jobs/fault.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "mpi/shard.h"
#include "mpi/watch.h"
#include "src/base/fixed.h"
#include "src/base/random.h"
#include "src/base/status.h"

/* Room for other types in the arena of reals. */
static void *take(struct arena *a, size_t n, size_t size) {
  return arena_take(a, (n * size + sizeof(real) - 1) / sizeof(real));
}

/* Micro-batches of all ranks, where the global batch is cut into them. */
static size_t micros(const struct step *t) { return (t->batch + t->micro - 1) / t->micro; }

static void lay_out(struct step *t) {
  const size_t P = t->net->pixels, m = t->micro;
  t->grads = arena_take(&t->arena, t->net->table.size);
  t->exact = t->reproducible ? take(&t->arena, t->net->table.size, sizeof *t->exact) : NULL;
  t->losses = t->reproducible ? take(&t->arena, STEP_LOSSES * micros(t), sizeof *t->losses) : NULL;
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
                    .batch = (size_t)s->training.batch_size, .reproducible = s->training.reproducible,
                    .most_loss = INFINITY, .most_norm = INFINITY };
  if (t.reproducible) {   /* no size may depend on the ranks or the node */
    const size_t usual = 4, micro = asked ? asked : usual;
    t.micro = micro < t.batch ? micro : t.batch;
    t.count = shard_most(micros(&t), ranks) * t.micro;
    if (t.count > t.batch) t.count = t.batch;
    return t;
  }
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
  struct arena exact = { 0 };
  if (t.reproducible) take(&exact, n->table.size, sizeof *t.exact);
  return (struct step_size){ t.arena.used, net.used, primal.used, t.micro, micro_dot, exact.used, t.count };
}

void step_share(const struct step *t, int k, int R, size_t *first, size_t *count) {
  const size_t m = t->reproducible ? t->micro : 1, n = t->reproducible ? micros(t) : t->batch;
  const size_t begin = shard_first(n, k, R) * m, end = shard_first(n, k + 1, R) * m;
  *first = begin < t->batch ? begin : t->batch;
  *count = (end < t->batch ? end : t->batch) - *first;
}

int step_init(struct step *t, const struct world *w, const struct net *n, const struct settings *s) {
  *t = sized(n, s, w->ranks, (size_t)s->training.micro_batch);
  step_share(t, w->rank, w->ranks, &t->first, &t->count);
  t->sharded = setup_sharded(s, w->ranks);
  t->mine = t->sharded ? share_flat(&n->table, w->rank) : (struct share){ 0, n->table.size };
  lay_out(t);
  int status = arena_init(&t->arena);
  if (!status) lay_out(t);
  const struct reduction_config reduction = setup_reduction(s, w->ranks);
  const int reduced = reduction_init(&t->reduction, w, &n->table, &reduction);
  return agree(w->comm, status ? status : reduced);
}

void step_free(struct step *t) {
  reduction_free(&t->reduction);
  arena_free(&t->arena);
}

/* Once its new weights are with the others, and before any of its gradient is: they wait for it in this sum and in nothing else. */
static void stay_away(struct step *t) {
  if (!fault_strikes(FAULT_AWAY, t->batch_number)) return;
  if (t->owners) owners_finish(t->owners);
  fault_stay_away(FAULT_AWAY, t->batch_number);
}

static void phase_begins(void *step, enum net_phase phase) {
  static const enum phase of[] = { [NET_GUIDANCE] = PHASE_GUIDANCE, [NET_FORWARD] = PHASE_FORWARD,
                                   [NET_PERCEPTUAL] = PHASE_PERCEPTUAL,
                                   [NET_BACKWARD] = PHASE_BACKWARD };
  struct step *t = step;
  phases_begin(t->phases, of[phase]);
  if (phase == NET_BACKWARD) way_there_ends(t->way_there);
  if (phase == NET_BACKWARD && t->last) way_back_begins(t->way_back);
  if (phase == NET_BACKWARD && t->last) stay_away(t);
}

static void gradient_is_final(void *step, size_t offset) {
  struct step *t = step;
  if (t->reproducible) {
    t->overflow |= fixed_add(t->final - offset, t->grads + offset, fixed_most(micros(t)), t->exact + offset);
    t->final = offset;
  }
  if (!t->last) return;
  way_back_final(t->way_back, offset);
  reduction_final(&t->reduction, offset);
}

/* Waits for those of another rank where they are late. */
static void weights_are_used(void *step, size_t first, size_t end) {
  struct step *t = step;
  way_there_use(t->way_there, first, end);
  if (!t->owners || !owners_left(t->owners)) return;
  const enum phase phase = t->phases ? t->phases->now : PHASE_OTHER;
  phases_begin(t->phases, PHASE_REDUCE);
  t->reduction.figures.exposed += owners_need(t->owners, first, end);
  phases_begin(t->phases, phase);
}

static void breathe(void *step) {
  struct step *t = step;
  watch_move();
  way_there_call(t->way_there);
  if (t->last) way_back_call(t->way_back);
  reduction_progress(&t->reduction);
  if (!t->owners || !owners_left(t->owners)) return;
  const double clock = MPI_Wtime();
  owners_progress(t->owners);
  t->reduction.figures.calls++;
  t->reduction.figures.progress += MPI_Wtime() - clock;
}

/* Draws what samples first .. first + B - 1 of the share need, and adds their gradient. */
static void micro_batch(struct step *t, uint64_t k, size_t first, size_t B, const real *weights,
                        struct objective_sums *sums) {
  const size_t P = t->net->pixels, m = t->micro;
  real *c[5];
  for (int i = 0; i < 5; i++) c[i] = t->conditions + (size_t)i * m;
  int *fm = t->flags, *drop = t->flags + m;
  phases_begin(t->phases, PHASE_DRAW);
  if (!first) way_there_begins(t->way_there);
  for (size_t b = 0; b < B; b++) {
    const uint32_t index = (uint32_t)(t->first + first + b);
    times_draw(&t->times, t->seed, k, index, &c[0][b], &c[1][b], &fm[b]);
    guidance_draw(&t->guidance, t->seed, k, index, fm[b], &c[2][b], &c[3][b], &c[4][b], &drop[b]);
    real *e = t->e + b * P;
    random_normal((struct purpose){ t->seed, STREAM_NOISE, k, index }, P, e);
    for (size_t i = 0; i < P; i++) e[i] *= (real)t->noise_scale;
  }
  const struct objective_batch batch = { B, t->x + first * P, t->e, c[0], c[1], c[2], c[3], c[4], t->y + first, fm, drop,
                                         t->seed, k, (uint32_t)(t->first + first) };
  const struct net_hooks hooks = { weights_are_used, gradient_is_final, breathe, phase_begins, t };
  objective_gradient(&t->objective, t->net, weights, &t->work, &batch, t->grads, sums, NULL, &hooks);
}

/* The losses of all images. Where reproducible those of each micro-batch, which one rank has and the others have as 0, added in
 * their order. */
static void add_losses(const struct step *t, MPI_Comm comm, double v[static STEP_LOSSES]) {
  if (!t->reproducible) return;
  const size_t n = STEP_LOSSES * micros(t);
  reduce_sum_double(comm, n, t->losses);
  for (size_t i = 0; i < STEP_LOSSES; i++) v[i] = 0;
  for (size_t i = 0; i < n; i++) v[i % STEP_LOSSES] += t->losses[i];
}

/* Are the losses that this rank has computed numbers? */
static int fit(const struct step *t, const struct objective_sums *s) {
  double sum = s->loss + s->mse_u + s->mse_v;
  for (size_t i = 0; t->reproducible && i < STEP_LOSSES * micros(t); i++) sum += t->losses[i];
  return isfinite(sum);
}

/* Sums over the ranks, of g^2 too, and the greatest du/dt; with that goes the question whether a rank has found the step bad, as
 * one number: 0 for no, 1 for yes, 1 + ranks - k where it is the own loss of rank k, so that the lowest of these wins. */
/* All that the ranks must know of one another in a step; lost: this one has no images. Returns how many have none. */
static int add_up(struct step *t, const struct world *w, double square, int lost, struct objective_sums *s) {
  const int own = fit(t, s);
  double v[] = { s->loss, s->mse_u, s->mse_v, s->mse_u_fm, s->du_dt_square,
                 s->distance[0], s->distance[1], s->mse_v_fm, s->loss_fm, s->loss_others, (double)s->images, (double)s->fm,
                 (double)s->guidance, (double)s->tangents, (double)s->seen, square, lost };
  reduce_sum_double(w->comm, sizeof v / sizeof *v, v);
  add_losses(t, w->comm, v);
  t->norm = sqrt(v[15]);
  const int good = isfinite((real)t->norm) && t->norm <= t->most_norm && v[0] / v[10] <= t->most_loss;
  double most[2 + STEP_ASKED] = { isnan(s->du_dt_max) ? INFINITY : s->du_dt_max, own ? !good : 1 + w->ranks - w->rank };
  if (t->ask) t->ask(t->asker, most + 2);
  reduce_max_double(w->comm, 2 + STEP_ASKED, most);
  memcpy(t->asked, most + 2, sizeof t->asked);
  t->bad = most[1] > 0;
  t->bad_rank = most[1] > 1 ? 1 + w->ranks - (int)most[1] : -1;
  *s = (struct objective_sums){ .loss = v[0], .mse_u = v[1], .mse_v = v[2], .mse_u_fm = v[3], .du_dt_square = v[4],
                                .mse_v_fm = v[7], .loss_fm = v[8], .loss_others = v[9], .du_dt_max = most[0],
                                .images = (size_t)v[10], .fm = (size_t)v[11], .guidance = (size_t)v[12],
                                .tangents = (size_t)v[13], .distance = { v[5], v[6] }, .seen = (size_t)v[14] };
  return (int)v[16];
}

/* This rank's samples, micro-batch for micro-batch. */
static void go_through(struct step *t, uint64_t k, const real *weights, struct objective_sums *sums) {
  const size_t size = t->net->table.size;
  for (size_t first = 0; first < t->count; first += t->micro) {
    struct objective_sums own = { 0 };
    t->last = t->count - first <= t->micro;
    t->final = size;
    if (t->reproducible) memset(t->grads, 0, size * sizeof *t->grads);
    micro_batch(t, k, first, t->last ? t->count - first : t->micro, weights, t->reproducible ? &own : sums);
    if (!t->reproducible) continue;
    const double losses[STEP_LOSSES] = { own.loss, own.mse_u, own.mse_v, own.mse_u_fm, own.du_dt_square, own.distance[0],
                                         own.distance[1], own.mse_v_fm, own.loss_fm, own.loss_others };
    memcpy(t->losses + STEP_LOSSES * ((t->first + first) / t->micro), losses, sizeof losses);
    sums->du_dt_max = fmax(sums->du_dt_max, own.du_dt_max);
    sums->images += own.images, sums->fm += own.fm, sums->guidance += own.guidance, sums->tangents += own.tangents;
    sums->seen += own.seen;
  }
}

static void clear(struct step *t) {
  const size_t size = t->net->table.size;
  memset(t->grads, 0, size * sizeof *t->grads);
  t->overflow = 0;
  if (!t->reproducible) return;
  memset(t->exact, 0, size * sizeof *t->exact);
  memset(t->losses, 0, STEP_LOSSES * micros(t) * sizeof *t->losses);
}

/* The sum over all images becomes their mean, once, where it is for this rank. Returns the squares of its part of it: the ranks'
 * parts make up all. */
static double take_mean(struct step *t, const struct world *w) {
  const size_t size = t->net->table.size, first = t->mine.first, count = t->mine.count;
  const real share = 1 / (real)t->batch;
  const size_t from = t->sharded ? first : shard_first(size, w->rank, w->ranks);
  const size_t end = t->sharded ? first + count : from + shard_count(size, w->rank, w->ranks);
  real *g = t->grads;
  double square = 0;
  if (t->reproducible) fixed_value(count, t->exact + first, 1 / (double)t->batch, g + first);
  else for (size_t i = first; i < first + count; i++) g[i] *= share;
#pragma omp simd reduction(+ : square)
  for (size_t i = from; i < end; i++) square += (double)g[i] * (double)g[i];
  return t->overflow ? INFINITY : square;
}

/* A rank whose images cannot be had goes through the step without, and says so at its end, where the step is given up: to agree
 * before it would make every rank wait while new weights are on their way through it. */
static void forget_images(struct step *t) {
  memset(t->x, 0, t->count * t->net->pixels * sizeof *t->x);
  memset(t->y, 0, t->count * sizeof *t->y);
}

int step_gradient(struct step *t, const struct world *w, struct loader *loader, uint64_t k, const real *weights,
                  struct objective_sums *sums) {
  phases_begin(t->phases, PHASE_DATA);
  t->batch_number = k + 1;
  fault_sleep(k + 1);
  const int status = loader_next(loader, t->x, t->y, NULL);
  if (status) forget_images(t);
  if (!t->net->config.classes) memset(t->y, 0, t->count * sizeof *t->y);   /* the null row is the table's only one */
  if (fault_strikes(FAULT_NAN, k + 1) && t->count) *t->x = (real)NAN;
  *sums = (struct objective_sums){ 0 };
  reduction_finish(&t->reduction);   /* of a step before that was given up */
  clear(t);
  reduction_begin(&t->reduction, t->reproducible ? (void *)t->exact : t->grads);
  go_through(t, k, weights, sums);
  if (t->owners) t->reduction.figures.exposed += owners_finish(t->owners);   /* a rank without samples has used none */
  if (fault_strikes(FAULT_TANGENT, k + 1)) sums->du_dt_square *= 1e6;
  if (!t->count) stay_away(t);
  phases_begin(t->phases, PHASE_REDUCE);
  reduction_wait(&t->reduction);
  const int lost = add_up(t, w, take_mean(t, w), status != STATUS_OK, sums);
  phases_begin(t->phases, PHASE_OTHER);
  return lost ? agree(w->comm, status) : STATUS_OK;
}
