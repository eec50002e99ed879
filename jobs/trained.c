#include "jobs/trained.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "jobs/setup.h"
#include "mpi/agree.h"
#include "src/base/status.h"

/* COLLECTIVE. */
static int find_file(struct trained *t, const struct world *w, const char *run, const char *checkpoint) {
  char warning[1024];
  if (!run == !checkpoint) return because(STATUS_BAD, "expected one of run=DIR and checkpoint=FILE.h5");
  if (checkpoint) {
    snprintf(t->path, sizeof t->path, "%s", checkpoint);
    return STATUS_OK;
  }
  const int status = checkpoint_find(w->comm, run, false, t->path, sizeof t->path, warning, sizeof warning);
  if (status) return status;
  if (*warning && w->rank == 0) fprintf(stderr, "warning: %s\n", warning);
  return *t->path ? STATUS_OK : because(STATUS_BAD, "%s has no checkpoint.h5: not a run's folder, or nothing saved yet", run);
}

static int choose_weights(struct trained *t, const struct checkpoint_info *info, const char *ema) {
  char known[256] = "raw";
  snprintf(t->ema, sizeof t->ema, "%s", ema ? ema : t->s.sampling.ema);
  if (!strcmp(t->ema, "raw")) return STATUS_OK;
  for (size_t i = 0; i < info->n_flats; i++) {
    const char *name = info->flats[i].name;
    if (strncmp(name, "ema", 3)) continue;   /* the optimizer's arrays are no nets */
    if (!strcmp(name, t->ema)) return STATUS_OK;
    if (strlen(known) + 40 < sizeof known) snprintf(known + strlen(known), sizeof known - strlen(known), ", %s", name);
  }
  return because(STATUS_BAD, "ema=%s: %s has %s", t->ema, t->path, known);
}

static int read_head(struct trained *t, const struct checkpoint_info *info, const char *ema) {
  t->step = info->step;
  t->images_seen = info->images_seen;
  settings_default(&t->s);
  int status = settings_parse(&t->s, info->settings, strlen(info->settings), t->path);
  if (!status) status = settings_check(&t->s);
  if (!status) status = choose_weights(t, info, ema);
  if (status) return status;
  const struct net_config config = setup_net(&t->s);
  status = net_init(&t->net, &config, t->s.training.optimizer == OPTIMIZER_ADAMW);   /* the table that was saved */
  if (status) return status;
  t->v_head = setup_has_v_head(&info->table);
  const struct table stored = t->v_head ? t->net.table : net_without_v_head(&t->net);
  status = checkpoint_same_net(t->path, info, &stored);
  if (status) return status;
  arena_take(&t->arena, t->net.table.size);
  status = arena_init(&t->arena);
  if (!status) t->weights = arena_take(&t->arena, t->net.table.size);
  return status;
}

int trained_open(struct trained *t, const struct world *w, const char *run, const char *checkpoint, const char *ema) {
  *t = (struct trained){ 0 };
  int status = find_file(t, w, run, checkpoint);
  if (!status) status = checkpoint_open(w->comm, t->path, &t->file);
  return status ? status : agree(w->comm, read_head(t, &t->file.info, ema));
}

int trained_choose(struct trained *t, const char *ema) { return choose_weights(t, &t->file.info, ema); }

int trained_load(struct trained *t, const struct world *w) {
  const size_t size = t->v_head ? t->net.table.size : net_without_v_head(&t->net).size;
  const struct flat weights = flat_whole(strcmp(t->ema, "raw") ? t->ema : "weights", t->weights, size);
  return checkpoint_read(w->comm, &t->file, &weights, 1);
}

int trained_sampler(const struct trained *t, double omega, double t_min, double t_max, struct sampler *sampler) {
  *sampler = setup_sampler(&t->s);
  if (!t->s.dataset.num_classes && !(isnan(omega) && isnan(t_min) && isnan(t_max)))
    return because(STATUS_BAD, "%s was trained without classes: it takes no omega, t_min or t_max", t->path);
  if (!isnan(omega)) sampler->omega = omega;
  if (!isnan(t_min)) sampler->t_min = t_min;
  if (!isnan(t_max)) sampler->t_max = t_max;
  if (sampler->t_min < sampler->t_max) return STATUS_OK;
  return because(STATUS_BAD, "t_min=%g is not below t_max=%g", sampler->t_min, sampler->t_max);
}

int trained_head(const struct trained *t, const char *head, const char *solver, struct sampler *sampler) {
  const int v = head && !strcmp(head, "v"), heun = solver && !strcmp(solver, "heun");
  if (head && !v && strcmp(head, "u")) return because(STATUS_BAD, "head=%s: expected u or v", head);
  if (solver && !heun && strcmp(solver, "euler")) return because(STATUS_BAD, "solver=%s: expected euler or heun", solver);
  if (solver && !v) return because(STATUS_BAD, "solver=%s: head u jumps and needs none; expected head=v with it", solver);
  if (v && !t->v_head)
    return because(STATUS_BAD, "head=v: %s has no v head, as imported weights; expected head=u", t->path);
  sampler->head = v ? HEAD_V : HEAD_U;
  sampler->solver = heun ? SOLVER_HEUN : SOLVER_EULER;
  return STATUS_OK;
}

void trained_close(struct trained *t) {
  checkpoint_close(&t->file);
  arena_free(&t->arena);
  net_free(&t->net);
}
