#include "jobs/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint_made.h"
#include "jobs/setup.h"
#include "mpi/agree.h"
#include "mpi/replicas.h"
#include "mpi/watch.h"
#include "src/base/status.h"

/* What a rank holds of each array: all of it, or what is its own. */
static void lay_out(struct state *state, int rank, const struct table *t, const struct settings *s) {
  const struct share all = { 0, t->size }, all_second = { 0, t->second_size };
  const struct share flat = state->sharded ? share_flat(t, rank) : all;
  const struct share second = state->sharded ? share_second(t, rank) : all_second;
  state->weights = arena_take(&state->arena, t->size);
  state->m = arena_take(&state->arena, flat.count);
  state->s = arena_take(&state->arena, second.count);
  struct flat *f = state->flats;
  *f++ = flat_whole("weights", state->weights, t->size);
  *f++ = (struct flat){ "m", state->m, t->size, flat.first, flat.count };
  *f++ = (struct flat){ "s", state->s, t->second_size, second.first, second.count };
  for (int i = 0; i < s->training.ema_val.count; i++, f++) {
    state->ema[i] = arena_take(&state->arena, flat.count);
    *f = (struct flat){ "", state->ema[i], t->size, flat.first, flat.count };
    setup_ema_name(s, i, f->name);
  }
  state->guard = (struct guard_memory *)arena_take(&state->arena, GUARD_NUMBERS);
  *f++ = flat_whole("guard", (real *)state->guard, GUARD_NUMBERS);
  state->n_flats = (size_t)(f - state->flats);
  state->mine = flat;
}

int state_init(const struct world *w, struct state *state, const struct net *n, const struct settings *s) {
  *state = (struct state){ .sharded = setup_sharded(s, w->ranks), .exact = s->training.reproducible,
                           .any_threads = s->training.reproducible && s->training.precision == PRECISION_F32 };
  lay_out(state, w->rank, &n->table, s);
  int status = agree(w->comm, arena_init(&state->arena));
  if (!status && state->sharded) status = owners_init(&state->owners, w, &n->table, setup_reduction(s, w->ranks).bucket_bytes);
  if (status) return status;
  if (setup_crews(s, w->ranks)) crew_init(&state->crew, w, &n->table);
  lay_out(state, w->rank, &n->table, s);
  state_begin(state, n, s);
  return STATUS_OK;
}

/* EMAs begin as the weights. */
static void begin_averages(struct state *state, const struct settings *s) {
  for (int i = 0; i < s->training.ema_val.count; i++)
    memcpy(state->ema[i], state->weights + state->mine.first, state->mine.count * sizeof(real));
}

void state_begin(struct state *state, const struct net *n, const struct settings *s) {
  assert(!owners_left(&state->owners));
  state->step = state->images_seen = 0;
  for (size_t i = 0; i < state->n_flats; i++) memset(state->flats[i].data, 0, state->flats[i].count * sizeof(real));
  guard_begin(state->guard);
  table_init_weights(&n->table, (uint64_t)s->training.seed, state->weights);
  begin_averages(state, s);
}

struct state_size state_count(const struct net *n, const struct settings *s, int ranks) {
  struct table t = table_copy(&n->table);
  struct state_size most = { 0 };
  setup_share(&t, s, ranks);
  const int owners = t.count ? t.tensors[t.count - 1].owner + 1 : 1;   /* those behind them own nothing */
  for (int rank = 0; rank < owners; rank++) {
    struct state counted = { .sharded = setup_sharded(s, ranks) };
    lay_out(&counted, rank, &t, s);
    struct arena weights = { 0 }, moments = { 0 };
    arena_take(&weights, t.size);
    arena_take(&moments, counted.flats[1].count);
    arena_take(&moments, counted.flats[2].count);
    arena_take(&moments, GUARD_NUMBERS);
    const size_t all = counted.arena.used;
    if (all > most.all) most = (struct state_size){ all, weights.used, moments.used, all - weights.used - moments.used };
  }
  table_free(&t);
  return most;
}

void state_free(struct state *state) {
  crew_free(&state->crew);
  owners_free(&state->owners);
  arena_free(&state->arena);
}

const real *state_whole(const struct world *w, const struct state *state, const struct net *n, const char *name, real *room) {
  assert(!owners_left(&state->owners));
  for (size_t i = 0; i < state->n_flats; i++) {
    const struct flat *f = &state->flats[i];
    if (strcmp(f->name, name)) continue;
    if (!state->sharded || f->data == state->weights) return f->data;
    memcpy(room + f->first, f->data, f->count * sizeof *room);
    owners_spread(w->comm, &n->table, room);
    return room;
  }
  return NULL;
}

/* The arrays of this state in what the file has, flats[n_flats], and how many they are. The guard's is the last: versions before it
 * saved none, the next ones not its last number, lr_factor. What is not there stays as it began. */
static size_t flats_in(const struct checkpoint_info *info, const struct state *state, struct flat *flats) {
  const size_t guard = state->n_flats - 1, without_factor = GUARD_NUMBERS - 1;
  memcpy(flats, state->flats, state->n_flats * sizeof *flats);
  for (size_t j = 0; j < info->n_flats; j++) {
    if (strcmp(info->flats[j].name, "guard")) continue;
    if (info->flats[j].size == without_factor) flats[guard] = flat_whole("guard", (real *)state->guard, without_factor);
    return guard + 1;
  }
  return guard;
}

/* Whether the file has these arrays and no others. */
static int fits(const struct checkpoint_info *info, const struct flat *flats, size_t n, const char *path) {
  for (size_t i = 0; i < n; i++) {
    size_t j = 0;
    while (j < info->n_flats && strcmp(info->flats[j].name, flats[i].name)) j++;
    if (j == info->n_flats)
      return because(STATUS_BAD, "%s has no array %s: it was written with another training.ema_val or optimizer", path,
                     flats[i].name);
    if (info->flats[j].size != flats[i].size)
      return because(STATUS_BAD, "%s: array %s has %zu numbers, expected %zu: it was written with another training.optimizer",
                     path, flats[i].name, info->flats[j].size, flats[i].size);
  }
  for (size_t j = 0; j < info->n_flats; j++) {
    size_t i = 0;
    while (i < n && strcmp(info->flats[j].name, flats[i].name)) i++;
    if (i == n)
      return because(STATUS_BAD, "%s has an array %s: it was written with another training.ema_val", path, info->flats[j].name);
  }
  return STATUS_OK;
}

int state_resume_from(const struct world *w, struct state *state, const struct net *n, const char *path, char **text) {
  struct checkpoint_file file;
  struct checkpoint_info *info = &file.info;
  struct flat flats[sizeof state->flats / sizeof *state->flats];
  *text = NULL;
  int status = checkpoint_open(w->comm, path, &file);
  const size_t n_flats = status ? 0 : flats_in(info, state, flats);
  if (!status && info->n_flats == 1)
    status = because(STATUS_BAD, "%s holds weights alone, as pmf import writes them: begin a run with load_from=%s in"
                     " a folder of its own", path, path);
  if (!status) status = checkpoint_fits(path, info, &n->table);
  if (!status) status = fits(info, flats, n_flats, path);
  status = agree(w->comm, status);
  if (!status) status = checkpoint_read(w->comm, &file, flats, n_flats);
  if (!status) {
    state->step = info->step;
    state->images_seen = info->images_seen;
    *text = info->settings;
    info->settings = NULL;
  }
  checkpoint_close(&file);
  if (!status && w->rank == 0)
    checkpoint_made_changes(path, state->exact ? 0 : w->ranks, !state->any_threads, state->changes, sizeof state->changes);
  return status;
}

int state_resume(const struct world *w, struct state *state, const struct net *n, const char *run, char **text) {
  char path[TEXT_MAX + 64], warning[1024];
  *text = NULL;
  const int status = checkpoint_find(w->comm, run, true, path, sizeof path, warning, sizeof warning);
  if (status) return status;
  if (*warning && w->rank == 0) fprintf(stderr, "warning: %s\n", warning);
  return *path ? state_resume_from(w, state, n, path, text) : STATUS_OK;
}

/* Which of the file's tensors are to be had: *from is n's table, or that without v head. */
static int choose_from(const struct checkpoint_info *info, const struct net *n, const struct settings *s, const char *path,
                       struct table *from) {
  const int has = setup_has_v_head(&info->table), fresh = s->model.init_v_head == V_HEAD_FRESH;
  if (!has && !fresh)
    return because(STATUS_BAD, "%s has no v head, which training needs: model.init_v_head=fresh draws a new one", path);
  if (has && fresh)
    return because(STATUS_BAD, "%s has a v head and model.init_v_head=fresh asks for a new one; expected none", path);
  *from = has ? n->table : net_without_v_head(n);
  return checkpoint_same_net(path, info, from);
}

int state_begin_from(const struct world *w, struct state *state, const struct net *n, const struct settings *s,
                     const char *path) {
  struct checkpoint_file file;
  struct table from = { 0 };
  int status = checkpoint_open(w->comm, path, &file);
  if (!status) status = choose_from(&file.info, n, s, path, &from);
  status = agree(w->comm, status);
  const struct flat weights = flat_whole("weights", state->weights, from.size);
  if (!status) status = checkpoint_read(w->comm, &file, &weights, 1);
  checkpoint_close(&file);
  if (!status) begin_averages(state, s);
  return status;
}

/* COLLECTIVE. Where they differ, each rank would save its own part of them. */
static int same_weights(const struct world *w, const struct state *state, const struct net *n, const char *run) {
  assert(!owners_left(&state->owners));
  const int status = replicas_check(w->comm, &n->table, state->weights);
  return status ? because(status, "%s: not saved: %s", run, status_reason()) : STATUS_OK;
}

int state_save_as(const struct world *w, const struct state *state, const struct net *n, const char *run, const char *name,
                  const char *settings) {
  char path[TEXT_MAX + 64];
  snprintf(path, sizeof path, "%s/%s", run, name);
  const int status = same_weights(w, state, n, run);
  if (status) return status;
  return checkpoint_save(w->comm, path, &n->table, state->step, state->images_seen, settings, state->flats, state->n_flats);
}

int state_save_later(const struct world *w, const struct state *state, const struct net *n, const char *run,
                     const char *settings, struct checkpoint_later *later) {
  char path[TEXT_MAX + 64];
  snprintf(path, sizeof path, "%s/checkpoint.h5", run);
  const int status = same_weights(w, state, n, run);
  if (status) return status;
  return checkpoint_later_begin(later, path, &n->table, state->step, state->images_seen, settings, state->flats,
                                state->n_flats);
}

int state_save(const struct world *w, const struct state *state, const struct net *n, const char *run, const char *settings) {
  return state_save_as(w, state, n, run, "checkpoint.h5", settings);
}

static void breathe(void *context) {
  struct state *state = context;
  watch_move();
  if (state->reduction) reduction_progress(state->reduction);
  if (state->sharded) owners_progress(&state->owners);
}

/* Between the optimizer's tensors. */
static void hand_out(void *context, size_t final) {
  struct state *state = context;
  if (state->sharded) owners_ready(&state->owners, final);
  breathe(state);
}

/* What is still on its way, of the gradients to other owners and of the weights from them. */
static void arrive(struct state *state, size_t size) {
  phases_begin(state->phases, PHASE_REDUCE);
  if (!state->later) state_settle(state);
  if (!state->reduction) return;
  if (state->sharded) state->reduction->figures.bytes += (double)(size * sizeof(real));
  reduction_finish(state->reduction);
}

static void newton_schulz(void *context, size_t out, size_t in, real *X, real *work) {
  struct state *state = context;
  crew_newton_schulz(&state->crew, out, in, X, work, breathe, state);
}

void state_settle(struct state *state) {
  const double waited = state->sharded ? owners_finish(&state->owners) : 0;
  if (state->reduction) state->reduction->figures.exposed += waited;
}

void state_pass(struct state *state, const struct settings *s) {
  state->step++;
  state->images_seen += (uint64_t)s->training.batch_size;
}

void state_step(const struct world *w, struct state *state, const struct net *n, const struct settings *s, double rate,
                const real *grads, real *work) {
  struct optimizer optimizer = setup_optimizer(s);
  optimizer.rank = w->rank;
  optimizer.sharded = state->sharded;
  optimizer.breathe = hand_out;
  optimizer.context = state;
  const struct muon_help help = { newton_schulz, state };
  optimizer.help = &help;
  state_pass(state, s);
  phases_begin(state->phases, PHASE_OPTIMIZER);
  if (state->sharded) owners_begin(&state->owners, state->weights);
  optimizer_step(&optimizer, &n->table, state->step, rate, grads, state->m, state->s, state->weights, work);
  crew_help(&state->crew, &n->table, work, breathe, state);
  if (state->sharded) owners_done(&state->owners);
  else if (!optimizer.adamw) owners_spread(w->comm, &n->table, state->weights);
  phases_begin(state->phases, PHASE_EMA);
  for (int i = 0; i < s->training.ema_val.count; i++)
    optimizer_ema(state->mine.count, setup_ema_decay(s, i, (double)state->images_seen), state->weights + state->mine.first,
                  state->ema[i]);
  arrive(state, n->table.size);
  phases_begin(state->phases, PHASE_OTHER);
}
