#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/settings.h"
#include "src/base/status.h"

static int check_net(const struct settings *s) {
  const long p = s->model.patch_size, size = s->dataset.image_size;
  const long D = s->model.hidden_size, A = s->model.num_heads;
  if (s->dataset.image_channels != 1 && s->dataset.image_channels != 3)
    return because(STATUS_BAD, "dataset.image_channels=%ld: expected 1 (grey) or 3 (colour)",
                   s->dataset.image_channels);
  if (size % p) {
    long below = p < size ? p : size, above = p;
    while (size % below) below--;
    while (above < size && size % above) above++;
    char nearest[64];
    if (p > size) snprintf(nearest, sizeof nearest, "the largest that does is %ld", size);
    else snprintf(nearest, sizeof nearest, "the nearest that do are %ld and %ld", below, above);
    return because(STATUS_BAD, "model.patch_size=%ld does not divide dataset.image_size=%ld; %s", p, size, nearest);
  }
  if (D % A) return because(STATUS_BAD, "model.num_heads=%ld does not divide model.hidden_size=%ld", A, D);
  if (D / A % 4)
    return because(STATUS_BAD, "model.hidden_size=%ld / model.num_heads=%ld gives heads of width %ld; rotary embedding"
                   " needs a multiple of 4", D, A, D / A);
  if (s->model.aux_head_depth > s->model.depth)
    return because(STATUS_BAD, "model.aux_head_depth=%ld (blocks in each head) is above model.depth=%ld (shared blocks"
                   " and one head)", s->model.aux_head_depth, s->model.depth);
  return STATUS_OK;
}

static int check_training(const struct settings *s) {
  if (s->training.steps == 0 && s->training.num_epochs == 0)
    return because(STATUS_BAD, "training.steps and training.num_epochs are both 0; one of them says how long to train");
  if (s->training.steps == 0 && s->training.warmup_epochs > s->training.num_epochs)
    return because(STATUS_BAD, "training.warmup_epochs=%g is above training.num_epochs=%g", s->training.warmup_epochs,
                   s->training.num_epochs);
  if (s->training.steps == 0 && s->training.lr_schedule == SCHEDULE_COSINE && s->training.warmup_epochs > 0 &&
      2 * s->training.warmup_epochs >= s->training.num_epochs)
    return because(STATUS_BAD, "training.warmup_epochs=%g: the cosine needs less than half of training.num_epochs=%g",
                   s->training.warmup_epochs, s->training.num_epochs);
  if (s->training.weight_decay > 0 && s->training.optimizer != OPTIMIZER_ADAMW)
    return because(STATUS_BAD, "training.weight_decay=%g: Muon takes none; expected 0, or training.optimizer=adamw",
                   s->training.weight_decay);
  if (s->training.max_saves > 0 && s->checkpoint.every_steps == 0 && s->checkpoint.every_epochs == 0 &&
      s->checkpoint.every_minutes == 0)
    return because(STATUS_BAD, "training.max_saves=%ld counts saves on schedule: it goes with checkpoint.every_steps,"
                   " every_epochs or every_minutes above 0", s->training.max_saves);
  return STATUS_OK;
}

static int check_emas(const struct settings *s) {
  const struct list *l = &s->training.ema_val;
  char names[EMA_MAX * 32] = "raw", name[32];
  bool found = !strcmp(s->sampling.ema, "raw");
  for (int i = 0; i < l->count; i++) {
    if (s->training.ema_type == EMA_CONST && !(l->value[i] < 1))
      return because(STATUS_BAD, "training.ema_val: %g is no decay; with training.ema_type=const expected numbers above"
                     " 0 and below 1", l->value[i]);
    snprintf(name, sizeof name, "ema%g", l->value[i]);
    for (int j = 0; j < i; j++) {
      char other[32];
      snprintf(other, sizeof other, "ema%g", l->value[j]);
      if (!strcmp(name, other)) return because(STATUS_BAD, "training.ema_val: two values have the same name %s", name);
    }
    found |= !strcmp(s->sampling.ema, name);
    snprintf(names + strlen(names), sizeof names - strlen(names), ", %s", name);
  }
  if (found) return STATUS_OK;
  return because(STATUS_BAD, "sampling.ema=%s: expected one of %s (after training.ema_val)", s->sampling.ema, names);
}

int settings_check(const struct settings *s) {
  int status = check_net(s);
  if (status || (status = check_training(s)) || (status = check_emas(s))) return status;
  const double several = s->sampling.omega_several;
  if (several && several < 1)
    return because(STATUS_BAD, "sampling.omega_several=%g: expected at least 1, or 0 for sampling.omega", several);
  if (s->sampling.t_min >= s->sampling.t_max)
    return because(STATUS_BAD, "sampling.t_min=%g: expected below sampling.t_max=%g", s->sampling.t_min,
                   s->sampling.t_max);
  return STATUS_OK;
}
