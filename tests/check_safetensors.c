/* A file of weights has the header that its format asks for, and the tensors' bits behind it. */
#include "io/safetensors.h"

#include <cjson/cJSON.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/status.h"
#include "tests/harness.h"

static struct table table;
static real *weights;
static char path[300];

static void set_up(void) {
  const char *scratch = getenv("TMPDIR");
  snprintf(path, sizeof path, "%.200s/check_safetensors.%ld", scratch ? scratch : "/tmp", (long)getpid());
  table_add(&table, "x_embedder.proj1.weight", 4, (size_t[]){ 16, 3, 7, 7 }, RULE_MUON, INIT_NORMAL, 1, 0);
  table_add(&table, "blocks.0.attn.q_norm.weight", 1, (size_t[]){ 33 }, RULE_ADAM, INIT_ONE, 0, 0);
  table_add(&table, "v_heads.0.mlp.w1.weight", 2, (size_t[]){ 41, 67 }, RULE_MUON, INIT_NORMAL, 1, 0);
  table_add(&table, "v_heads.0.mlp.w3.weight", 2, (size_t[]){ 41, 67 }, RULE_MUON, INIT_NORMAL, 1, 1);
  table_add(&table, "final.bias", 1, (size_t[]){ 5 }, RULE_ADAM, INIT_ZERO, 0, 0);
  weights = new_normal(1, table.size);
}

static bool no_v_head(const struct tensor *t) { return strncmp(t->name, "v_heads.", 8) != 0; }

/* The whole file, with a zero behind it; the caller frees it. */
static unsigned char *slurp(size_t *size) {
  FILE *f = fopen(path, "rb");
  struct stat s;
  ck_assert_ptr_nonnull(f);
  fstat(fileno(f), &s);
  unsigned char *all = calloc((size_t)s.st_size + 1, 1);
  *size = fread(all, 1, (size_t)s.st_size, f);
  fclose(f);
  return all;
}

/* Every wanted tensor, and no other, lies in the file at the next place, under its name, with its shape and bits. */
static void check_file(bool (*wanted)(const struct tensor *)) {
  size_t size, length = 0, at = 0;
  unsigned char *all = slurp(&size);
  for (int i = 7; i >= 0; i--) length = length << 8 | all[i];
  ck_assert_uint_eq(length % 8, 0);
  ck_assert_uint_le(8 + length, size);
  char *text = calloc(length + 1, 1);
  memcpy(text, all + 8, length);
  ck_assert_int_eq(text[0], '{');
  cJSON *header = cJSON_Parse(text), *entry = header->child;
  ck_assert_str_eq(entry->string, "__metadata__");
  ck_assert_str_eq(cJSON_GetObjectItem(entry, "format")->valuestring, "pt");
  ck_assert_str_eq(cJSON_GetObjectItem(entry, "description")->valuestring, "raw at \"step\" 5");
  for (size_t i = 0; i < table.count; i++) {
    const struct tensor *t = &table.tensors[i];
    if (wanted && !wanted(t)) continue;
    entry = entry->next;
    char name[128];
    snprintf(name, sizeof name, "net.%s", t->name);
    ck_assert_str_eq(entry->string, name);
    ck_assert_str_eq(cJSON_GetObjectItem(entry, "dtype")->valuestring, "F32");
    const cJSON *shape = cJSON_GetObjectItem(entry, "shape"), *offsets = cJSON_GetObjectItem(entry, "data_offsets");
    ck_assert_int_eq(cJSON_GetArraySize(shape), t->rank);
    for (int d = 0; d < t->rank; d++) ck_assert(cJSON_GetArrayItem(shape, d)->valuedouble == (double)t->shape[d]);
    ck_assert(cJSON_GetArrayItem(offsets, 0)->valuedouble == (double)at);
    ck_assert_mem_eq(all + 8 + length + at, weights + t->offset, t->size * sizeof(float));
    at += t->size * sizeof(float);
    ck_assert(cJSON_GetArrayItem(offsets, 1)->valuedouble == (double)at);
  }
  ck_assert_ptr_null(entry->next);
  ck_assert_uint_eq(8 + length + at, size);
  cJSON_Delete(header);
  free(text);
  free(all);
  unlink(path);
}

START_TEST(all_tensors_are_there_bit_for_bit) {
  ck_assert_int_eq(safetensors_write(path, &table, weights, "net.", NULL, "raw at \"step\" 5"), STATUS_OK);
  check_file(NULL);
} END_TEST

START_TEST(what_is_not_wanted_is_left_out) {
  ck_assert_int_eq(safetensors_write(path, &table, weights, "net.", no_v_head, "raw at \"step\" 5"), STATUS_OK);
  check_file(no_v_head);
} END_TEST

START_TEST(a_failure_is_said_and_leaves_nothing) {
  ck_assert_int_eq(safetensors_write("/nowhere/x.safetensors", &table, weights, "net.", NULL, NULL), STATUS_IO);
  ck_assert_str_eq(status_reason(), "/nowhere/x.safetensors: cannot be written: No such file or directory");
  char tmp[310];
  snprintf(tmp, sizeof tmp, "%s.tmp", path);
  mkdir(path, 0755);   /* a directory in the way of the name */
  ck_assert_int_eq(safetensors_write(path, &table, weights, "net.", NULL, NULL), STATUS_IO);
  ck_assert_int_ne(access(tmp, F_OK), 0);
  rmdir(path);
} END_TEST

int main(void) {
  set_up();
  return run_tests("safetensors", (const TTest *[]){ all_tensors_are_there_bit_for_bit, what_is_not_wanted_is_left_out,
                                                     a_failure_is_said_and_leaves_nothing, NULL });
}
