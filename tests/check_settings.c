/* Settings: every preset is complete, fits together and survives being written and read; whatever is wrong is one line
 * that says where, which key, and what was expected; and words follow the same rules. */
#include "io/settings.h"
#include "io/words.h"
#include "jobs/setup.h"
#include "src/base/status.h"
#include "tests/harness.h"

static const char *const presets[] = { "fashion", "shapes64", "pMF_B_16", "pMF_B_32", "pMF_L_16", "pMF_L_32", "pMF_H_16",
                                       "pMF_H_32" };
enum { PRESETS = sizeof presets / sizeof *presets, ARGS = 8 };

/* The settings that words ("a=1 b=2", one blank between) give. */
static int load(struct settings *s, const char *line) {
  static char copy[4096];
  char *argv[ARGS];
  int argc = 0;
  snprintf(copy, sizeof copy, "%s", line);
  for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
  return settings_load(s, argc, argv, NULL, 0, NULL, 0);
}

static void load_preset(struct settings *s, const char *name) {
  char line[64];
  snprintf(line, sizeof line, "preset=%s", name);
  ck_assert_msg(load(s, line) == STATUS_OK, "%s", status_reason());
}

static void expect_reason(int status, const char *text, const char *input) {
  ck_assert_msg(status == STATUS_BAD, "accepted, or another status: %s", input);
  ck_assert_msg(strstr(status_reason(), text) != NULL, "%s\n  expected: %s\n  got:      %s", input, text, status_reason());
  ck_assert_msg(!strchr(status_reason(), '\n'), "more than one line: %s", status_reason());
}

START_TEST(presets_survive_being_written_and_read) {
  for (int i = 0; i < PRESETS; i++) {
    struct settings s, back;
    load_preset(&s, presets[i]);
    ck_assert_msg(settings_check(&s) == STATUS_OK, "%s: %s", presets[i], status_reason());
    char *text = settings_text(&s);
    settings_default(&back);
    ck_assert_msg(settings_parse(&back, text, strlen(text), "copy") == STATUS_OK, "%s", status_reason());
    char *again = settings_text(&back);
    ck_assert_str_eq(text, again);
    ck_assert_int_eq(memcmp(&s, &back, sizeof s), 0);   /* all of it was zero before it was set */
    free(text);
    free(again);
  }
} END_TEST

START_TEST(odd_values_survive_too) {
  struct settings s, back;
  settings_default(&s);
  const char *const words[][2] = { { "dataset.root", "a \"b\" \\ c: #d 'e' \xc3\xa9" }, { "model.P_mean", "-0.1" },
                                   { "training.learning_rate", "0.30000000000000004" }, { "training.ema_val", "" },
                                   { "training.ema_val", " 0.1, 1e-3 ,0.9999" }, { "model.times", "zero" },
                                   { "dataset.use_flip", "yes" }, { "training.seed", "9007199254740992" } };
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    ck_assert_msg(!settings_set(&s, words[i][0], words[i][1], NULL), "%s", status_reason());
  char *text = settings_text(&s);
  settings_default(&back);
  ck_assert_msg(!settings_parse(&back, text, strlen(text), "copy"), "%s", status_reason());
  free(text);
  ck_assert_int_eq(memcmp(&s, &back, sizeof s), 0);
  ck_assert_int_eq(back.training.ema_val.count, 3);
  ck_assert_double_eq(back.training.ema_val.value[1], 1e-3);
  ck_assert_str_eq(back.dataset.root, words[0][1]);
} END_TEST

/* In UTF-8, also of what is no character. */
static void encode(unsigned long u, char text[static 8]) {
  char *c = text;
  if (u < 0x80) *c++ = (char)u;
  else if (u < 0x800) *c++ = (char)(0xc0 | u >> 6);
  else if (u < 0x10000) *c++ = (char)(0xe0 | u >> 12);
  else *c++ = (char)(0xf0 | u >> 18);
  for (int shift = u < 0x80 ? -6 : u < 0x800 ? 0 : u < 0x10000 ? 6 : 12; shift >= 0; shift -= 6) *c++ = (char)(0x80 | (u >> shift & 0x3f));
  *c = 0;
}

/* A text with this character comes back as it was, or is not taken. */
START_TEST(each_character_is_refused_or_survives) {
  static const unsigned long ranges[][2] = { { 1, 0x400 }, { 0x2000, 0x2070 }, { 0xd7f0, 0xd810 }, { 0xdff0, 0xe010 }, { 0xfe70, 0xff10 },
                                             { 0xfff0, 0x10010 }, { 0x1f600, 0x1f610 }, { 0x10fff0, 0x110010 } };
  int taken = 0, all = 0;
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    for (unsigned long u = ranges[i][0]; u < ranges[i][1]; u++, all++) {
      struct settings s, back;
      char letter[8], root[32];
      encode(u, letter);
      snprintf(root, sizeof root, "a%s b", letter);
      settings_default(&s);
      if (settings_set(&s, "dataset.root", root, NULL)) continue;
      taken++;
      char *text = settings_text(&s);
      settings_default(&back);
      ck_assert_msg(!settings_parse(&back, text, strlen(text), "copy"), "U+%04lX: %s", u, status_reason());
      ck_assert_msg(!strcmp(back.dataset.root, root), "U+%04lX comes back as another text", u);
      free(text);
    }
  ck_assert_int_gt(taken, all / 2);
} END_TEST

START_TEST(defaults_are_pMF_B_16) {
  struct settings s, b16;
  settings_default(&s);
  load_preset(&b16, "pMF_B_16");
  ck_assert_str_eq(b16.model.model_str, "pmfDiT_B_16");
  memset(b16.model.model_str, 0, sizeof b16.model.model_str);   /* the defaults have the sizes without the name */
  b16.checkpoint = s.checkpoint;
  ck_assert_int_eq(memcmp(&s, &b16, sizeof s), 0);
  ck_assert_int_eq(settings_check(&s), STATUS_OK);
} END_TEST

START_TEST(a_named_net_brings_its_sizes) {
  struct settings s;
  const char text[] = "model:\n  hidden_size: 1024\n  model_str: pmfDiT_H_32\n";
  settings_default(&s);
  ck_assert_int_eq(settings_parse(&s, text, strlen(text), "x"), STATUS_OK);
  ck_assert_int_eq(s.model.depth, 48);
  ck_assert_int_eq(s.model.patch_size, 32);
  ck_assert_int_eq(s.model.hidden_size, 1024);   /* what stands beside the name wins, wherever it stands */
  ck_assert_str_eq(s.model.model_str, "");       /* and then it is that net no more */
  ck_assert_int_eq(load(&s, "preset=fashion model.depth=6 model.model_str=pmfDiT_L_16"), STATUS_OK);
  ck_assert_int_eq(s.model.depth, 6);
  ck_assert_int_eq(s.model.hidden_size, 1024);
  ck_assert_int_eq(s.model.num_class_tokens, 8);
  ck_assert_int_eq(s.training.batch_size, 32);
} END_TEST

START_TEST(later_sources_win) {
  struct settings s;
  ck_assert_int_eq(load(&s, "training.steps=7 preset=fashion data=a.h5 sampling.omega=2"), STATUS_OK);
  ck_assert_int_eq(s.training.steps, 7);
  ck_assert_int_eq(s.model.patch_size, 4);
  ck_assert_double_eq(s.sampling.omega, 2);
  ck_assert_str_eq(s.dataset.root, "a.h5");
} END_TEST

START_TEST(wrong_words_are_told) {
  static const char *const bad[][2] = {
    { "preset=fashoin", "unknown preset; did you mean fashion? There are fashion, " },
    { "preset=Fashion", "did you mean fashion?" },
    { "preset=pMF_B_61", "did you mean pMF_B_16?" },
    { "preset=qqq", "unknown preset; there are fashion, pMF_B_16, " },
    { "preset=a/b.yml", "config=FILE" },
    { "preset=fashion config=x.yml", "preset=fashion and config=x.yml: expected one of them" },
    { "config=/nonexistent/x.yml", "/nonexistent/x.yml: cannot be opened: No such file" },
    { "batch_size=64", "batch_size=64: unknown word; did you mean training.batch_size=?" },
    { "batch_szie=64", "did you mean training.batch_size=?" },
    { "model.batch_size=64", "did you mean training.batch_size=?" },
    { "trainig.batch_size=64", "did you mean training.batch_size=?" },
    { "training.Batch_Size=64", "did you mean training.batch_size=?" },
    { "p_mean=0", "did you mean model.P_mean=?" },
    { "presset=fashion", "did you mean preset=?" },
    { "zzzzzz=1", "zzzzzz=1: unknown word" },
    { "training.seed", "training.seed: expected a word of the form name=value" },
    { "preset", "preset: expected preset=VALUE" },
    { "--dry-run", "--dry-run: unknown flag" },
    { "training.batch_size=abc", "training.batch_size=abc: expected an integer, 1 to 16777216" },
    { "training.batch_size=1.5", "expected an integer" },
    { "training.batch_size=1e3", "expected an integer" },
    { "training.batch_size=", "expected an integer" },
    { "training.batch_size=0x10", "expected an integer" },
    { "training.batch_size=99999999999999999999", "expected an integer" },
    { "training.batch_size=0", "expected an integer, 1 to 16777216" },
    { "training.batch_size=-4", "expected an integer, 1 to 16777216" },
    { "training.learning_rate=nan", "expected a number, above 0, up to 100" },
    { "training.learning_rate=inf", "expected a number" },
    { "training.learning_rate=1e999", "expected a number" },
    { "training.learning_rate=0", "expected a number, above 0" },
    { "training.learning_rate=0.1.2", "expected a number" },
    { "model.data_proportion=1.01", "model.data_proportion=1.01: expected a number, 0 to 1" },
    { "dataset.use_flip=maybe", "expected true or false" },
    { "model.prediction=v", "expected one of x, u" },
    { "model.times=", "expected one of triangle, equal, zero, both" },
    { "training.optimizer=Muon", "expected one of muon, adamw" },
    { "model.model_str=pmfDiT_B_8", "expected nothing or one of pmfDiT_B_16, pmfDiT_B_32," },
    { "training.ema_val=1,,2", "expected up to 8 numbers with commas between" },
    { "training.ema_val=1,2,", "expected up to 8 numbers" },
    { "training.ema_val=1,2,3,4,5,6,7,8,9", "expected up to 8 numbers" },
    { "training.ema_val=0", "each above 0" },
    { "dataset.root=a\tb", "without control characters" },
    { "dataset.root=\xff", "UTF-8" },
    { "dataset.root=\xc0\xaf", "UTF-8" },            /* longer than it need be */
    { "dataset.root=\xed\xa0\x80", "UTF-8" },        /* half a pair of UTF-16 */
    { "dataset.root=\xc2\x82", "without control characters" },
    { "dataset.root=\xe2\x80\xa8", "UTF-8" },        /* a line's end */
    { "dataset.root=\xef\xbb\xbf", "UTF-8" },        /* a mark of byte order */
    { "training.seed=1 training.seed=2", "training.seed=2: given twice" },
    { "data=a data=b", "data=b: given twice" },
    { "data=a dataset.root=b", "expected one of them" },
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct settings s;
    expect_reason(load(&s, bad[i][0]), bad[i][1], bad[i][0]);
  }
} END_TEST

START_TEST(wrong_files_are_told_with_their_line) {
  static const char *const bad[][2] = {
    { "training:\n  batch_size: 64\n  lerning_rate: 1\n",
      "x.yml:3: unknown key training.lerning_rate; did you mean training.learning_rate?" },
    { "trainig:\n  seed: 1\n", "x.yml:1: unknown key trainig; did you mean training?" },
    { "seed: 1\n", "x.yml:1: unknown key seed; did you mean training.seed?" },
    { "model:\n  seed: 1\n", "x.yml:2: unknown key model.seed; did you mean training.seed?" },
    { "model:\n  depth:\n    blocks: 3\n", "x.yml:2: model.depth: expected an integer, 1 to 1024; found a section" },
    { "model:\n  deep:\n    er: 3\n", "x.yml:2: unknown key model.deep" },
    { "model: 3\n", "x.yml:1: model is a section" },
    { "model: [1]\n", "x.yml:1: model is a section" },
    { "model:\n  depth: [1, 2]\n", "x.yml:2: model.depth: expected an integer, 1 to 1024; found a list" },
    { "model:\n  depth:\n", "x.yml:2: model.depth: expected an integer, 1 to 1024; found nothing" },
    { "model:\n  depth: abc\n", "x.yml:2: model.depth: expected an integer, 1 to 1024; found abc" },
    { "model:\n  depth: 2.0\n", "found 2.0" },
    { "model:\n  P_std: .nan\n", "x.yml:2: model.P_std: expected a number" },
    { "training:\n  seed: 1\n  steps: 3\n  seed: 2\n", "x.yml:4: training.seed is given twice (first in line 2)" },
    { "model:\n  depth: 1\nmodel:\n  depth: 2\n", "x.yml:4: model.depth is given twice (first in line 2)" },
    { "training:\n  seed: 1\n---\ntraining:\n  seed: 2\n", "x.yml:3: a second document begins" },
    { "training:\n\tseed: 1\n", "x.yml:2: a tab in the indentation" },
    { "training:\n  seed: 1\n \tsteps: 1\n", "x.yml:3: a tab in the indentation" },
    { "training:\n  seed: 1\n steps: 3\n", "x.yml:3: broken YAML" },
    { "training: {seed: 1\n", "x.yml:2: broken YAML" },
    { "training:\n  seed: \"1\n", "broken YAML" },
    { "training:\n  seed: *a\n", "x.yml:2: aliases" },
    { "training:\n  ema_val: [[1], 2]\n", "x.yml:2: a list holds plain values only" },
    { "training:\n  ema_val: [1, x]\n", "x.yml:2: training.ema_val: expected up to 8 numbers" },
    { "dataset:\n  root: \"a\\0b\"\n", "x.yml:2: a value with a zero byte" },
    { "? [a]\n: 1\n", "x.yml:1: expected a key" },
    { "- a\n- b\n", "x.yml:1: expected sections with keys" },
    { "training.seed=3\n", "x.yml:1: expected sections with keys" },
    { "a: \x01\n", "x.yml: not YAML text" },
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct settings s;
    settings_default(&s);
    expect_reason(settings_parse(&s, bad[i][0], strlen(bad[i][0]), "x.yml"), bad[i][1], bad[i][0]);
  }
} END_TEST

START_TEST(harmless_files_are_taken) {
  static const char *const good[] = {
    "", "# nothing\n", "---\n", "model:\n", "model: {}\n", "model: {depth: 4}\n", "training: {ema_val: 7}\n",
    "training:\n  ema_val:\n    - 1\n    - 2\n", "fid:\n  cache_ref: ~\n", "training.seed: 3\n",
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    struct settings s;
    settings_default(&s);
    ck_assert_msg(!settings_parse(&s, good[i], strlen(good[i]), "x.yml"), "%s\n%s", good[i], status_reason());
  }
} END_TEST

START_TEST(a_cut_file_never_crashes) {
  struct settings s;
  load_preset(&s, "fashion");
  char *text = settings_text(&s);
  for (size_t n = 0; n < strlen(text); n++) {
    settings_default(&s);
    const int status = settings_parse(&s, text, n, "x.yml");
    ck_assert(status == STATUS_OK || status == STATUS_BAD);
  }
  free(text);
} END_TEST

START_TEST(what_does_not_fit_is_told) {
  static const char *const bad[][2] = {
    { "model.patch_size=7", "model.patch_size=7 does not divide dataset.image_size=256; the nearest that do are 4 and 8" },
    { "preset=fashion model.patch_size=5", "the nearest that do are 4 and 7" },
    { "preset=fashion model.patch_size=100", "the largest that does is 28" },
    { "model.num_heads=7", "model.num_heads=7 does not divide model.hidden_size=768" },
    { "model.hidden_size=120", "gives heads of width 10; rotary embedding needs a multiple of 4" },
    { "model.depth=4", "model.aux_head_depth=8 (blocks in each head) is above model.depth=4" },
    { "sampling.omega_several=0.5", "sampling.omega_several=0.5: expected at least 1, or 0 for sampling.omega" },
    { "sampling.t_min=0.7", "sampling.t_min=0.7: expected below sampling.t_max=0.7" },
    { "dataset.image_channels=2", "expected 1 (grey) or 3 (colour)" },
    { "sampling.ema=ema7", "sampling.ema=ema7: expected one of raw, ema500, ema1000, ema2000" },
    { "training.ema_val=1,2", "sampling.ema=ema2000: expected one of raw, ema1, ema2" },
    { "training.ema_val=2000,5,5", "training.ema_val: two values have the same name ema5" },
    { "training.ema_type=const", "training.ema_val: 500 is no decay" },
    { "training.num_epochs=0", "training.steps and training.num_epochs are both 0" },
    { "training.warmup_epochs=321", "training.warmup_epochs=321 is above training.num_epochs=320" },
    { "training.warmup_epochs=160 training.lr_schedule=cosine", "less than half of training.num_epochs=320" },
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct settings s;
    ck_assert_msg(load(&s, bad[i][0]) == STATUS_OK, "%s: %s", bad[i][0], status_reason());
    expect_reason(settings_check(&s), bad[i][1], bad[i][0]);
  }
} END_TEST

START_TEST(words_of_a_job) {
  char out[TEXT_MAX] = "", *bare[2];
  long n = 5;
  double share = 0.5;
  struct word words[] = {
    { .name = "out", .type = WORD_TEXT, .value = out },
    { .name = "n", .type = WORD_INTEGER, .value = &n, .min = 1, .max = 100 },
    { .name = "share", .type = WORD_REAL, .value = &share, .min = 0, .max = 1 },
    { .name = "--json" },
  };
  char *good[] = { "file.h5", "n=7", "--json", "dir/a=1/x.h5" };
  ck_assert_msg(!words_parse(4, good, words, 4, bare, 2), "%s", status_reason());
  ck_assert_int_eq(n, 7);
  ck_assert_double_eq(share, 0.5);
  ck_assert(words[1].given && words[3].given && !words[0].given && !words[2].given);
  ck_assert_str_eq(bare[0], "file.h5");
  ck_assert_str_eq(bare[1], "dir/a=1/x.h5");

  struct { char *word; const char *reason; } bad[] = {
    { "n=0", "n=0: expected an integer from 1 to 100" }, { "n=7.5", "expected an integer" }, { "n=", "n=: expected" },
    { "share=2", "share=2: expected a number from 0 to 1" }, { "out=", "out=: expected a text" },
    { "uot=3", "unknown word; did you mean out=?" }, { "--jsno", "unknown flag; did you mean --json?" },
    { "--json=1", "--json takes no value" }, { "n", "n: expected n=VALUE" }, { "preset=fashion", "unknown word" },
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    expect_reason(words_parse(1, &bad[i].word, words, 4, bare, 2), bad[i].reason, bad[i].word);
  char *three[] = { "a", "b", "c" }, *twice[] = { "n=1", "n=2" };
  expect_reason(words_parse(3, three, words, 4, bare, 2), "c: one word too many", "a b c");
  expect_reason(words_parse(2, twice, words, 4, bare, 2), "n=2: given twice", "n=1 n=2");
  char *mixed[] = { "preset=fashion", "n=9", "training.steps=11", "run.h5" };
  struct settings s;
  ck_assert_msg(!settings_load(&s, 4, mixed, words, 4, bare, 2), "%s", status_reason());
  ck_assert_int_eq(n, 9);
  ck_assert_int_eq(s.training.steps, 11);
  ck_assert_str_eq(bare[0], "run.h5");
  ck_assert(bare[1] == NULL);
} END_TEST

START_TEST(guidance_goes_by_the_number_of_steps) {
  struct settings s;
  ck_assert_int_eq(load(&s, "preset=fashion sampling.omega=5 sampling.omega_several=3"), STATUS_OK);
  ck_assert_double_eq(setup_omega(&s, 1), 5);
  ck_assert_double_eq(setup_omega(&s, 2), 3);
  s.sampling.num_steps = 4;
  ck_assert_double_eq(setup_sampler(&s).omega, 3);
  s.sampling.omega_several = 0;
  ck_assert_double_eq(setup_omega(&s, 4), 5);
  s.dataset.num_classes = 0;
  ck_assert_double_eq(setup_omega(&s, 1), 1);
} END_TEST

int main(void) {
  char folder[4096];
  const char *source = getenv("PMF_SOURCE");
  if (source && !getenv("PMF_PRESETS")) {
    snprintf(folder, sizeof folder, "%s/jobs/presets", source);
    setenv("PMF_PRESETS", folder, 1);
  }
  return run_tests("settings", (const TTest *[]){ presets_survive_being_written_and_read, odd_values_survive_too, each_character_is_refused_or_survives,
    defaults_are_pMF_B_16, a_named_net_brings_its_sizes, later_sources_win, wrong_words_are_told,
    wrong_files_are_told_with_their_line, harmless_files_are_taken, a_cut_file_never_crashes, what_does_not_fit_is_told,
    words_of_a_job, guidance_goes_by_the_number_of_steps, NULL });
}
