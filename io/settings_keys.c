#include "io/settings_keys.h"

#include <stdio.h>
#include <string.h>

#include "io/generations.h"
#include "io/settings.h"

#define KEY(type, field) #field, type, offsetof(struct settings, field), sizeof(((struct settings *)0)->field)
#define NETS "pmfDiT_B_16|pmfDiT_B_32|pmfDiT_L_16|pmfDiT_L_32|pmfDiT_H_16|pmfDiT_H_32"

const struct key settings_keys[] = {
  { KEY(TEXT, dataset.root),                   0, 0, NULL, "", "", "the packed HDF5 file; data=FILE sets it" },
  { KEY(INTEGER, dataset.image_size),          1, 65536, NULL, "256", "pixels", "height and width" },
  { KEY(INTEGER, dataset.image_channels),      1, 3, NULL, "3", "", "1 grey, 3 colour; no other" },
  { KEY(INTEGER, dataset.num_classes),         0, 1e6, NULL, "1000", "",
    "labels are 0 .. classes-1; 0: no labels, no guidance" },
  { KEY(TRUTH, dataset.use_flip),              0, 0, NULL, "false", "", "mirror images at random" },
  { KEY(REAL, dataset.bad_fraction),           0, 1, NULL, "0.001", "",
    "training images that may be replaced, as they cannot be read or differ from their checksum" },

  { KEY(TEXT, model.model_str),                0, 0, NETS, "", "",
    "a named net: sets the sizes below, which may then be changed one by one" },
  { KEY(INTEGER, model.patch_size),            1, 65536, NULL, "16", "pixels", "side of a patch" },
  { KEY(INTEGER, model.depth),                 1, 1024, NULL, "16", "blocks", "shared blocks and one head" },
  { KEY(INTEGER, model.hidden_size),           4, 65536, NULL, "768", "channels", "width" },
  { KEY(INTEGER, model.num_heads),             1, 1024, NULL, "12", "", "attention heads" },
  { KEY(INTEGER, model.aux_head_depth),        0, 1024, NULL, "8", "blocks", "in each of the heads u and v" },
  { KEY(INTEGER, model.num_class_tokens),      1, 1024, NULL, "8", "", "prefix tokens for the class" },
  { KEY(INTEGER, model.num_time_tokens),       1, 1024, NULL, "4", "", "for h = t - r" },
  { KEY(INTEGER, model.num_cfg_tokens),        1, 1024, NULL, "4", "", "for the guidance scale" },
  { KEY(INTEGER, model.num_interval_tokens),   1, 1024, NULL, "2", "", "for each of t_min and t_max" },
  { KEY(REAL, model.P_mean),                   -10, 10, NULL, "0.8", "", "times are sigmoid(P_mean + P_std n)" },
  { KEY(REAL, model.P_std),                    0, 10, NULL, "0.8", "", "n is a standard normal draw" },
  { KEY(REAL, model.noise_scale),              ABOVE_0, 100, NULL, "1", "", "standard deviation of the noise" },
  { KEY(TRUTH, model.tr_uniform),              0, 0, NULL, "false", "", "a tenth of the times uniform instead" },
  { KEY(REAL, model.data_proportion),          0, 1, NULL, "0.5", "", "share of flow-matching samples, r = t" },
  { KEY(REAL, model.cfg_beta),                 0, 10, NULL, "1", "", "guidance scales have density w^-beta" },
  { KEY(REAL, model.cfg_max),                  0, 1000, NULL, "7", "", "guidance scales lie in 1 .. 1 + cfg_max" },
  { KEY(REAL, model.class_dropout_prob),       0, 1, NULL, "0.1", "", "share of samples without label" },
  { KEY(REAL, model.norm_p),                   0, 10, NULL, "1", "", "adaptive weight: loss / (loss + eps)^p" },
  { KEY(REAL, model.norm_eps),                 ABOVE_0, 1000, NULL, "0.01", "", "its eps" },
  { KEY(TRUTH, model.lpips),                   0, 0, NULL, "false", "", "perceptual term on VGG features (LPIPS)" },
  { KEY(TEXT, model.lpips_weights),            0, 0, NULL, "", "",
    "their file, by pmf import; empty: a classifier of the training images" },
  { KEY(REAL, model.lpips_lambda),             0, 1000, NULL, "0.4", "", "its weight" },
  { KEY(TRUTH, model.convnext),                0, 0, NULL, "false", "", "perceptual term on ConvNeXt features" },
  { KEY(TEXT, model.convnext_weights),         0, 0, NULL, "", "", "likewise" },
  { KEY(REAL, model.convnext_lambda),          0, 1000, NULL, "0.1", "", "its weight" },
  { KEY(REAL, model.perceptual_max_t),         0, 1, NULL, "0.8", "", "perceptual terms only where t is below" },
  { KEY(CHOICE, model.prediction),             0, 0, "x|u", "x", "", "the net gives images or velocities" },
  { KEY(CHOICE, model.times),                  0, 0, "triangle|equal|zero|both", "triangle", "",
    "which (r, t) are drawn" },
  { KEY(CHOICE, model.init_v_head),            0, 0, "none|fresh", "none", "",
    "fresh: give a net without v head a new one" },

  { KEY(INTEGER, training.batch_size),         1, 1 << 24, NULL, "1024", "images",
    "in a step, all ranks together" },
  { KEY(REAL, training.num_epochs),            0, 1e6, NULL, "320", "epochs", "length of the run" },
  { KEY(INTEGER, training.steps),              0, 1e12, NULL, "0", "steps", "length of the run; wins if not 0" },
  { KEY(INTEGER, training.micro_batch),        0, 1 << 20, NULL, "0", "images",
    "through the net at once on a rank; 0: chosen, 4 where reproducible" },
  { KEY(REAL, training.learning_rate),         ABOVE_0, 100, NULL, "0.001", "", "of Muon and Adam" },
  { KEY(CHOICE, training.lr_schedule),         0, 0, "const|cosine", "const", "", "after the warm-up" },
  { KEY(REAL, training.warmup_epochs),         0, 1e6, NULL, "0", "epochs", "the rate rises from 0" },
  { KEY(REAL, training.lr_min_factor),         0, 1, NULL, "0", "", "end of the cosine, as part of the rate" },
  { KEY(REAL, training.adam_b2),               0, 0.999999, NULL, "0.95", "", "decay of Adam's second moment" },
  { KEY(REAL, training.weight_decay),          0, 10, NULL, "0", "", "decoupled; of AdamW" },
  { KEY(CHOICE, training.optimizer),           0, 0, "muon|adamw", "muon", "",
    "muon: Adam for what is no matrix" },
  { KEY(CHOICE, training.ema_type),            0, 0, "edm|const", "edm", "", "half-lives or fixed decays" },
  { KEY(REALS, training.ema_val),              ABOVE_0, 1e9, NULL, "500, 1000, 2000", "",
    "one EMA each. edm: half-lives in thousand images; const: decays" },
  { KEY(INTEGER, training.seed),               0, 9007199254740992, NULL, "42", "", "of all random numbers" },
  { KEY(INTEGER, training.log_per_step),       1, 1e9, NULL, "100", "steps", "between two lines of metrics" },
  { KEY(CHOICE, training.precision),           0, 0, "f32|bf16|auto", "f32", "",
    "of linear layers' products; auto: bf16 where it is faster" },
  { KEY(CHOICE, training.recompute),           0, 0, "none|block", "none", "", "activations, to save memory" },
  { KEY(CHOICE, training.reduce),              0, 0, "plain|overlap|twolevel", "overlap", "",
    "gradients: after the way back, during it, or so by node and then across" },
  { KEY(REAL, training.bucket_mib),            ABOVE_0, 1024, NULL, "25", "MiB",
    "of the gradient travel together; to owners in pieces of 2 MiB, four times this at once" },
  { KEY(CHOICE, training.shard),               0, 0, "auto|on|off", "auto", "",
    "the optimizer's state and EMAs over ranks; auto: from 2 ranks" },
  { KEY(CHOICE, training.reproducible),        0, 0, "off|on", "off", "",
    "same bits on any number of ranks, and in float32 of threads" },
  { KEY(REAL, training.max_time),              0, 1e9, NULL, "0", "minutes", "save and end then; 0: no limit" },
  { KEY(INTEGER, training.max_saves),          0, 1e9, NULL, "0", "checkpoints",
    "end when this start has saved so many on schedule; 0: no limit" },
  { KEY(REAL, training.spike),                 0, 1e9, NULL, "30", "times",
    "a step whose loss or gradient is above so many times its running median is skipped; 0: none" },
  { KEY(INTEGER, training.max_skips),          0, 1e9, NULL, "5", "steps",
    "so many skipped in a row: back to the last checkpoint, and past these data; 0: never" },
  { KEY(INTEGER, training.max_rollbacks),      0, 1e6, NULL, "3", "times",
    "so often back at most; one more ends the run with exit code 70" },
  { KEY(REAL, training.rollback_lr_factor),    ABOVE_0, 1, NULL, "1", "times",
    "each rollback multiplies the learning rate by this" },
  { KEY(REAL, training.du_dt_alarm),           0, 1e9, NULL, "5", "times",
    "a warning where du/dt is above so many times its running median; 0: none" },
  { KEY(INTEGER, training.check_every),        0, 1e9, NULL, "100", "steps",
    "between two comparisons of the ranks' weights; 0: at saves alone" },
  { KEY(REAL, training.watchdog),              0, 1e6, NULL, "600", "seconds",
    "so long (or ten steps, if longer) without a move ends the run with 76; 0: never" },
  { KEY(CHOICE, training.tensorboard),         0, 0, "off|on", "off", "",
    "metrics, grids and settings for TensorBoard too, in RUN/tensorboard" },

  { KEY(INTEGER, checkpoint.every_steps),      0, 1e12, NULL, "0", "steps", "between two checkpoints; 0: not by steps" },
  { KEY(REAL, checkpoint.every_epochs),        0, 1e6, NULL, "0", "epochs",
    "between two checkpoints; 0: not by epochs; every_steps wins" },
  { KEY(REAL, checkpoint.every_minutes),       0, 1e9, NULL, "15", "minutes", "between two checkpoints; 0: not by time" },
  { KEY(INTEGER, checkpoint.keep),             2, GENERATIONS_MAX, NULL, "2", "files", "the newest and those before it; older ones are removed" },
  { KEY(CHOICE, checkpoint.async),             0, 0, "off|on", "off", "",
    "write while training goes on, from a copy of the state: more memory, shorter stops" },
  { KEY(INTEGER, checkpoint.archive_every),    0, 1e12, NULL, "0", "steps",
    "the first checkpoint of each so many is kept for good in RUN/archive; 0: none" },
  { KEY(CHOICE, checkpoint.io),                0, 0, "auto|ompio|romio|rank0", "auto", "",
    "who writes: all ranks by MPI-IO (auto: as Open MPI chooses; ompio always in its safe form) or rank 0 alone" },

  { KEY(INTEGER, sampling.num_steps),          1, 10000, NULL, "1", "evaluations", "of the net, an image" },
  { KEY(REAL, sampling.omega),                 1, 1000, NULL, "8.5", "", "guidance scale" },
  { KEY(REAL, sampling.omega_several),         0, 1000, NULL, "0", "",
    "the same for images of several evaluations, at least 1; 0: as for one" },
  { KEY(REAL, sampling.t_min),                 0, 1, NULL, "0.1", "", "guidance interval: from" },
  { KEY(REAL, sampling.t_max),                 0, 1, NULL, "0.7", "", "to" },
  { KEY(TEXT, sampling.ema),                   0, 0, NULL, "ema2000", "",
    "raw, or ema and one of training.ema_val" },
  { KEY(INTEGER, sampling.grid_every_steps),   0, 1e12, NULL, "0", "steps",
    "between two grids of samples in RUN/samples, of the EMA and of the raw weights, always of the same noise; 0: none" },

  { KEY(INTEGER, fid.num_samples),             2, 1e9, NULL, "50000", "images", "generated for a score" },
  { KEY(TEXT, fid.cache_ref),                  0, 0, NULL, "", "", "of pmf score inception=: an .npz of reference statistics" },
  { KEY(INTEGER, fid.every_steps),             0, 1e12, NULL, "0", "steps", "a score during training; 0: none" },
  { KEY(INTEGER, fid.online_samples),          2, 1e7, NULL, "5000", "images", "generated for that" },
  { KEY(REAL, fid.time_share),                 ABOVE_0, 1, NULL, "0.05", "",
    "of the time, at most, for such scores; 1: no limit" },
  { KEY(CHOICE, fid.judge),                    0, 0, "auto|all|half", "auto", "",
    "training images of the classifier that judges; half: those that one in the loss has not seen" },
};
const int settings_keys_count = sizeof settings_keys / sizeof *settings_keys;
_Static_assert(sizeof settings_keys / sizeof *settings_keys <= SETTINGS_KEYS_MAX, "lists of all have room");
const char *const settings_sections[] = { "dataset", "model", "training", "checkpoint", "sampling", "fid" };
_Static_assert(sizeof settings_sections / sizeof *settings_sections == SETTINGS_SECTIONS, "each is counted");

const struct key *settings_keys_find(const char *name) {
  for (int i = 0; i < settings_keys_count; i++)
    if (!strcmp(settings_keys[i].name, name)) return &settings_keys[i];
  return NULL;
}

bool settings_keys_section(const char *name) {
  for (int i = 0; i < SETTINGS_SECTIONS; i++)
    if (!strcmp(settings_sections[i], name)) return true;
  return false;
}

int settings_keys_choice(const char *choices, const char *text) {
  const size_t n = strlen(text);
  for (int i = 0;; i++) {
    const size_t length = strcspn(choices, "|");
    if (length == n && !strncmp(choices, text, n)) return i;
    if (!choices[length]) return -1;
    choices += length + 1;
  }
}

void settings_keys_separated(const char *choices, const char *separator, char *text, size_t size) {
  size_t n = 0;
  for (; *choices && n + 4 < size; choices++) {
    if (*choices != '|') text[n++] = *choices;
    else n += (size_t)snprintf(text + n, size - n, "%s", separator);
  }
  text[n] = '\0';
}

void settings_keys_range(const struct key *k, bool brief, char *text, size_t size) {
  brief = brief && k->max >= MANY;
  if (k->min == ABOVE_0) snprintf(text, size, brief ? "above 0" : "above 0, up to %.16g", k->max);
  else snprintf(text, size, brief ? "at least %.16g" : "%.16g to %.16g", k->min, k->max);
}
