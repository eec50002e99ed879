/* settings.h - every setting of a run: one struct, one table of keys (io/settings_keys.c) that drives
 * defaults, parsing of YAML and key=value words, range checks, help and the stored copy.
 * Keys carry the authors' names where they have one: section.key is s->section.key here.
 * A file may be one of the authors' own (io/authors.h): their other names are taken, and what means nothing here is kept for
 * settings_tell_unused.
 * Errors: STATUS_BAD with one line: where (file:line or the word), the key, what was expected; an unknown key
 * gets "did you mean". */
#ifndef IO_SETTINGS_H
#define IO_SETTINGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXT_MAX = 1024, EMA_MAX = 8 };
enum { PREDICTION_X, PREDICTION_U };
enum { V_HEAD_NONE, V_HEAD_FRESH };
enum { TIMES_TRIANGLE, TIMES_EQUAL, TIMES_ZERO, TIMES_BOTH };
enum { OPTIMIZER_MUON, OPTIMIZER_ADAMW };
enum { SCHEDULE_CONST, SCHEDULE_COSINE };
enum { EMA_EDM, EMA_CONST };
enum { JUDGE_AUTO, JUDGE_ALL, JUDGE_HALF };
enum { REDUCE_PLAIN, REDUCE_OVERLAP, REDUCE_TWOLEVEL };
enum { SHARD_AUTO, SHARD_ON, SHARD_OFF };
enum { PRECISION_F32, PRECISION_BF16, PRECISION_AUTO };

struct list { double value[EMA_MAX]; int count; };

struct settings {
  struct { char root[TEXT_MAX]; long image_size, image_channels, num_classes; bool use_flip; double bad_fraction; } dataset;
  struct {
    char model_str[TEXT_MAX];
    long patch_size, depth, hidden_size, num_heads, aux_head_depth;
    long num_class_tokens, num_time_tokens, num_cfg_tokens, num_interval_tokens;
    double P_mean, P_std, noise_scale;
    bool tr_uniform;
    double data_proportion, cfg_beta, cfg_max, class_dropout_prob, norm_p, norm_eps;
    bool lpips, convnext;
    double lpips_lambda, convnext_lambda, perceptual_max_t;
    char lpips_weights[TEXT_MAX], convnext_weights[TEXT_MAX];   /* files of pmf import; "": a classifier serves */
    int prediction, times, init_v_head;
  } model;
  struct {
    long batch_size;           /* all ranks together */
    double num_epochs;
    long steps;                /* wins over num_epochs when > 0 */
    long micro_batch;          /* images a rank carries through the net at once; 0: chosen */
    double learning_rate, warmup_epochs, lr_min_factor, adam_b2, weight_decay;
    int lr_schedule, ema_type, optimizer;
    struct list ema_val;       /* edm: half-lives in thousand images; const: decays */
    long seed, log_per_step;
    int precision, recompute, reduce;
    double bucket_mib;         /* MiB of the gradient that travel together */
    int shard, reproducible;
    double max_time;           /* minutes; 0: none */
    long max_saves;            /* of a start; 0: any number */
    double spike, du_dt_alarm; /* times the running median; 0: not looked at */
    long max_skips, max_rollbacks, check_every;
    double rollback_lr_factor;
    double watchdog;           /* seconds; 0: none */
    int tensorboard;
  } training;
  struct { long every_steps; double every_epochs, every_minutes; long keep; int async, io; long archive_every; } checkpoint;
  struct {
    long num_steps;
    double omega, omega_several, t_min, t_max;
    char ema[64];              /* raw, ema500, ... */
    long grid_every_steps;     /* 0: no grids */
  } sampling;
  struct {
    long num_samples;          /* of pmf score; and the most held-out images that a score during training is against */
    char cache_ref[TEXT_MAX];
    long every_steps, online_samples;   /* scores during training */
    double time_share;
    int judge;                 /* JUDGE_...: jobs/judge.h */
  } fid;
};

/* A word of the command line that belongs to one job (out=, run=, n= ...), filled in by settings_load. */
enum word_type { WORD_TEXT, WORD_INTEGER, WORD_REAL };
struct word {
  const char *name;
  enum word_type type;
  void *value;               /* char[TEXT_MAX], long or double: the caller's, holds the default on entry */
  double min, max;           /* of numbers */
  bool given;                /* out: the user wrote it */
  const char *help;          /* one line for --help */
};

/* Fills s: defaults, then preset=NAME or config=FILE.yml, then the key=value words in their order. `preset=`, `config=`
 * and `data=` (dataset.root) are known everywhere; the job's own words are filled in too. A bare word is an error,
 * but for the first `bare_max` of them, which go to bare[] (pointers into argv).
 * argv: what follows the subcommand. A word of the job that is named "--name" is a flag. Within a source model_str comes
 * first, so that sizes given beside it win. What does not fit together is left to settings_check.
 * Ranks: local; agree on the outcome, as files may differ from node to node. */
int settings_load(struct settings *s, int argc, char **argv, struct word *words, size_t n_words,
                  char **bare, int bare_max);
/* STATUS_BAD unless the last settings_load was given the name or a size of the net, by a preset, a file or a word: none is trained
 * by default. */
int settings_name_a_net(void);
/* Settings that are each right but do not fit together (patch against image, heads against width, ...). */
int settings_check(const struct settings *s);
/* One warning on standard error that names the keys of the authors' which the last settings_load found and left out; nothing if
 * there were none. For the first rank, once the settings are known to be right. */
void settings_tell_unused(void);
/* Overlays YAML text; `where` names it in errors. Used for presets, configs and the copy in a checkpoint. */
int settings_parse(struct settings *s, const char *text, size_t length, const char *where);
/* The defaults. */
void settings_default(struct settings *s);
/* All settings as YAML that settings_parse reads back to the same values: malloc'ed, the caller's; NULL without memory. */
char *settings_text(const struct settings *s);
/* Overlays key=value (where: how errors name it). */
int settings_set(struct settings *s, const char *key, const char *value, const char *where);
/* Prints the keys of a section (NULL: all) with type, range, default and meaning, for --help. */
void settings_help(const char *section);
#endif
