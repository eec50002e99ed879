/* The judge of reference files, tests/check_reference, judged: a wrong value anywhere fails with a line that names it, what is not
 * read fails, what is missing fails, other forms of a valid file pass, and no file ends it. */
#include <libgen.h>
#include <unistd.h>

#include "tests/folder.h"
#include "tests/edited.h"

static char said[1 << 18];

/* Its exit code for these words; what it prints goes to `said`. */
static int judge(const char *words) {
  char self[1000], command[3000];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  ck_assert(n > 0);
  self[n] = 0;
  snprintf(command, sizeof command, "cd '%s' && '%s/check_reference' %s", folder, dirname(self), words);
  FILE *f = popen(command, "r");
  ck_assert_ptr_nonnull(f);
  said[fread(said, 1, sizeof said - 1, f)] = 0;
  return pclose(f);
}

/* The edited file passes, with so many comparisons. */
static void passes(hid_t file, const char *what, int comparisons) {
  char last[64];
  H5Fclose(file);
  snprintf(last, sizeof last, "\n%d passed, 0 failed\n", comparisons);
  if (judge("it.h5") || !strstr(said, last)) ck_abort_msg("%s: expected %d passed:\n%.2000s", what, comparisons, said);
}
/* It fails with a line that has this name, and the judge reaches its end. */
static void fails(hid_t file, const char *name) {
  H5Fclose(file);
  const int code = judge("it.h5");
  for (char *line = strtok(said, "\n"); line; line = strtok(NULL, "\n"))
    if (code && !strncmp(line, "FAIL", 4) && strstr(line, name) && !strstr(line, "ended the judge")) return;
  ck_abort_msg("expected a failure of %s", name);
}

START_TEST(a_wrong_value_fails) {   /* three times its limit */
  static const struct { const char *fixture, *name; double limit; } values[] = {
    { "pmf_grey.h5", "net/u", 2e-5 }, { "pmf_grey.h5", "net/v_dot", 1e-4 }, { "pmf_grey.h5", "objective/V", 2e-5 },
    { "pmf_grey.h5", "objective/L_u", 2e-5 }, { "pmf_grey.h5", "objective/loss", 2e-5 },
    { "pmf_grey.h5", "objective/mse_v", 2e-5 },
    { "pmf_grey.h5", "objective/grad/class_tokens", 1e-4 }, { "pmf_grey.h5", "objective/du_dt", 1e-4 },
    { "pmf_grey.h5", "objective_u/v_g", 2e-5 }, { "pmf_grey.h5", "objective_u/grad/pos_embed", 1e-4 },
    { "pmf_grey.h5", "sample/images_2", 2e-5 }, { "optim.h5", "step3/params/bias", 2e-5 },
    { "optim.h5", "step5/ema500/table", 2e-5 },
    { "optim.h5", "adamw/step2/params/conv.weight", 2e-5 }, { "optim.h5", "schedules/cosine", 2e-5 },
    { "optim.h5", "schedules/edm_1000", 2e-5 }, { "optim.h5", "schedules/cfg_w_beta2", 2e-5 },
    { "crop.h5", "odd_noise/result", 1e-3 },
  };
  static const struct { const char *fixture, *object, *name; double wrong; } numbers[] = {
    { "pmf_grey.h5", "objective", "tangents", 4 }, { "pmf_grey.h5", "objective", "guidance_evaluations", 4 },
    { "optim.h5", "step2", "lr", 0.0033335 }, { "optim.h5", "step5", "ema500_decay", 0.062504 },
    { "scores.h5", "scores", "fid", 30.04 },
  };
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    const hid_t file = edit(values[i].fixture);
    bend(file, values[i].name, strcmp(values[i].fixture, "crop.h5") ? 1 + 3 * values[i].limit : 0.99);
    fails(file, values[i].name);
  }
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    const hid_t file = edit(numbers[i].fixture);
    set_attribute(file, numbers[i].object, numbers[i].name, 1, numbers[i].wrong);
    fails(file, numbers[i].name);
  }
} END_TEST

START_TEST(what_is_missing_or_not_known_fails) {
  static const struct { const char *fixture, *gone, *name; } missing[] = {
    { "pmf_grey.h5", "net/r", "net/r" }, { "pmf_grey.h5", "objective/fm", "objective/fm" },
    { "pmf_grey.h5", "sample/y", "sample/y" },
    { "pmf_grey.h5", "params/pos_embed", "params/pos_embed" }, { "optim.h5", "step2/grad/bias", "step2/grad/bias" },
    { "optim.h5", "step4/params/bias", "step4/params/bias" }, { "optim.h5", "schedules/cfg_U", "schedules/cfg_U" },
    { "crop.h5", "odd_noise/result", "odd_noise/result" }, { "scores.h5", "scores/b", "scores/b" },
  };
  for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
    const hid_t file = edit(missing[i].fixture);
    drop(file, missing[i].gone);
    fails(file, missing[i].name);
  }
  hid_t file = edit("pmf_grey.h5");
  set_attribute(file, "objective/V", "norm", 1, 9);
  fails(file, "objective/V@norm");
  file = edit("pmf_grey.h5");
  H5Adelete_by_name(file, "objective", "drop", H5P_DEFAULT);
  fails(file, "objective@drop");
  file = edit("optim.h5");
  put_all(file, "step3/median/bias", 40, 1);
  fails(file, "step3/median/bias");
} END_TEST

START_TEST(shapes_are_compared) {   /* and nothing is compared with nothing */
  hid_t file = edit("pmf_grey.h5");
  drop(file, "net/v");
  put(file, "net/v", 4, (hsize_t[]){ 20, 5, 20, 1 }, 0, NULL);
  fails(file, "net/v");
  file = edit("optim.h5");
  drop(file, "schedules/edm_steps"), drop(file, "schedules/edm_500");
  put_all(file, "schedules/edm_steps", 0, 0), put_all(file, "schedules/edm_500", 0, 0);
  fails(file, "schedules/edm_500");
  file = edit("pmf_grey.h5");
  drop(file, "sample/noise");
  put(file, "sample/noise", 4, (hsize_t[]){ 0, 20, 20, 1 }, 0, NULL);
  fails(file, "sample/noise");
} END_TEST

START_TEST(links_are_followed) {   /* each name is a result of its own */
  hid_t file = edit("pmf_grey.h5");
  drop(file, "net/v");
  H5Lcreate_hard(file, "net/u", file, "net/v", H5P_DEFAULT, H5P_DEFAULT);
  fails(file, "net/v");
  file = edit("pmf_grey.h5");
  drop(file, "net/v_dot");
  H5Lcreate_soft("/net/u_dot", file, "net/v_dot", H5P_DEFAULT, H5P_DEFAULT);
  fails(file, "net/v_dot");
  file = edit("crop.h5");
  H5Lcreate_soft("/nothing", file, "up_noise/more", H5P_DEFAULT, H5P_DEFAULT);
  fails(file, "up_noise/more");
  file = edit("crop.h5");
  H5Lcreate_soft("/", file, "up_noise/above", H5P_DEFAULT, H5P_DEFAULT);   /* a circle holds nothing new */
  passes(file, "a circle", 14);
} END_TEST

/* Spoils the k-th "TREE" of the file, where the links of a group begin; 0 if there are not so many. */
static int spoil(int k) {
  FILE *f = fopen(path, "r+b");
  ck_assert_ptr_nonnull(f);
  char window[4] = { 0 };
  for (int c; k >= 0 && (c = getc(f)) != EOF;) {
    memmove(window, window + 1, 3);
    window[3] = (char)c;
    k -= !memcmp(window, "TREE", 4);
  }
  if (k < 0) fseek(f, -4, SEEK_CUR), putc('X', f);
  fclose(f);
  return k < 0;
}

START_TEST(a_damaged_group_fails) {
  int k = 0;
  for (;; k++) {
    H5Fclose(edit("crop.h5"));
    if (!spoil(k)) break;
    ck_assert_int_ne(judge("it.h5"), 0);
    ck_assert_ptr_nonnull(strstr(said, "FAIL it.h5"));
  }
  ck_assert_int_ge(k, 15);   /* 14 pictures, and the file itself */
} END_TEST

START_TEST(texts_come_in_any_form) {
  static const char *const words[] = { "wide.weight", "tall.weight", "square.weight", "long.weight" };
  static const char *const commas[] = { "wide.weight, tall.weight,square.weight,long.weight" };
  hid_t file = edit("optim.h5");
  set_texts(file, "/", "muon", 4, words, 0);
  set_texts(file, "step1", "note", 1, words, 0);
  passes(file, "a list of texts", 275);
  file = edit("optim.h5");
  set_texts(file, "/", "muon", 1, commas, strlen(*commas));
  passes(file, "a text of fixed length", 275);
  file = edit("optim.h5");
  set_texts(file, "/", "muon", 3, words, 0);
  fails(file, "long.weight");
} END_TEST

/* One tensor that a step without gradient leaves alone, so that its averages are itself. */
static void put_still(hid_t file, const char *name, int rank, const hsize_t *dims, const char *const *emas, int n) {
  char full[400];
  snprintf(full, sizeof full, "step0/params/%s", name), put(file, full, rank, dims, 2, NULL);
  snprintf(full, sizeof full, "step1/grad/%s", name), put(file, full, rank, dims, 0, NULL);
  snprintf(full, sizeof full, "step1/params/%s", name), put(file, full, rank, dims, 2, NULL);
  for (int i = 0; i < n; i++) snprintf(full, sizeof full, "step1/ema%s/%s", emas[i], name), put(file, full, rank, dims, 2, NULL);
}

START_TEST(the_optimizers_tensors_may_be_any) {
  static const char *const emas[] = { "1", "2", "5", "10", "20", "50", "100", "0.5", "1000000", "2000000" };
  char name[150];
  memset(name, 'n', 140);
  name[140] = 0;
  hid_t file = fresh();
  put_still(file, "scalar", 0, NULL, emas, 10);
  put_still(file, "five", 5, (hsize_t[]){ 2, 1, 2, 1, 3 }, emas, 10);
  put_still(file, name, 2, (hsize_t[]){ 2, 3 }, emas, 10);
  put_still(file, "group/inside", 1, (hsize_t[]){ 3 }, emas, 10);
  passes(file, "tensors of all kinds", 4 * 12);
  file = fresh();
  put_still(file, "scalar", 0, NULL, emas, 10);
  bend(file, "step1/ema2000000/scalar", 1.0001);
  fails(file, "step1/ema2000000/scalar");
} END_TEST

START_TEST(schedules_may_be_long) {
  enum { LONG = 6000 };
  double U[LONG], w[LONG];
  const hsize_t n = LONG;
  for (size_t i = 0; i < LONG; i++) U[i] = (double)i / LONG, w[i] = exp(U[i] * log(8));
  hid_t file = fresh();
  put(file, "schedules/cfg_U", 1, &n, 0, U), put(file, "schedules/cfg_w_beta1", 1, &n, 0, w);
  passes(file, "6000 guidance scales", 1);
  w[LONG - 1] *= 1.0001;
  file = fresh();
  put(file, "schedules/cfg_U", 1, &n, 0, U), put(file, "schedules/cfg_w_beta1", 1, &n, 0, w);
  fails(file, "schedules/cfg_w_beta1");
} END_TEST

/* Weights of 1 take steps of 1.5e-6: stored as float32, such a step may be off by 4 % (one bit of the weight), but not by half. */
START_TEST(a_steps_limit_knows_of_rounding) {
  for (int wrong = 0; wrong < 2; wrong++) {
    const hid_t file = fresh();
    set_attribute(file, "/", "learning_rate", 1, 1e-6);
    put_all(file, "step0/params/w", 1, 1);
    put_all(file, "step1/grad/w", 1, 1);
    const double step = 1e-6 * (0.9 * 0.1 / (1 - 0.81) + 1);   /* m = 0.1: 0.9 m / (1 - 0.9^2) + 0.1 g / (1 - 0.9), over sqrt(1) */
    put_all(file, "step1/params/w", 1, (double)(float)(1 - step * (wrong ? 1.5 : 1)) + (wrong ? 0 : 0x1p-24));
    if (wrong) fails(file, "step1 (the step) w");
    else passes(file, "a small step", 2);
  }
} END_TEST

START_TEST(attributes_and_cases_may_be_several) {
  hid_t file = edit("pmf_grey.h5");
  rename_link(file, "net", "net_2"), rename_link(file, "sample", "sample_2");
  rename_link(file, "objective", "objective_2"), rename_link(file, "objective_u", "objective_u_2");
  passes(file, "net_2 and others", 200);
  file = edit("pmf_grey.h5");
  drop(file, "objective/V");
  put(file, "params/rope_freqs", 2, (hsize_t[]){ 2, 2 }, 0, NULL);   /* which no one asked for */
  passes(file, "no V", 199);
  file = edit("scores.h5");
  rename_link(file, "scores", "scores_2");
  passes(file, "scores_2", 5);
  file = edit("scores.h5");
  drop(file, "scores/logits");
  H5Adelete_by_name(file, "scores", "is_std", H5P_DEFAULT);
  H5Adelete_by_name(file, "scores", "is_mean_10_splits_in_order", H5P_DEFAULT);
  passes(file, "scores without logits", 3);
  file = edit("pmf_grey.h5");
  drop(file, "objective/loss");
  set_attribute(file, "objective", "loss", 1, 0);
  fails(file, "objective@loss");
} END_TEST

START_TEST(no_file_ends_the_judge) {
  char other[300];
  hid_t file = edit("pmf_grey.h5");
  set_attribute(file, "objective", "drop", 4000, 1);
  fails(file, "objective@drop");
  file = fresh();
  put(file, "resample/image", 3, (hsize_t[]){ 8, 8, 3 }, 0, NULL);
  put(file, "resample/crops", 2, (hsize_t[]){ 1, 4 }, 0, (double[]){ 4, 0, 5, 8 });
  put(file, "resample/out_24", 4, (hsize_t[]){ 1, 24, 24, 3 }, 0, NULL);
  fails(file, "resample/crops");
  file = edit("pmf_grey.h5");
  set_attribute(file, "/", "image", 1, 999000);   /* more memory than there is */
  H5Fclose(file);
  snprintf(other, sizeof other, "%s/a:b.h5", folder);
  copy("crop.h5", other);
  ck_assert_int_ne(judge("it.h5 none.h5 a:b.h5"), 0);
  ck_assert_ptr_nonnull(strstr(said, "FAIL it.h5"));
  ck_assert_ptr_nonnull(strstr(said, "FAIL none.h5"));
  ck_assert_ptr_nonnull(strstr(said, "\n14 passed, "));
  ck_assert_int_eq(judge("a:b.h5:up_noise"), 0);
  ck_assert_ptr_nonnull(strstr(said, "\n1 passed, 0 failed"));
  ck_assert_int_ne(judge("a:b.h5:nothing"), 0);
  unlink(other);
} END_TEST

START_TEST(weights_are_those_of_their_file) {
  static const char *const names[] = { "pmf_square.h5", "pmf_square.pt", "pmf_square_legacy.pt", "pmf_square.safetensors" };
  char full[4][300];
  for (int i = 0; i < 4; i++) snprintf(full[i], sizeof *full, "%s/%s", folder, names[i]), copy(names[i], full[i]);
  unlink(path);
  ck_assert_int_eq(judge("."), 0);   /* the folder */
  ck_assert_ptr_nonnull(strstr(said, "\n498 passed, 0 failed"));
  const hid_t file = H5Fopen(full[0], H5F_ACC_RDWR, H5P_DEFAULT);
  bend(file, "params/class_tokens", 1 + 1e-6);
  H5Fclose(file);
  for (int i = 1; i < 4; i++) {
    ck_assert_int_ne(judge(names[i]), 0);
    ck_assert_ptr_nonnull(strstr(said, " net.class_tokens "));
    ck_assert_ptr_nonnull(strstr(said, "\n81 passed, 1 failed"));
  }
  unlink(full[0]);
  ck_assert_int_ne(judge(names[1]), 0);   /* alone it is compared with nothing */
  for (int i = 1; i < 4; i++) unlink(full[i]);
} END_TEST

int main(void) {
  data = getenv("TEST_DATA") ? getenv("TEST_DATA") : TEST_DATA;
  new_folder(folder);
  snprintf(path, sizeof path, "%s/it.h5", folder);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  const int code = run_tests("judge", (const TTest *[]){ a_wrong_value_fails, what_is_missing_or_not_known_fails,
    shapes_are_compared, links_are_followed, a_damaged_group_fails, texts_come_in_any_form, the_optimizers_tensors_may_be_any,
    schedules_may_be_long, a_steps_limit_knows_of_rounding, attributes_and_cases_may_be_several, no_file_ends_the_judge,
    weights_are_those_of_their_file, NULL });
  unlink(path);
  rmdir(folder);
  return code;
}
