/* networks KIND FILE - for networks.sh, score_standard.sh: the weights by formula (formula.h) as .safetensors, by their public names:
 *   vgg, heads, both, convnext (small), plain (the same, names without convnextv2.), counted (the same, with a count of
 *   batches and a decoder that it has not), changed (one weight another), inception, negative (heads with a weight below 0)
 * networks few FILE.npz, networks mixed FILE.npz - statistics (mu, sigma) of 64 features; a mu of Inception's, but a sigma of 64
 * networks other FILE.npz, networks smaller FILE.npz - of 64 features, and as if pmf had made them of 9 images of 16 x 16, of 8 x 8
 * networks check FILE.h5 - does a file that pmf import wrote hold them, bit for bit? Exit code 1 if not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/network_file.h"
#include "io/npz.h"
#include "io/safetensors.h"
#include "src/base/status.h"
#include "src/vision/convnext.h"
#include "src/vision/inception.h"
#include "src/vision/lpips.h"
#include "tests/formula.h"

static const struct convnext_sizes small = { { 1, 1, 2, 1 }, { 8, 16, 32, 64 } };
static struct contrast contrast;
static struct inception inception;

static bool is_head(const struct tensor *t) { return !strncmp(t->name, "lin", 3); }
static bool is_body(const struct tensor *t) { return !is_head(t); }

static struct table *table_of(const char *kind, const struct convnext_sizes *sizes) {
  if (!strcmp(kind, "inception")) {
    inception_init(&inception);
    return &inception.table;
  }
  if (!strcmp(kind, "convnext")) convnext_init(&contrast, sizes, 64, 64);
  else lpips_init(&contrast, 64, 64);
  return &contrast.table;
}

static int write(const char *kind, const char *path) {
  const int plain = !strcmp(kind, "plain"), negative = !strcmp(kind, "negative"), heads = !strcmp(kind, "heads") || negative;
  const int counted = !strcmp(kind, "counted"), changed = !strcmp(kind, "changed");
  struct table *t = table_of(plain || counted || changed ? "convnext" : kind, &small);
  if (counted) {
    table_add(t, "convnextv2.norm.num_batches_tracked", 1, (size_t[]){ 1 }, RULE_ADAM, INIT_ZERO, 0, 0);
    table_add(t, "convnextv2.decoder.weight", 2, (size_t[]){ 3, 4 }, RULE_ADAM, INIT_ZERO, 0, 0);
  }
  float *weights = malloc(t->size * sizeof *weights);
  if (!weights) abort();
  formula_weights(t, weights);
  if (changed) weights[0] += 1;
  if (negative) weights[t->tensors[t->count - 1].offset + 5] = -0.25f;
  for (size_t i = 0; i < t->count && plain; i++) {
    char *name = t->tensors[i].name;
    memmove(name, name + 11, strlen(name) - 10);
  }
  bool (*const wanted)(const struct tensor *) = heads ? is_head : !strcmp(kind, "vgg") ? is_body : NULL;
  const int status = safetensors_write(path, t, weights, "", wanted, NULL);
  if (status) fprintf(stderr, "%s\n", status_reason());
  free(weights);
  return status != STATUS_OK;
}

static int zeros(void *context, const void **data, size_t *bytes) {
  static const double none[64];
  (void)context;
  *data = none;
  *bytes = sizeof none;
  return STATUS_OK;
}
static int words(void *text, const void **data, size_t *bytes) {
  *data = text;
  *bytes = strlen(text);
  return STATUS_OK;
}
static int write_statistics(const char *kind, const char *path) {
  const size_t features = strcmp(kind, "mixed") ? 64 : INCEPTION_FEATURES;
  char of[64];
  const int size = !strcmp(kind, "other") ? 16 : !strcmp(kind, "smaller") ? 8 : 0;
  snprintf(of, sizeof of, "0123456789abcdef %d x %d x 3, 9", size, size);
  const struct npz_array arrays[] = { { "mu", "<f8", 1, { features }, zeros, NULL },
                                      { "sigma", "<f8", 2, { 64, 64 }, zeros, NULL },
                                      { "pmf_images", "|u1", 1, { strlen(of) }, words, of } };
  return npz_write(path, size ? 3 : 2, arrays) != STATUS_OK;
}

static int check(const char *path) {
  struct network_facts facts;
  struct convnext_sizes sizes;
  int status = network_file_facts(path, NULL, &facts);
  if (!status) {
    memcpy(sizes.depths, facts.depths, sizeof sizes.depths);
    memcpy(sizes.dims, facts.dims, sizeof sizes.dims);
    const struct table *t = table_of(facts.kind, &sizes);
    float *weights = malloc(t->size * sizeof *weights), *back = malloc(t->size * sizeof *back);
    if (!weights || !back) abort();
    formula_weights(t, weights);
    status = network_file_read(path, t->size, back);
    if (!status && memcmp(weights, back, t->size * sizeof *back)) status = because(STATUS_BAD, "%s: other weights", path);
    free(weights), free(back);
  }
  if (status) fprintf(stderr, "%s\n", status_reason());
  return status != STATUS_OK;
}

int main(int argc, char **argv) {
  if (argc != 3) return fputs("usage: networks KIND FILE | check FILE.h5\n", stderr), 64;
  int statistics = 0;
  for (int i = 0; i < 4; i++) statistics |= !strcmp(argv[1], (const char *[]){ "few", "mixed", "other", "smaller" }[i]);
  const int bad = statistics ? write_statistics(argv[1], argv[2])
                  : strcmp(argv[1], "check") ? write(argv[1], argv[2]) : check(argv[2]);
  contrast_free(&contrast);
  inception_free(&inception);
  return bad;
}
