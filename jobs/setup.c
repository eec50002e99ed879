#include "jobs/setup.h"

#include <math.h>
#include <stdio.h>

#include "src/optim/share.h"

struct net_config setup_net(const struct settings *s) {
  return (struct net_config){
    .image = (size_t)s->dataset.image_size, .patch = (size_t)s->model.patch_size,
    .channels = (size_t)s->dataset.image_channels, .classes = (size_t)s->dataset.num_classes,
    .width = (size_t)s->model.hidden_size, .depth = (size_t)s->model.depth,
    .head_depth = (size_t)s->model.aux_head_depth, .heads = (size_t)s->model.num_heads,
    .class_tokens = (size_t)s->model.num_class_tokens, .omega_tokens = (size_t)s->model.num_cfg_tokens,
    .interval_tokens = (size_t)s->model.num_interval_tokens, .time_tokens = (size_t)s->model.num_time_tokens,
    .recompute = s->training.recompute,
  };
}

int setup_has_v_head(const struct table *t) { return t->count && net_in_v_head(&t->tensors[t->count - 1]); }

struct times setup_times(const struct settings *s) {
  static const enum times_sampler sampler[] = { [TIMES_TRIANGLE] = TIMES_OF_TRIANGLE, [TIMES_EQUAL] = TIMES_ALL_EQUAL,
                                                [TIMES_ZERO] = TIMES_ALL_ZERO, [TIMES_BOTH] = TIMES_EQUAL_OR_ZERO };
  return (struct times){ sampler[s->model.times], s->model.P_mean, s->model.P_std, s->model.data_proportion,
                         s->model.tr_uniform };
}

struct guidance setup_guidance(const struct settings *s) {
  const struct times times = setup_times(s);
  return (struct guidance){ s->model.cfg_beta, s->model.cfg_max, s->model.class_dropout_prob, times_proportion(&times),
                            s->dataset.num_classes == 0 };
}

struct objective_config setup_objective(const struct settings *s) {
  return (struct objective_config){ .prediction = s->model.prediction == PREDICTION_U ? PREDICT_U : PREDICT_X,
                                    .norm_p = s->model.norm_p, .norm_eps = s->model.norm_eps };
}

int setup_sharded(const struct settings *s, int ranks) {
  return s->training.shard == SHARD_ON || (s->training.shard == SHARD_AUTO && ranks > 1);
}

int setup_crews(const struct settings *s, int ranks) {
  return setup_sharded(s, ranks) && !s->training.reproducible && s->training.optimizer == OPTIMIZER_MUON;
}

double setup_share(struct table *t, const struct settings *s, int ranks) {
  return setup_crews(s, ranks) ? share_crews(t, ranks) : share_matrices(t, ranks);
}

struct reduction_config setup_reduction(const struct settings *s, int ranks) {
  static const enum reduction_way way[] = { [REDUCE_PLAIN] = REDUCTION_PLAIN, [REDUCE_OVERLAP] = REDUCTION_OVERLAP,
                                            [REDUCE_TWOLEVEL] = REDUCTION_TWOLEVEL };
  return (struct reduction_config){ .way = way[s->training.reduce],
                                    .bucket_bytes = (size_t)(s->training.bucket_mib * (1 << 20)),
                                    .by_owner = setup_sharded(s, ranks), .integers = s->training.reproducible };
}

struct optimizer setup_optimizer(const struct settings *s) {
  return (struct optimizer){ .adamw = s->training.optimizer == OPTIMIZER_ADAMW, .b2 = s->training.adam_b2,
                             .weight_decay = s->training.weight_decay, .one_thread_each = s->training.reproducible };
}

double setup_omega(const struct settings *s, size_t steps) {
  if (s->dataset.num_classes == 0) return 1;   /* unguided, as it was trained */
  return steps > 1 && s->sampling.omega_several > 0 ? s->sampling.omega_several : s->sampling.omega;
}

struct sampler setup_sampler(const struct settings *s) {
  const int guided = s->dataset.num_classes > 0;
  return (struct sampler){ .prediction = s->model.prediction == PREDICTION_U ? PREDICT_U : PREDICT_X,
                           .steps = (size_t)s->sampling.num_steps, .noise_scale = s->model.noise_scale,
                           .omega = setup_omega(s, (size_t)s->sampling.num_steps), .t_min = guided ? s->sampling.t_min : 0,
                           .t_max = guided ? s->sampling.t_max : 1 };   /* unguided: as it was trained */
}

static double epoch_steps(const struct settings *s, size_t images) {
  return (double)(images / (size_t)s->training.batch_size);
}

uint64_t setup_steps(const struct settings *s, size_t images) {
  if (s->training.steps > 0) return (uint64_t)s->training.steps;
  return (uint64_t)(s->training.num_epochs * epoch_steps(s, images) + 0.5);
}

uint64_t setup_save_steps(const struct settings *s, size_t images) {
  if (s->checkpoint.every_steps > 0) return (uint64_t)s->checkpoint.every_steps;
  const double steps = s->checkpoint.every_epochs * epoch_steps(s, images);
  return steps > 0 && steps < 1 ? 1 : (uint64_t)(steps + 0.5);
}

struct schedule setup_schedule(const struct settings *s, size_t images) {
  return (struct schedule){ s->training.lr_schedule == SCHEDULE_COSINE, s->training.learning_rate,
                            s->training.lr_min_factor, round(s->training.warmup_epochs * epoch_steps(s, images)),
                            (double)setup_steps(s, images) };
}

double setup_ema_decay(const struct settings *s, int i, double seen) {
  const double value = s->training.ema_val.value[i];
  return s->training.ema_type == EMA_CONST ? value
                                           : schedule_edm_decay(1000 * value, (double)s->training.batch_size, seen);
}

void setup_ema_name(const struct settings *s, int i, char name[static 32]) {
  snprintf(name, 32, "ema%g", s->training.ema_val.value[i]);
}
