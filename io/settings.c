#include "io/settings.h"

#include <assert.h>
#include <ctype.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/authors.h"
#include "io/presets.h"
#include "io/words.h"
#include "io/yaml.h"
#include "src/base/status.h"

enum type { INTEGER, REAL, TRUTH, CHOICE, TEXT, REALS };
enum { WORDS_MAX = 32 };
#define ABOVE_0 DBL_MIN   /* the least of numbers that must not be 0 */
#define MANY    1e9       /* an upper limit from here on is not worth a word in the help */

struct key {
  const char *name;
  enum type type;
  size_t offset, size;       /* in struct settings */
  double min, max;           /* of numbers; of each number of a list */
  const char *choices;       /* a|b|c: a CHOICE is the index; of a TEXT, what it may be if it is not empty */
  const char *preset;        /* the default */
  const char *unit, *help;
};
#define KEY(type, field) #field, type, offsetof(struct settings, field), sizeof(((struct settings *)0)->field)
#define NETS "pmfDiT_B_16|pmfDiT_B_32|pmfDiT_L_16|pmfDiT_L_32|pmfDiT_H_16|pmfDiT_H_32"

/* In the order of settings_text and of the help; the keys of a section stand together, model_str before the sizes. */
static const struct key keys[] = {
  { KEY(TEXT, dataset.root),                   0, 0, NULL, "", "", "the packed HDF5 file; data=FILE sets it" },
  { KEY(INTEGER, dataset.image_size),          1, 65536, NULL, "256", "pixels", "height and width" },
  { KEY(INTEGER, dataset.image_channels),      1, 4, NULL, "3", "", "1 grey, 3 colour" },
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
  { KEY(CHOICE, training.reproducible),        0, 0, "off|on", "off", "", "same bits on any number of ranks" },
  { KEY(REAL, training.max_time),              0, 1e9, NULL, "0", "minutes", "save and end then; 0: no limit" },
  { KEY(REAL, training.spike),                 0, 1e9, NULL, "30", "times",
    "the running median of loss or gradient: a step above is skipped; 0: none" },
  { KEY(INTEGER, training.max_skips),          0, 1e9, NULL, "5", "steps",
    "skipped in a row: back to the last checkpoint, over these data; 0: never" },
  { KEY(INTEGER, training.max_rollbacks),      0, 1e6, NULL, "3", "times", "back, at most; then the run ends with 70" },
  { KEY(REAL, training.du_dt_alarm),           0, 1e9, NULL, "5", "times",
    "its running median: a warning that du/dt grows; 0: none" },
  { KEY(INTEGER, training.check_every),        0, 1e9, NULL, "100", "steps",
    "between comparisons of the ranks' weights; 0: at saves alone" },
  { KEY(REAL, training.watchdog),              0, 1e6, NULL, "600", "seconds",
    "(10 steps, if longer) without a move end the run; 0: no watchdog" },
  { KEY(CHOICE, training.tensorboard),         0, 0, "off|on", "off", "",
    "metrics, grids and settings for TensorBoard too, in RUN/tensorboard" },

  { KEY(INTEGER, checkpoint.every_steps),      0, 1e12, NULL, "0", "steps", "0: not by steps" },
  { KEY(REAL, checkpoint.every_epochs),        0, 1e6, NULL, "0", "epochs", "0: not by epochs; every_steps wins" },
  { KEY(REAL, checkpoint.every_minutes),       0, 1e9, NULL, "15", "minutes", "0: not by time" },
  { KEY(INTEGER, checkpoint.keep),             1, 1000, NULL, "2", "files", "older ones are removed" },
  { KEY(CHOICE, checkpoint.async),             0, 0, "off|on", "off", "",
    "write while training goes on, from a copy of the state: more memory, shorter stops" },
  { KEY(INTEGER, checkpoint.archive_every),    0, 1e12, NULL, "0", "steps",
    "the first checkpoint of each so many is kept for good in RUN/archive; 0: none" },
  { KEY(CHOICE, checkpoint.io),                0, 0, "auto|ompio|romio|rank0", "auto", "",
    "who writes: all ranks by MPI-IO (auto: ompio, in its safe form) or rank 0 alone" },

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
enum { KEYS = sizeof keys / sizeof *keys };
static const char *const sections[] = { "dataset", "model", "training", "checkpoint", "sampling", "fid" };
enum { SECTIONS = sizeof sections / sizeof *sections };

/* The authors' nets; all have aux_head_depth 8 and prefix tokens 8, 4, 4, 2. */
static const struct net { const char *name; long patch, depth, hidden, heads; } nets[] = {
  { "pmfDiT_B_16", 16, 16, 768, 12 },  { "pmfDiT_B_32", 32, 16, 768, 12 },  { "pmfDiT_L_16", 16, 32, 1024, 16 },
  { "pmfDiT_L_32", 32, 32, 1024, 16 }, { "pmfDiT_H_16", 16, 48, 1280, 16 }, { "pmfDiT_H_32", 32, 48, 1280, 16 },
};
enum { NETS_COUNT = sizeof nets / sizeof *nets, NET_SIZES = 9 };

/* The keys of files that mean nothing here, named by settings_tell_unused. */
static struct { char names[1024]; int left_out; } unused;

static const struct key *find(const char *name) {
  for (int i = 0; i < KEYS; i++)
    if (!strcmp(keys[i].name, name)) return &keys[i];
  return NULL;
}

static bool is_section(const char *name) {
  for (int i = 0; i < SECTIONS; i++)
    if (!strcmp(sections[i], name)) return true;
  return false;
}

/* The place of `text` in "a|b|c", -1 if it has none. */
static int choice(const char *choices, const char *text) {
  const size_t n = strlen(text);
  for (int i = 0;; i++) {
    const size_t length = strcspn(choices, "|");
    if (length == n && !strncmp(choices, text, n)) return i;
    if (!choices[length]) return -1;
    choices += length + 1;
  }
}

/* UTF-8 without control characters: what YAML can hold, and a terminal can show. */
static bool is_text(const char *text) {
  int more = 0;   /* bytes that continue a character */
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    if (more) {
      if (*c >> 6 != 2) return false;
      more--;
    } else if (*c >= 0x80) {
      more = *c >> 5 == 6 ? 1 : *c >> 4 == 14 ? 2 : *c >> 3 == 30 ? 3 : -1;
      if (more < 0) return false;
    } else if (iscntrl(*c)) {
      return false;
    }
  }
  return !more;
}

/* In small letters, or as YAML also has them: False, FALSE. */
static bool set_truth(const char *text, bool *value) {
  const int i = choice("false|no|off|False|No|Off|FALSE|NO|OFF|true|yes|on|True|Yes|On|TRUE|YES|ON", text);
  if (i >= 0) *value = i >= 9;
  return i >= 0;
}

static bool set_reals(const struct key *k, const char *text, struct list *value) {
  struct list l = { .count = 0 };
  for (bool more = strspn(text, " ") < strlen(text); more;) {
    char number[64];
    text += strspn(text, " ");
    const size_t length = strcspn(text, ",");
    size_t n = length;
    while (n && text[n - 1] == ' ') n--;
    if (l.count == EMA_MAX || n >= sizeof number) return false;
    memcpy(number, text, n);
    number[n] = '\0';
    double *v = &l.value[l.count++];
    if (!words_real(number, v) || *v < k->min || *v > k->max) return false;
    more = text[length] == ',';
    text += length + more;
  }
  *value = l;
  return true;
}

/* The value that text stands for goes to its place in s. False: it is none of this key. */
static bool set(struct settings *s, const struct key *k, const char *text) {
  void *place = (char *)s + k->offset;
  long integer;
  double number;
  switch (k->type) {
    case INTEGER:
      if (!words_integer(text, &integer) || (double)integer < k->min || (double)integer > k->max) return false;
      *(long *)place = integer;
      return true;
    case REAL:
      if (!words_real(text, &number) || number < k->min || number > k->max) return false;
      *(double *)place = number;
      return true;
    case TRUTH: return set_truth(text, place);
    case CHOICE:
      if (choice(k->choices, text) < 0) return false;
      *(int *)place = choice(k->choices, text);
      return true;
    case TEXT:
      if (strlen(text) >= k->size || !is_text(text)) return false;
      if (k->choices && *text && choice(k->choices, text) < 0) return false;
      memset(place, 0, k->size);   /* equal settings have equal bytes */
      strcpy(place, text);
      return true;
    default: return set_reals(k, text, place);
  }
}

/* The sizes that model_str names, and their places. */
static bool named_sizes(struct settings *s, long sizes[NET_SIZES], long *places[NET_SIZES]) {
  long *const at[NET_SIZES] = { &s->model.patch_size, &s->model.depth, &s->model.hidden_size, &s->model.num_heads,
                                &s->model.aux_head_depth, &s->model.num_class_tokens, &s->model.num_time_tokens,
                                &s->model.num_cfg_tokens, &s->model.num_interval_tokens };
  for (int i = 0; i < NETS_COUNT; i++) {
    if (strcmp(nets[i].name, s->model.model_str)) continue;
    const long named[NET_SIZES] = { nets[i].patch, nets[i].depth, nets[i].hidden, nets[i].heads, 8, 8, 4, 4, 2 };
    memcpy(sizes, named, sizeof named);
    memcpy(places, at, sizeof at);
    return true;
  }
  return false;
}

/* After a key of the net was set: a name brings its sizes; a size that differs takes the name away. */
static void keep_name_true(struct settings *s, const struct key *k) {
  long sizes[NET_SIZES], *places[NET_SIZES];
  if (strncmp(k->name, "model.", 6) || !named_sizes(s, sizes, places)) return;
  const bool named = !strcmp(k->name, "model.model_str");
  for (int i = 0; i < NET_SIZES; i++) {
    if (named) *places[i] = sizes[i];
    else if (*places[i] != sizes[i]) memset(s->model.model_str, 0, sizeof s->model.model_str);
  }
}

/* "a|b|c" with another separator. */
static void separated(const char *choices, const char *separator, char *text, size_t size) {
  size_t n = 0;
  for (; *choices && n + 4 < size; choices++) {
    if (*choices != '|') text[n++] = *choices;
    else n += (size_t)snprintf(text + n, size - n, "%s", separator);
  }
  text[n] = '\0';
}

/* "1 to 100", "above 0, up to 1" and, if `brief`, "at least 1", "above 0": what a number may be. */
static void range(const struct key *k, bool brief, char *text, size_t size) {
  brief = brief && k->max >= MANY;
  if (k->min == ABOVE_0) snprintf(text, size, brief ? "above 0" : "above 0, up to %.16g", k->max);
  else snprintf(text, size, brief ? "at least %.16g" : "%.16g to %.16g", k->min, k->max);
}

static void expected(const struct key *k, char *text, size_t size) {
  char part[192] = "";
  if (k->choices) separated(k->choices, ", ", part, sizeof part);
  else if (k->type == INTEGER || k->type == REAL || k->type == REALS) range(k, false, part, sizeof part);
  switch (k->type) {
    case INTEGER: snprintf(text, size, "an integer, %s", part); return;
    case REAL:    snprintf(text, size, "a number, %s", part); return;
    case REALS:   snprintf(text, size, "up to %d numbers with commas between, each %s", EMA_MAX, part); return;
    case TRUTH:   snprintf(text, size, "true or false"); return;
    case CHOICE:  snprintf(text, size, "one of %s", part); return;
    case TEXT:
      if (k->choices) snprintf(text, size, "nothing or one of %s", part);
      else snprintf(text, size, "UTF-8 text of at most %zu bytes without control characters", k->size - 1);
  }
}

/* "the value of this key is wrong": `found` says what stands there. */
static int wrong(const struct key *k, const char *where, const char *found) {
  char text[320];
  expected(k, text, sizeof text);
  if (where) return because(STATUS_BAD, "%s: %s: expected %s; found %.100s", where, k->name, text, found);
  return because(STATUS_BAD, "%s=%.100s: expected %s", k->name, found, text);
}

static int unknown(const char *name, const char *where) {
  enum { AUTHORS_MAX = 64 };
  const char *names[SECTIONS + KEYS + AUTHORS_MAX], *theirs;
  size_t count = SECTIONS;
  memcpy(names, sections, sizeof sections);
  for (int i = 0; i < KEYS; i++) names[count++] = keys[i].name;
  for (size_t i = 0; i < AUTHORS_MAX && (theirs = authors_name(i)); i++) names[count++] = theirs;
  const char *nearest = words_nearest(name, names, count);
  const char *a = where ? where : "", *b = where ? ": " : "";
  if (nearest) return because(STATUS_BAD, "%s%sunknown key %s; did you mean %s?", a, b, name, nearest);
  return because(STATUS_BAD, "%s%sunknown key %s; the sections are dataset, model, training, checkpoint, sampling, fid",
                 a, b, name);
}

int settings_set(struct settings *s, const char *key, const char *value, const char *where) {
  const struct key *k = find(key);
  if (!k) return unknown(key, where);
  if (!set(s, k, authors_value(key, value))) return wrong(k, where, value);
  keep_name_true(s, k);
  return STATUS_OK;
}

void settings_default(struct settings *s) {
  memset(s, 0, sizeof *s);
  for (int i = 0; i < KEYS; i++) {
    const bool right = set(s, &keys[i], keys[i].preset);
    assert(right);
    (void)right;
  }
}

static int leave_unused(const struct yaml_entry *e, const char *where) {
  const size_t n = strlen(unused.names);
  if (!*e->value) return STATUS_OK;   /* a section, whose keys will be named, or nothing said */
  if (n + strlen(e->key) + 3 > sizeof unused.names) unused.left_out++;
  else snprintf(unused.names + n, sizeof unused.names - n, "%s%s", n ? ", " : "", e->key);
  return authors_check(e->key, e->value, where);
}

static int overlay(struct settings *s, const struct yaml_entry *e, const char *where) {
  const struct key *k = find(authors_key(e->key));
  if (!k) {
    if (authors_only(e->key)) return leave_unused(e, where);
    if (!is_section(e->key)) return unknown(e->key, where);
    if (e->kind == YAML_SECTION || e->kind == YAML_EMPTY) return STATUS_OK;
    return because(STATUS_BAD, "%s: %s is a section: expected keys below it; found a value", where, e->key);
  }
  if (e->kind == YAML_SECTION) return wrong(k, where, "a section");
  if (e->kind == YAML_NESTED) return because(STATUS_BAD, "%s: a list holds plain values only", where);
  if (e->kind == YAML_LIST && k->type != REALS) return wrong(k, where, "a list");
  if (e->kind == YAML_EMPTY && k->type != TEXT) return wrong(k, where, "nothing");
  return settings_set(s, k->name, e->value, where);
}

/* Two names of one key must not disagree. */
static int one_name_each(const struct yaml_entries *y, const char *where) {
  for (size_t i = 0; i < y->count; i++)
    for (size_t j = 0; j < i; j++) {
      const struct yaml_entry *a = &y->entries[j], *b = &y->entries[i];
      if (!strcmp(authors_key(a->key), authors_key(b->key)) && strcmp(a->value, b->value))
        return because(STATUS_BAD, "%s:%d: %s: %.100s, and in line %d %s: %.100s: the same setting under two names", where,
                       b->line, b->key, b->value, a->line, a->key, a->value);
    }
  return STATUS_OK;
}

/* *count: the entries that stand there. */
static int overlay_text(struct settings *s, const char *text, size_t length, const char *where, size_t *count) {
  struct yaml_entries y;
  int status = yaml_entries_read(&y, text, length, where);
  if (!status) status = one_name_each(&y, where);
  *count = y.count;
  /* The name of a net first: sizes given beside it win, wherever they stand. */
  for (int rest = 0; rest < 2; rest++)
    for (size_t i = 0; i < y.count && !status; i++) {
      char place[TEXT_MAX + 32];
      snprintf(place, sizeof place, "%.*s:%d", TEXT_MAX, where, y.entries[i].line);
      if (rest == !!strcmp(y.entries[i].key, "model.model_str")) status = overlay(s, &y.entries[i], place);
    }
  yaml_entries_free(&y);
  return status;
}

int settings_parse(struct settings *s, const char *text, size_t length, const char *where) {
  size_t count;
  return overlay_text(s, text, length, where, &count);
}

/* In the fewest digits that read back to the same bits. */
static void real_text(double value, char *text, size_t size) {
  for (int digits = 6; digits <= 17; digits++) {
    snprintf(text, size, "%.*g", digits, value);
    if (strtod(text, NULL) == value) return;
  }
}

static void print_value(FILE *out, const struct settings *s, const struct key *k) {
  const void *place = (const char *)s + k->offset;
  const struct list *l = place;
  char text[64];
  switch (k->type) {
    case INTEGER: fprintf(out, "%ld", *(const long *)place); return;
    case TRUTH:   fputs(*(const bool *)place ? "true" : "false", out); return;
    case REAL:
      real_text(*(const double *)place, text, sizeof text);
      fputs(text, out);
      return;
    case CHOICE: {
      const char *c = k->choices;
      for (int i = *(const int *)place; i > 0; i--) c += strcspn(c, "|") + 1;
      fprintf(out, "%.*s", (int)strcspn(c, "|"), c);
      return;
    }
    case REALS:
      for (int i = 0; i < l->count; i++) {
        real_text(l->value[i], text, sizeof text);
        fprintf(out, "%s%s", i ? ", " : "[", text);
      }
      fputs(l->count ? "]" : "[]", out);
      return;
    case TEXT:
      fputc('"', out);
      for (const char *c = place; *c; c++) fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
      fputc('"', out);
  }
}

/* The length of the section's name in "section.key". */
static size_t section_length(const struct key *k) { return strcspn(k->name, "."); }

static bool same_section(const struct key *a, const struct key *b) {
  return !strncmp(a->name, b->name, section_length(a) + 1);
}

char *settings_text(const struct settings *s) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (!out) return NULL;
  for (int i = 0; i < KEYS; i++) {
    const int n = (int)section_length(&keys[i]);
    if (!i || !same_section(&keys[i - 1], &keys[i])) fprintf(out, "%.*s:\n", n, keys[i].name);
    fprintf(out, "  %s: ", keys[i].name + n + 1);
    print_value(out, s, &keys[i]);
    fputc('\n', out);
  }
  const bool failed = ferror(out) != 0;
  if (!fclose(out) && !failed) return text;
  free(text);
  return NULL;
}

void settings_tell_unused(void) {
  if (!*unused.names) return;
  fprintf(stderr, "warning: of no use here and left out: %s", unused.names);
  if (unused.left_out) fprintf(stderr, " and %d more", unused.left_out);
  fputc('\n', stderr);
}

static void help_line(const struct key *k) {
  enum { KIND = 29, PRESET = 56, MEANING = 73 };   /* where the columns begin */
  char kind[192], meaning[256], part[128] = "";
  if (k->type == TEXT) {
    snprintf(kind, sizeof kind, "text");
    if (k->choices) separated(k->choices, ", ", part, sizeof part);
  } else if (k->type == TRUTH || k->type == CHOICE) {
    snprintf(kind, sizeof kind, "%s", k->type == TRUTH ? "true|false" : k->choices);
  } else {
    char limits[64];
    range(k, true, limits, sizeof limits);
    snprintf(kind, sizeof kind, "%s %s", k->type == INTEGER ? "integer" : k->type == REAL ? "real" : "reals", limits);
  }
  snprintf(meaning, sizeof meaning, "%s%s%s%s%s%s", k->help, *part ? ": " : "", part, *k->unit ? " [" : "", k->unit,
           *k->unit ? "]" : "");
  printf("  %-*s %-*s %-*s ", KIND - 3, k->name, PRESET - KIND - 1, kind, MEANING - PRESET - 1,
         *k->preset ? k->preset : "-");
  words_wrap(meaning, MEANING);
}

void settings_help(const char *section) {
  const struct key *last = NULL;
  for (int i = 0; i < KEYS; i++) {
    const struct key *k = &keys[i];
    const int n = (int)section_length(k);
    if (section && (strlen(section) != (size_t)n || strncmp(section, k->name, (size_t)n))) continue;
    if (!last || !same_section(last, k)) printf("%s%.*s\n", last ? "\n" : "", n, k->name);
    help_line(k);
    last = k;
  }
}

/* named: as the user did. */
static int load_file(struct settings *s, const char *path, const char *named) {
  char *text;
  size_t length, count;
  int status = preset_read(path, &text, &length);
  if (status) return status;
  status = overlay_text(s, text, length, path, &count);
  free(text);
  return status || count ? status : because(STATUS_BAD, "%s: empty", named);
}

static int load_preset(struct settings *s, const char *name) {
  char path[2 * TEXT_MAX];
  const int status = preset_find(name, path, sizeof path);
  return status ? status : load_file(s, path, path);
}

/* The words found[n]; as in a file, the name of a net comes first. */
static int load_words(struct settings *s, int n, char **found) {
  int status = STATUS_OK;
  for (int rest = 0; rest < 2; rest++)
    for (int i = 0; i < n && !status; i++) {
      char name[64];
      const size_t length = strcspn(found[i], "=");
      snprintf(name, sizeof name, "%.*s", (int)length, found[i]);
      if (rest == !!strcmp(name, "model.model_str")) status = settings_set(s, name, found[i] + length + 1, NULL);
    }
  return status;
}

int settings_load(struct settings *s, int argc, char **argv, struct word *words, size_t n_words,
                  char **bare, int bare_max) {
  char preset[TEXT_MAX] = "", config[TEXT_MAX] = "", data[TEXT_MAX] = "", named[TEXT_MAX + 8];
  const struct word ours[] = {
    { .name = "preset", .value = preset }, { .name = "config", .value = config }, { .name = "data", .value = data },
  };
  enum { OURS = sizeof ours / sizeof *ours };
  struct word all[WORDS_MAX];
  const char *names[KEYS];
  assert(n_words + OURS <= WORDS_MAX);
  if (n_words) memcpy(all, words, n_words * sizeof *words);
  memcpy(all + n_words, ours, sizeof ours);   /* WORD_TEXT is 0 */
  for (int i = 0; i < KEYS; i++) names[i] = keys[i].name;
  struct others others = { .names = names, .count = KEYS, .found = malloc(((size_t)argc + 1) * sizeof *argv) };
  if (!others.found) return because(STATUS_NOMEM, "no memory for the words");

  settings_default(s);
  unused.names[0] = '\0', unused.left_out = 0;
  int status = words_match(argc, argv, all, n_words + OURS, bare, bare_max, &others);
  if (n_words) memcpy(words, all, n_words * sizeof *words);
  if (!status && *preset && *config)
    status = because(STATUS_BAD, "preset=%s and config=%s: expected one of them", preset, config);
  if (!status && *preset) status = load_preset(s, preset);
  snprintf(named, sizeof named, "config=%s", config);
  if (!status && *config) status = load_file(s, config, named);
  if (!status && *data) status = settings_set(s, "dataset.root", data, NULL);
  if (!status) status = load_words(s, others.n_found, others.found);
  if (!status && *data && strcmp(data, s->dataset.root))
    status = because(STATUS_BAD, "data=%s and dataset.root=%s: expected one of them", data, s->dataset.root);
  free(others.found);
  return status;
}
