/* Settings files of the authors' code load as they are: they give the same settings as our presets, what means nothing here is
 * named once, and a key that is misspelt, of the wrong type or said twice in two ways is still refused. */
#include <fcntl.h>
#include <unistd.h>

#include "io/authors.h"
#include "io/settings.h"
#include "src/base/status.h"
#include "tests/harness.h"

enum { WORDS = 8, SIZE = 4096 };

static int load(struct settings *s, const char *file, const char *more) {
  char line[SIZE], *argv[WORDS];
  int argc = 0;
  snprintf(line, sizeof line, "%s%s%s %s", file ? "config=" TEST_DATA "/" : "", file ? file : "", file ? ".yml" : "", more);
  for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
  return settings_load(s, argc, argv, NULL, 0, NULL, 0);
}

/* What settings_tell_unused says on standard error. */
static void told(char text[static SIZE]) {
  int both[2];
  ck_assert_int_eq(pipe(both), 0);
  fflush(stderr);
  const int kept = dup(STDERR_FILENO);
  dup2(both[1], STDERR_FILENO);
  settings_tell_unused();
  fflush(stderr);
  dup2(kept, STDERR_FILENO);
  close(kept);
  close(both[1]);
  const ssize_t n = read(both[0], text, SIZE - 1);
  text[n > 0 ? n : 0] = 0;
  close(both[0]);
}

static void expect_same(const struct settings *a, const struct settings *b) {
  char *x = settings_text(a), *y = settings_text(b);
  ck_assert_str_eq(x, y);
  ck_assert_int_eq(memcmp(a, b, sizeof *a), 0);
  free(x);
  free(y);
}

/* What theirs asks for and the presets do not. */
#define WITHOUT "model.lpips=false model.convnext=false fid.cache_ref= data=x.h5"

START_TEST(their_files_give_the_settings_of_the_presets) {
  struct settings theirs, ours;
  ck_assert_msg(!load(&theirs, "authors_B_16", WITHOUT), "%s", status_reason());
  ck_assert_msg(!settings_check(&theirs), "%s", status_reason());
  ck_assert_int_eq(load(&ours, NULL, "preset=pMF_B_16 data=x.h5"), STATUS_OK);
  expect_same(&theirs, &ours);
  /* Theirs name no average to sample: they score all of them. */
  ck_assert_msg(!load(&theirs, "authors_H_16", WITHOUT " sampling.ema=ema1000"), "%s", status_reason());
  ck_assert_int_eq(load(&ours, NULL, "preset=pMF_H_16 data=x.h5"), STATUS_OK);
  expect_same(&theirs, &ours);
} END_TEST

START_TEST(they_say_what_they_say) {
  struct settings s;
  ck_assert_msg(!load(&s, "authors_B_16", ""), "%s", status_reason());
  ck_assert(s.model.lpips && s.model.convnext);
  ck_assert_str_eq(s.dataset.root, "DATA_ROOT");
  ck_assert_int_eq(s.dataset.image_size, 256);   /* the other part of `dataset` */
  ck_assert_str_eq(s.fid.cache_ref, "FID_CACHE_REF");
  ck_assert_msg(!settings_check(&s), "%s", status_reason());   /* as it is */
  ck_assert_msg(!load(&s, "authors_eval", ""), "%s", status_reason());
  ck_assert_str_eq(s.model.model_str, "pmfDiT_L_32");
  ck_assert_int_eq(s.model.depth, 32);
  ck_assert_int_eq(s.model.hidden_size, 1024);
} END_TEST

START_TEST(what_means_nothing_here_is_told_once) {
  struct settings s;
  char text[SIZE];
  ck_assert_int_eq(load(&s, "authors_B_16", ""), STATUS_OK);
  told(text);
  ck_assert_str_eq(text, "warning: of no use here and left out: training.sample_per_epoch, training.fid_per_epoch, "
                         "fid.device_batch_size, logging.use_wandb, logging.wandb_project, logging.wandb_entity, "
                         "logging.wandb_tags, logging.wandb_notes\n");
  ck_assert_int_eq(load(&s, "authors_eval", ""), STATUS_OK);
  told(text);
  ck_assert_str_eq(text, "warning: of no use here and left out: fid.device_batch_size, sampling.interval, sampling.omegas, "
                         "sampling.emas, logging.use_wandb, eval_only\n");
  ck_assert_int_eq(load(&s, NULL, "preset=pMF_B_16"), STATUS_OK);
  told(text);
  ck_assert_str_eq(text, "");
} END_TEST

START_TEST(wrong_ones_are_refused) {
  static const char *const bad[][2] = {
    { "logging:\n  use_wandbb: True\n", "x:2: unknown key logging.use_wandbb; did you mean logging.use_wandb?" },
    { "loging:\n  use_wandb: True\n", "x:1: unknown key loging; did you mean logging?" },
    { "training:\n  log_per_stp: 100\n", "x:2: unknown key training.log_per_stp; did you mean training.log_per_step?" },
    { "training:\n  fid_per_epochs: 1\n", "did you mean training.fid_per_epoch?" },
    { "model:\n  convnext_max_tt: 1\n", "did you mean model.convnext_max_t?" },
    { "model:\n  lpips: 2\n", "x:2: model.lpips: expected true or false; found 2" },
    { "model:\n  lpips: tRUE\n", "x:2: model.lpips: expected true or false; found tRUE" },
    { "model:\n  convnext_max_t: high\n", "x:2: model.perceptual_max_t: expected a number, 0 to 1; found high" },
    { "model:\n  convnext_max_t: 0.6\n  perceptual_max_t: 0.8\n", "x:3: model.perceptual_max_t: 0.8, and in line 2 "
      "model.convnext_max_t: 0.6: the same setting under two names" },
    { "model:\n  num_classes: 10\ndataset:\n  num_classes: 1000\n", "x:4: dataset.num_classes: 1000, and in line 2 model" },
    { "model:\n  model_str: MiT_B_8\n", "x:2: model.model_str: expected nothing or one of pmfDiT_B_16," },
    { "dataset:\n  root: a\ndataset:\n  root: b\n", "x:4: dataset.root is given twice (first in line 2)" },
    { "dataset: 1\ndataset:\n  root: b\n", "x:2: dataset is given twice (first in line 1)" },
    { "training:\n  batch_size: [[1]]\n", "x:2: a list holds plain values only" },
    { "sampling:\n  interval: [{a: 1}]\n", "x:2: a list holds plain values only" },
    { "load_from: gs://somewhere/checkpoint_1\n",
      "x:1: load_from: expected nothing; found gs://somewhere/checkpoint_1: pmf import makes" },
    { "training:\n  half_precision: True\n", "training.precision=bf16" },
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct settings s;
    settings_default(&s);
    ck_assert_msg(settings_parse(&s, bad[i][0], strlen(bad[i][0]), "x") == STATUS_BAD, "accepted: %s", bad[i][0]);
    ck_assert_msg(strstr(status_reason(), bad[i][1]) != NULL, "%s\n  expected: %s\n  got:      %s", bad[i][0], bad[i][1],
                  status_reason());
  }
} END_TEST

START_TEST(harmless_ones_are_taken) {
  static const char *const good[] = {
    "model:\n  num_classes: 10\ndataset:\n  num_classes: 10\n", "load_from:\n", "load_from: ''\n",
    "logging:\n", "eval_only: True\n",
    "training:\n  half_precision: False\n", "training:\n  lr_schedule: warmup_const\n",
    "dataset:\n  num_workers: 4\n  cache: False\n",
    "sampling:\n  interval: [[0.1, 0.7], [0.2, 0.6]]\n", "sampling:\n  interval: []\n",
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    struct settings s;
    settings_default(&s);
    ck_assert_msg(!settings_parse(&s, good[i], strlen(good[i]), "x"), "%s\n%s", good[i], status_reason());
  }
} END_TEST

/* A key of theirs must not hide one of ours. */
START_TEST(no_key_is_in_two_lists) {
  struct settings s;
  const char *name;
  settings_default(&s);
  for (size_t i = 0; (name = authors_name(i)); i++) {
    const int status = settings_set(&s, name, "", "x");
    ck_assert_msg(status == STATUS_BAD && strstr(status_reason(), "unknown key"), "%s is ours too", name);
    ck_assert_msg(authors_only(name) == !strcmp(authors_key(name), name), "%s is in both lists", name);
  }
} END_TEST

int main(void) {
  char folder[SIZE];
  const char *source = getenv("PMF_SOURCE");
  if (source && !getenv("PMF_PRESETS")) {
    snprintf(folder, sizeof folder, "%s/jobs/presets", source);
    setenv("PMF_PRESETS", folder, 1);
  }
  return run_tests("authors", (const TTest *[]){ their_files_give_the_settings_of_the_presets, they_say_what_they_say,
    what_means_nothing_here_is_told_once, wrong_ones_are_refused, harmless_ones_are_taken, no_key_is_in_two_lists, NULL });
}
