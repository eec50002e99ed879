/* The six published nets: every key in their presets, sizes and settings as SPEC 7 has them, names and shapes of all tensors as
 * in tests/data/tensors.txt (whose rule, tests/tensors.sh, is the fixtures'), and as many parameters as were published. */
#include <hdf5.h>

#include "io/presets.h"
#include "io/settings.h"
#include "io/yaml.h"
#include "jobs/setup.h"
#include "src/base/status.h"
#include "tests/harness.h"

enum { LINE = 256, TEXT = 1 << 20 };

static const struct published {
  const char *name;
  double training, sampling;                        /* million parameters */
  long image, patch, depth, width, heads;
  double noise, P_mean, beta, threshold, omega, t_min, t_max;
  const char *ema;
  long log;                                         /* steps */
  double save;                                      /* epochs */
} published[] = {
  { "pMF_B_16", 175.5, 118.2, 256, 16, 16, 768, 12, 1, 0.8, 1, 0.8, 8.5, 0.1, 0.7, "ema2000", 100, 20 },
  { "pMF_B_32", 179.3, 120.3, 512, 32, 16, 768, 12, 2, 0.8, 1, 0.8, 6.5, 0.1, 0.7, "ema2000", 100, 20 },
  { "pMF_L_16", 511.8, 410.3, 256, 16, 32, 1024, 16, 1, 0.8, 2, 0.8, 7.0, 0.2, 0.7, "ema1000", 100, 20 },
  { "pMF_L_32", 516.8, 413.0, 512, 32, 32, 1024, 16, 4, 0.0, 1, 0.6, 7.5, 0.2, 0.6, "ema2000", 100, 20 },
  { "pMF_H_16", 1113.9, 955.5, 256, 16, 48, 1280, 16, 2, 0.0, 1, 0.6, 7.0, 0.2, 0.6, "ema1000", 50, 5 },
  { "pMF_H_32", 1120.4, 959.1, 512, 32, 48, 1280, 16, 4, 0.0, 1, 0.6, 5.5, 0.1, 0.6, "ema500", 50, 5 },
};
enum { PUBLISHED = sizeof published / sizeof *published };

static void load_preset(struct settings *s, const char *name) {
  char word[64];
  snprintf(word, sizeof word, "preset=%s", name);
  ck_assert_msg(!settings_load(s, 1, (char *[]){ word }, NULL, 0, NULL, 0), "%s", status_reason());
  ck_assert_msg(!settings_check(s), "%s: %s", name, status_reason());
}

/* The names of all keys, or those that a file has: sorted by yaml's order, one a line in `text`. */
static size_t keys_of(const char *yaml, size_t length, char text[static TEXT]) {
  struct yaml_entries y;
  size_t count = 0;
  ck_assert_int_eq(yaml_entries_read(&y, yaml, length, "x"), STATUS_OK);
  *text = 0;
  for (size_t i = 0; i < y.count; i++)
    if (y.entries[i].kind != YAML_SECTION && strcmp(y.entries[i].key, "dataset.root")) {
      strcat(strcat(text, y.entries[i].key), "\n");
      count++;
    }
  yaml_entries_free(&y);
  return count;
}

START_TEST(each_says_every_key_and_its_meaning) {
  static char all[TEXT], said[TEXT];
  for (int i = 0; i < PUBLISHED; i++) {
    struct settings s;
    char path[4096], *text, *copy;
    size_t length;
    load_preset(&s, published[i].name);
    ck_assert_int_eq(preset_find(published[i].name, path, sizeof path), STATUS_OK);
    ck_assert_int_eq(preset_read(path, &text, &length), STATUS_OK);
    copy = settings_text(&s);
    ck_assert_uint_gt(keys_of(copy, strlen(copy), all), 50);
    keys_of(text, length, said);
    for (char *key = strtok(all, "\n"); key; key = strtok(NULL, "\n"))
      ck_assert_msg(strstr(said, key) != NULL, "%s lacks %s", published[i].name, key);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
      if (!strncmp(line, "  ", 2) && !strstr(line, "P_std:"))
        ck_assert_msg(strstr(line, " # ") != NULL, "%s: not a word on `%s`", published[i].name, line);
    free(text);
    free(copy);
  }
} END_TEST

START_TEST(settings_are_the_published_ones) {
  for (int i = 0; i < PUBLISHED; i++) {
    const struct published *p = &published[i];
    struct settings s;
    load_preset(&s, p->name);
    ck_assert_str_eq(s.model.model_str + strlen("pmfDiT"), p->name + strlen("pMF"));
    const long sizes[][2] = { { s.dataset.image_size, p->image }, { s.model.patch_size, p->patch }, { s.model.depth, p->depth },
                              { s.model.hidden_size, p->width }, { s.model.num_heads, p->heads },
                              { s.dataset.num_classes, 1000 }, { s.training.batch_size, 1024 }, { s.training.seed, 42 },
                              { s.training.log_per_step, p->log },
                              { s.model.tr_uniform, p->name[4] == 'H' }, { s.dataset.use_flip, 0 }, { s.sampling.num_steps, 1 },
                              { s.fid.num_samples, 50000 }, { s.training.ema_val.count, 3 } };
    for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++)
      ck_assert_msg(sizes[j][0] == sizes[j][1], "%s: size %zu is %ld, expected %ld", p->name, j, sizes[j][0], sizes[j][1]);
    const double numbers[][2] = { { s.model.noise_scale, p->noise }, { s.model.P_mean, p->P_mean }, { s.model.P_std, 0.8 },
                                  { s.model.cfg_beta, p->beta }, { s.model.cfg_max, 7 }, { s.sampling.omega, p->omega },
                                  { s.model.perceptual_max_t, p->threshold }, { s.sampling.t_min, p->t_min },
                                  { s.sampling.t_max, p->t_max }, { s.training.learning_rate, 1e-3 },
                                  { s.training.num_epochs, 320 }, { s.training.warmup_epochs, 0 },
                                  { s.checkpoint.every_epochs, p->save }, { s.training.ema_val.value[0], 500 },
                                  { s.training.ema_val.value[1], 1000 }, { s.training.ema_val.value[2], 2000 } };
    for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++)
      ck_assert_msg(numbers[j][0] == numbers[j][1], "%s: number %zu is %g, expected %g", p->name, j, numbers[j][0],
                    numbers[j][1]);
    ck_assert_str_eq(s.sampling.ema, p->ema);
  }
} END_TEST

START_TEST(checkpoints_come_by_steps_or_epochs) {
  const size_t imagenet = 1281167;   /* 1251 batches */
  struct settings s;
  load_preset(&s, "pMF_B_16");
  ck_assert_uint_eq(setup_save_steps(&s, imagenet), 20 * 1251);
  s.checkpoint.every_epochs = 1e-9;
  ck_assert_uint_eq(setup_save_steps(&s, imagenet), 1);
  s.checkpoint.every_epochs = 0;
  ck_assert_uint_eq(setup_save_steps(&s, imagenet), 0);
  s.checkpoint.every_steps = 7;
  s.checkpoint.every_epochs = 20;
  ck_assert_uint_eq(setup_save_steps(&s, imagenet), 7);
} END_TEST

/* --- the stored list: "= NET", then "NAME SIZE SIZE ..." a tensor ---------------------------------------------------- */

struct line { char name[96]; size_t shape[4], size; int rank; };

/* The lines of that net; the caller frees them. */
static struct line *read_list(const char *net, size_t *count) {
  char text[LINE];
  FILE *file = fopen(TEST_DATA "/tensors.txt", "r");
  ck_assert_msg(file != NULL, "%s", TEST_DATA "/tensors.txt");
  struct line *lines = calloc(4096, sizeof *lines);
  int mine = 0;
  *count = 0;
  while (fgets(text, sizeof text, file)) {
    text[strcspn(text, "\n")] = 0;
    if (!strncmp(text, "= ", 2)) mine = !strcmp(text + 2, net);
    else if (mine) {
      struct line *l = &lines[(*count)++];
      const int n = sscanf(text, "%95s %zu %zu %zu %zu", l->name, &l->shape[0], &l->shape[1], &l->shape[2], &l->shape[3]);
      l->rank = n - 1;
      l->size = 1;
      for (int i = 0; i < l->rank; i++) l->size *= l->shape[i];
    }
  }
  fclose(file);
  return lines;
}

struct fixture { const struct line *lines; size_t count, found; };

static herr_t visit(hid_t group, const char *name, const H5O_info_t *info, void *data) {
  struct fixture *f = data;
  if (info->type != H5O_TYPE_DATASET) return 0;
  size_t i = 0;
  while (i < f->count && strcmp(f->lines[i].name, name)) i++;
  ck_assert_msg(i < f->count, "%s of the fixture is not in the list", name);
  hsize_t dims[8] = { 0 };
  const hid_t set = H5Dopen2(group, name, H5P_DEFAULT), space = H5Dget_space(set);
  ck_assert_int_eq(H5Sget_simple_extent_dims(space, dims, NULL), f->lines[i].rank);
  for (int k = 0; k < f->lines[i].rank; k++) ck_assert_msg(dims[k] == f->lines[i].shape[k], "%s: size %d", name, k);
  H5Sclose(space);
  H5Dclose(set);
  f->found++;
  return 0;
}

START_TEST(the_rule_of_the_list_is_the_fixtures) {
  static const char *const names[] = { "pmf_square", "pmf_grey" };
  for (int i = 0; i < 2; i++) {
    char path[4096];
    struct fixture f = { 0 };
    struct line *lines = read_list(names[i], &f.count);
    f.lines = lines;
    snprintf(path, sizeof path, "%s/%s.h5", TEST_DATA, names[i]);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), group = H5Gopen2(file, "params", H5P_DEFAULT);
    H5Ovisit(group, H5_INDEX_NAME, H5_ITER_INC, visit, &f);
    ck_assert_uint_eq(f.found, f.count);
    ck_assert_uint_gt(f.count, 50);
    H5Gclose(group);
    H5Fclose(file);
    free(lines);
  }
} END_TEST

START_TEST(tensors_are_those_of_the_list) {
  for (int i = 0; i < PUBLISHED; i++) {
    struct settings s;
    struct net net;
    size_t count;
    load_preset(&s, published[i].name);
    const struct net_config config = setup_net(&s);
    ck_assert_int_eq(net_init(&net, &config, 0), STATUS_OK);
    struct line *lines = read_list(published[i].name, &count);
    ck_assert_uint_eq(count, net.table.count);
    for (size_t j = 0; j < count; j++) {
      const struct tensor *t = table_find(&net.table, lines[j].name);   /* names are different, so each is found once */
      ck_assert_msg(t != NULL, "%s has no %s", published[i].name, lines[j].name);
      ck_assert_int_eq(t->rank, lines[j].rank);
      for (int k = 0; k < t->rank; k++)
        ck_assert_msg(t->shape[k] == lines[j].shape[k], "%s: %s: size %d is %zu, expected %zu", published[i].name, t->name, k,
                      t->shape[k], lines[j].shape[k]);
    }
    free(lines);
    net_free(&net);
  }
} END_TEST

START_TEST(parameters_are_as_many_as_published) {
  for (int i = 0; i < PUBLISHED; i++) {
    size_t count, training = 0, sampling = 0;
    struct line *lines = read_list(published[i].name, &count);
    for (size_t j = 0; j < count; j++) {
      training += lines[j].size;
      if (strncmp(lines[j].name, "v_", 2)) sampling += lines[j].size;
    }
    ck_assert_double_eq_tol((double)training / 1e6, published[i].training, 0.05001);
    ck_assert_double_eq_tol((double)sampling / 1e6, published[i].sampling, 0.05001);
    free(lines);
  }
} END_TEST

int main(void) {
  char folder[4096];
  const char *source = getenv("PMF_SOURCE");
  if (source && !getenv("PMF_PRESETS")) {
    snprintf(folder, sizeof folder, "%s/jobs/presets", source);
    setenv("PMF_PRESETS", folder, 1);
  }
  return run_tests("presets", (const TTest *[]){ each_says_every_key_and_its_meaning, settings_are_the_published_ones,
    checkpoints_come_by_steps_or_epochs, the_rule_of_the_list_is_the_fixtures, tensors_are_those_of_the_list,
    parameters_are_as_many_as_published, NULL });
}
