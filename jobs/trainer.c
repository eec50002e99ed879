#include "jobs/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/memory.h"
#include "jobs/fault.h"
#include "jobs/judge.h"
#include "jobs/precision.h"
#include "jobs/products.h"
#include "mpi/agree.h"
#include "mpi/selftest.h"
#include "mpi/watch.h"
#include "src/base/matmul.h"
#include "src/base/status.h"
#include "src/optim/share.h"

int trainer_fits(const struct settings *s, const struct dataset *d) {
  const char *file = s->dataset.root;
  if (d->image_size != (size_t)s->dataset.image_size)
    return because(STATUS_BAD, "%s has images of %zu x %zu, dataset.image_size is %ld", file, d->image_size, d->image_size,
                   s->dataset.image_size);
  if (d->channels != (size_t)s->dataset.image_channels)
    return because(STATUS_BAD, "%s has %zu channels, dataset.image_channels is %ld", file, d->channels,
                   s->dataset.image_channels);
  if (s->dataset.num_classes && d->classes != (size_t)s->dataset.num_classes)
    return because(STATUS_BAD, "%s has %zu classes, dataset.num_classes is %ld", file, d->classes, s->dataset.num_classes);
  if (d->count[SPLIT_TRAIN] < (size_t)s->training.batch_size)
    return because(STATUS_BAD, "%s has %zu training images, fewer than training.batch_size = %ld", file,
                   d->count[SPLIT_TRAIN], s->training.batch_size);
  return STATUS_OK;
}

/* COLLECTIVE. Presets, configs and data lie on each node's own disk perhaps; ranks that differ would wait for each other. */
static int check_same(const struct trainer *t) {
  const size_t *images = &t->data.count[SPLIT_TRAIN];
  const int settings = agree_same(t->w->comm, t->text, strlen(t->text));
  const int data = agree_same(t->w->comm, images, sizeof *images);
  if (!settings)
    return because(STATUS_BAD, "the ranks read different settings: is the preset or config the same on every node?");
  if (!data) return because(STATUS_BAD, "%s: the ranks see different numbers of images: is it one file?", t->s.dataset.root);
  return STATUS_OK;
}

/* Local: a rank has its part of the node's memory. */
static int check_memory(struct trainer *t) {
  const int here = t->w->node_ranks > 0 ? t->w->node_ranks : 1;
  const int status = needs_fit(&t->net, &t->s, t->w->ranks, memory_available() / (size_t)here, &t->needs);
  return status && here > 1 ? because(status, "%s (%d ranks share this node)", status_reason(), here) : status;
}

/* COLLECTIVE. Nodes with less memory than others take smaller micro-batches; the smallest serves all. */
static void agree_micro(struct trainer *t) {
  long micro = (long)t->needs.micro;
  MPI_Allreduce(MPI_IN_PLACE, &micro, 1, MPI_LONG, MPI_MIN, t->w->comm);
  if (micro == (long)t->needs.micro) return;
  t->s.training.micro_batch = micro;
  t->needs = needs_of(&t->net, &t->s, t->w->ranks, 0);
}

static int open_local(struct trainer *t) {
  int status = dataset_open(&t->data, t->s.dataset.root);
  if (!status) status = trainer_fits(&t->s, &t->data);
  if (!status) status = judge_choose(&t->s, NULL, &(enum evaluator_role){ 0 });
  if (status) return status;
  t->steps = setup_steps(&t->s, t->data.count[SPLIT_TRAIN]);
  if (t->steps < 1) return because(STATUS_BAD, "training.num_epochs = %g is less than one step", t->s.training.num_epochs);
  const struct schedule schedule = setup_schedule(&t->s, t->data.count[SPLIT_TRAIN]);
  if (schedule.cosine && schedule.warmup > 0 && 2 * schedule.warmup >= schedule.steps)
    return because(STATUS_BAD, "training.warmup_epochs=%g are %g steps: the cosine needs less than half of all %g",
                   t->s.training.warmup_epochs, schedule.warmup, schedule.steps);
  t->text = settings_text(&t->s);
  if (!t->text) return because(STATUS_NOMEM, "no memory for the settings' text");
  const struct net_config config = setup_net(&t->s);
  status = net_init(&t->net, &config, t->s.training.optimizer == OPTIMIZER_ADAMW);
  if (!status) setup_share(&t->net.table, &t->s, t->w->ranks);
  return status;
}

int trainer_open(struct trainer *t) {
  int status = agree(t->w->comm, open_local(t));
  if (!status) status = check_same(t);
  if (!status) status = agree(t->w->comm, check_memory(t));
  if (status) return status;
  agree_micro(t);
  precision_choose(t->w, &t->s);
  return STATUS_OK;
}

static int allocate_local(struct trainer *t) {
  const struct optimizer optimizer = setup_optimizer(&t->s);
  t->scratch.used = optimizer_work(&optimizer, &t->net.table);
  int status = arena_init(&t->scratch);
  if (!status) status = matmul_reserve(t->needs.rounded);
  if (!status) t->work = arena_take(&t->scratch, t->scratch.size);
  t->state.phases = t->step.phases = &t->phases;
  phases_reset(&t->phases);
  t->guard = (struct guard){ .memory = t->state.guard, .spike = t->s.training.spike, .alarm = t->s.training.du_dt_alarm,
                             .max_skips = t->s.training.max_skips, .max_rollbacks = t->s.training.max_rollbacks,
                             .rollback_lr_factor = t->s.training.rollback_lr_factor };
  return status;
}

/* Local. Settings name files; what the loss looks through is what is in them, and the checkpoint is to remember it. */
static int note_networks(struct trainer *t) {
  char networks[600];
  perception_describe(&t->perception, networks);
  const size_t n = strlen(t->text), more = sizeof TRAINER_LOSS + strlen(networks) + 1;
  char *text = realloc(t->text, n + more);
  if (!text) return because(STATUS_NOMEM, "no memory for the settings' text");
  snprintf(text + n, more, "%s%s\n", TRAINER_LOSS, networks);
  t->text = text;
  return STATUS_OK;
}

int trainer_allocate(struct trainer *t) {
  int status = state_init(t->w, &t->state, &t->net, &t->s);
  if (!status) status = step_init(&t->step, t->w, &t->net, &t->s);
  t->state.reduction = &t->step.reduction;
  t->state.later = t->state.sharded && t->s.training.reduce != REDUCE_PLAIN;
  if (t->state.later) t->step.owners = &t->state.owners;
  const size_t micro = t->step.micro;
  if (!status) status = products_test(t->w, &t->net, micro, times_tangents_max(&t->step.times, t->step.batch, micro));
  if (!status && t->w->ranks > 1) status = selftest(t->w->comm, "all ranks");
  if (!status && t->w->ranks > 1) status = agree(t->w->comm, crew_test(&t->state.crew));
  if (!status && t->w->ranks > 1) status = reduction_test(&t->step.reduction);
  if (!status) status = agree(t->w->comm, allocate_local(t));
  if (!status) status = perception_open(&t->perception, t->w, &t->s, &t->data, t->step.micro, t->drawn);
  if (status || !t->perception.on) return status;
  t->step.objective.perceptual = &t->perception.perceptual;
  return agree(t->w->comm, note_networks(t));
}

int trainer_start(struct trainer *t) {
  loader_stop(t->loader);
  return agree(t->w->comm, loader_start(&t->loader, &t->data, t->step.seed, t->s.dataset.use_flip, t->step.batch,
                                        t->step.first, t->step.count, guard_batch(&t->guard, t->state.step)));
}

int trainer_step(struct trainer *t, struct objective_sums *sums, double *rate) {
  const struct schedule schedule = setup_schedule(&t->s, t->data.count[SPLIT_TRAIN]);
  const uint64_t k = t->state.step, batch = guard_batch(&t->guard, k);
  *rate = schedule_rate(&schedule, k) * (double)t->guard.memory->lr_factor;
  watch_step(k + 1);
  guard_limits(&t->guard, &t->step.most_loss, &t->step.most_norm);
  const int status = step_gradient(&t->step, t->w, t->loader, batch, t->state.weights, sums);
  if (status) return status;
  guard_judge(&t->guard, t->step.bad, t->step.bad_rank, k + 1, batch + 1, sums->loss / (double)sums->images, t->step.norm);
  if (!t->guard.verdict && sums->tangents) guard_alarm(&t->guard, sqrt(sums->du_dt_square / (double)sums->tangents));
  if (t->guard.verdict) {
    reduction_finish(&t->step.reduction);   /* the others' parts: between steps the gradient's place is free */
    state_pass(&t->state, &t->s);
  } else {
    state_step(t->w, &t->state, &t->net, &t->s, *rate, t->step.grads, t->work);
  }
  if (fault_strikes(FAULT_FLIP, batch + 1)) fault_flip(&t->net.table, t->state.weights);
  return STATUS_OK;
}

void trainer_close(struct trainer *t) {
  loader_stop(t->loader);
  arena_free(&t->scratch);
  perception_close(&t->perception);
  step_free(&t->step);
  state_free(&t->state);
  net_free(&t->net);
  dataset_close(&t->data);
  free(t->text);
}
