#include "jobs/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/setup.h"
#include "mpi/agree.h"
#include "mpi/owners.h"
#include "src/base/status.h"

static void lay_out(struct state *state, const struct net *n, const struct settings *s) {
  const size_t size = n->table.size, second = n->table.second_size;
  state->weights = arena_take(&state->arena, size);
  state->m = arena_take(&state->arena, size);
  state->s = arena_take(&state->arena, second);
  struct flat *f = state->flats;
  *f++ = flat_whole("weights", state->weights, size);
  *f++ = flat_whole("m", state->m, size);
  *f++ = flat_whole("s", state->s, second);
  for (int i = 0; i < s->training.ema_val.count; i++, f++) {
    state->ema[i] = arena_take(&state->arena, size);
    *f = flat_whole("", state->ema[i], size);
    setup_ema_name(s, i, f->name);
  }
  state->n_flats = (size_t)(f - state->flats);
}

int state_init(struct state *state, const struct net *n, const struct settings *s) {
  *state = (struct state){ 0 };
  lay_out(state, n, s);
  const int status = arena_init(&state->arena);
  if (status) return status;
  lay_out(state, n, s);
  table_init_weights(&n->table, (uint64_t)s->training.seed, state->weights);
  for (int i = 0; i < s->training.ema_val.count; i++)
    memcpy(state->ema[i], state->weights, n->table.size * sizeof(real));
  return STATUS_OK;
}

size_t state_count(const struct net *n, const struct settings *s) {
  struct state counted = { 0 };
  lay_out(&counted, n, s);
  return counted.arena.used;
}

void state_free(struct state *state) { arena_free(&state->arena); }

/* Whether the file has the arrays of this state and no others. */
static int fits(const struct checkpoint_info *info, const struct state *state, const char *path) {
  for (size_t i = 0; i < state->n_flats; i++) {
    size_t j = 0;
    while (j < info->n_flats && strcmp(info->flats[j].name, state->flats[i].name)) j++;
    if (j == info->n_flats)
      return because(STATUS_BAD, "%s has no array %s: it was written with another training.ema_val or optimizer", path,
                     state->flats[i].name);
    if (info->flats[j].size != state->flats[i].size)
      return because(STATUS_BAD, "%s: array %s has %zu numbers, expected %zu: it was written with another training.optimizer",
                     path, state->flats[i].name, info->flats[j].size, state->flats[i].size);
  }
  for (size_t j = 0; j < info->n_flats; j++) {
    size_t i = 0;
    while (i < state->n_flats && strcmp(info->flats[j].name, state->flats[i].name)) i++;
    if (i == state->n_flats)
      return because(STATUS_BAD, "%s has an array %s: it was written with another training.ema_val", path, info->flats[j].name);
  }
  return STATUS_OK;
}

int state_resume(const struct world *w, struct state *state, const struct net *n, const char *run, char **text) {
  char path[TEXT_MAX + 64], warning[1024];
  *text = NULL;
  int status = checkpoint_find(w->comm, run, true, path, sizeof path, warning, sizeof warning);
  if (status) return status;
  if (*warning && w->rank == 0) fprintf(stderr, "warning: %s\n", warning);
  if (!*path) return STATUS_OK;
  struct checkpoint_info info;
  status = checkpoint_info(path, &info);
  if (!status && info.n_flats == 1)
    status = because(STATUS_BAD, "%s holds weights alone, as pmf import writes them: begin a run in another folder with"
                     " load_from=%s", path, path);
  if (!status) status = checkpoint_fits(path, &info, &n->table);
  if (!status) status = fits(&info, state, path);
  status = agree(w->comm, status);
  if (!status) status = checkpoint_load(w->comm, path, state->flats, state->n_flats);
  if (!status) {
    state->step = info.step;
    state->images_seen = info.images_seen;
    *text = info.settings;
    info.settings = NULL;
  }
  checkpoint_info_free(&info);
  return status;
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
  struct checkpoint_info info;
  struct table from = { 0 };
  int status = checkpoint_info(path, &info);
  if (!status) status = choose_from(&info, n, s, path, &from);
  checkpoint_info_free(&info);
  status = agree(w->comm, status);
  if (status) return status;
  const struct flat weights = flat_whole("weights", state->weights, from.size);
  status = checkpoint_load(w->comm, path, &weights, 1);
  for (int i = 0; i < s->training.ema_val.count && !status; i++)
    memcpy(state->ema[i], state->weights, n->table.size * sizeof(real));
  return status;
}

/* COLLECTIVE. Where they differ, each rank would save its own part of them. */
static int same_weights(const struct world *w, const struct state *state, const struct net *n, const char *run) {
  if (agree_same(w->comm, state->weights, n->table.size * sizeof(real))) return STATUS_OK;
  return because(STATUS_DIVERGED, "%s: not saved: the ranks' weights differ; are the nodes' processors of one kind?", run);
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

void state_step(const struct world *w, struct state *state, const struct net *n, const struct settings *s, double rate,
                const real *grads, real *work) {
  struct optimizer optimizer = setup_optimizer(s);
  optimizer.rank = w->rank;
  state->step++;
  state->images_seen += (uint64_t)s->training.batch_size;
  phases_begin(state->phases, PHASE_OPTIMIZER);
  optimizer_step(&optimizer, &n->table, state->step, rate, grads, state->m, state->s, state->weights, work);
  if (!optimizer.adamw) owners_spread(w->comm, &n->table, state->weights);
  phases_begin(state->phases, PHASE_EMA);
  for (int i = 0; i < s->training.ema_val.count; i++)
    optimizer_ema(n->table.size, setup_ema_decay(s, i, (double)state->images_seen), state->weights, state->ema[i]);
  phases_begin(state->phases, PHASE_OTHER);
}
