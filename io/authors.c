#include "io/authors.h"

#include <string.h>
#include <strings.h>

#include "src/base/status.h"

static const struct { const char *theirs, *ours; } keys[] = {
  { "model.convnext_max_t",          "model.perceptual_max_t" },   /* in those of the H models */
  { "model.num_classes",             "dataset.num_classes" },
  { "sampling.num_classes",          "dataset.num_classes" },
  { "training.checkpoint_per_epoch", "checkpoint.every_epochs" },
};
static const struct { const char *key, *theirs, *ours; } values[] = {
  { "model.model_str", "MiT_B_16", "pmfDiT_B_16" }, { "model.model_str", "MiT_B_32", "pmfDiT_B_32" },
  { "model.model_str", "MiT_L_16", "pmfDiT_L_16" }, { "model.model_str", "MiT_L_32", "pmfDiT_L_32" },
  { "model.model_str", "MiT_H_16", "pmfDiT_H_16" }, { "model.model_str", "MiT_H_32", "pmfDiT_H_32" },
  { "training.lr_schedule", "warmup_const", "const" },
};
static const char *const without[] = {
  "dataset.name", "dataset.num_workers", "dataset.prefetch_factor", "dataset.pin_memory", "dataset.cache", "dataset.vae",
  "training.sample_per_epoch", "training.fid_per_epoch", "training.half_precision", "fid.device_batch_size",
  "sampling.interval", "sampling.omegas", "sampling.emas", "load_from", "eval_only",
  "logging", "logging.use_wandb", "logging.wandb_project", "logging.wandb_entity", "logging.wandb_tags",
  "logging.wandb_notes",
};
/* With another value than the usual one these would mean something. */
static const struct { const char *key, *usual, *instead; } usually[] = {
  { "training.half_precision", "false", "products in bf16 are training.precision=bf16" },
  { "load_from", "", "pmf import makes a checkpoint of released weights, which pmf train takes as load_from=FILE.h5" },
};
enum { KEYS = sizeof keys / sizeof *keys, VALUES = sizeof values / sizeof *values,
       WITHOUT = sizeof without / sizeof *without, USUALLY = sizeof usually / sizeof *usually };

const char *authors_key(const char *key) {
  for (int i = 0; i < KEYS; i++)
    if (!strcmp(keys[i].theirs, key)) return keys[i].ours;
  return key;
}

const char *authors_value(const char *key, const char *value) {
  for (int i = 0; i < VALUES; i++)
    if (!strcmp(values[i].key, key) && !strcmp(values[i].theirs, value)) return values[i].ours;
  return value;
}

bool authors_only(const char *key) {
  for (int i = 0; i < WITHOUT; i++)
    if (!strcmp(without[i], key)) return true;
  return false;
}

int authors_check(const char *key, const char *value, const char *where) {
  for (int i = 0; i < USUALLY; i++)
    if (!strcmp(usually[i].key, key) && *value && strcasecmp(usually[i].usual, value))
      return because(STATUS_BAD, "%s: %s: expected %s; found %.100s: %s", where, key,
                     *usually[i].usual ? usually[i].usual : "nothing", value, usually[i].instead);
  return STATUS_OK;
}

const char *authors_name(size_t i) {
  return i < KEYS ? keys[i].theirs : i < KEYS + WITHOUT ? without[i - KEYS] : NULL;
}
