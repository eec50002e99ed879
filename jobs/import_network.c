#include "jobs/import_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/network_file.h"
#include "jobs/import_match.h"
#include "src/base/status.h"
#include "src/vision/convnext.h"
#include "src/vision/inception.h"
#include "src/vision/lpips.h"

enum { LPIPS, CONVNEXT, INCEPTION, KINDS };
/* A tensor that the network has and no other; how many characters of the table's names a file may lack. */
static const struct { const char *name, *mouth; size_t optional; } kinds[KINDS] = {
  [LPIPS] = { "lpips", "features.0.weight", 0 },
  [CONVNEXT] = { "convnext", "embeddings.patch_embeddings.weight", sizeof "convnextv2." - 1 },
  [INCEPTION] = { "inception", "Conv2d_1a_3x3.conv.weight", 0 },
};
static const char head[] = "lin0.model.1.weight";
enum { SIDE = 224 };   /* any that fits: weights do not depend on it */

struct network {
  int kind;
  char prefix[WEIGHTS_NAME], head_prefix[WEIGHTS_NAME];
  size_t skip;
  struct contrast contrast;       /* of the first two kinds */
  struct inception inception;
  struct table table, body, heads;   /* body and heads: views of the whole */
  struct weights head_file;
  struct network_facts facts;
  float *weights;
};

static int kind_of(const struct weights *f, char prefix[WEIGHTS_NAME]) {
  char also[WEIGHTS_NAME];
  for (int k = 0; k < KINDS; k++)
    if (import_prefix(f, kinds[k].mouth, "", prefix, also)) return k;
  return KINDS;
}

bool import_is_network(const struct weights *f) {
  char prefix[WEIGHTS_NAME], also[WEIGHTS_NAME];
  return kind_of(f, prefix) < KINDS || import_prefix(f, head, "", prefix, also);
}

/* Depths and widths of a ConvNeXt, from its tensors. */
static int read_sizes(const struct weights *f, struct network *n) {
  char name[96];
  for (size_t stage = 0; stage < NETWORK_STAGES; stage++)
    for (size_t layer = 0;; layer++) {
      snprintf(name, sizeof name, "encoder.stages.%zu.layers.%zu.dwconv.weight", stage, layer);
      const struct weights_tensor *t = weights_find(f, n->prefix, name);
      if (!t && layer) break;
      if (!t || !t->rank || !t->shape[0] || t->shape[0] > 1 << 14)
        return because(STATUS_BAD, "%s: not a ConvNeXt-V2 of %d stages: %s%s is missing or cannot be", f->path,
                       NETWORK_STAGES, n->prefix, name);
      n->facts.depths[stage] = layer + 1;
      n->facts.dims[stage] = t->shape[0];
    }
  return STATUS_OK;
}

static int build(const struct weights *f, struct network *n) {
  struct convnext_sizes sizes;
  int status = STATUS_OK;
  if (n->kind == CONVNEXT) {
    status = read_sizes(f, n);
    if (status) return status;
    const size_t p = strlen(n->prefix), optional = kinds[CONVNEXT].optional;   /* the public name may lack its beginning */
    n->skip = optional;
    if (p >= optional && !strcmp(n->prefix + p - optional, "convnextv2.")) {
      n->prefix[p - optional] = 0;
      n->skip = 0;
    }
    memcpy(sizes.depths, n->facts.depths, sizeof sizes.depths);
    memcpy(sizes.dims, n->facts.dims, sizeof sizes.dims);
    convnext_init(&n->contrast, &sizes, SIDE, SIDE);
  } else if (n->kind == LPIPS) {
    lpips_init(&n->contrast, SIDE, SIDE);
  } else {
    inception_init(&n->inception);
  }
  n->table = n->kind == INCEPTION ? n->inception.table : n->contrast.table;
  n->body = n->table;
  while (n->kind == LPIPS && !strncmp(n->body.tensors[n->body.count - 1].name, "lin", 3)) n->body.count--;
  n->heads = n->table;
  n->heads.tensors += n->body.count;
  n->heads.count -= n->body.count;
  return STATUS_OK;
}

/* The name of a file without its folders. */
static const char *base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static int remember(struct network *n, int i, const char *path) {
  snprintf(n->facts.source[i], sizeof n->facts.source[i], "%.*s", NETWORK_NAME - 1, base(path));
  return sha256_file(path, n->facts.sha256[i]);
}

/* LPIPS' heads: from their own file, or from the same. */
static int read_heads(struct weights *f, const char *path, struct network *n) {
  char also[WEIGHTS_NAME];
  struct weights *from = path ? &n->head_file : f;
  int status = path ? weights_open(from, path) : STATUS_OK;
  if (status) return status;
  if (!import_prefix(from, head, "", n->head_prefix, also))
    return because(STATUS_BAD, "%s: no %s in it%s", from->path, head,
                   path ? "" : ": expected heads=FILE, the weights of LPIPS v0.1 for VGG-16");
  const struct import_part part = { from, n->head_prefix, 0, &n->heads, NULL };
  status = import_match(&part);
  if (!status) status = import_read(&part, n->weights);
  for (size_t i = 0; i < n->heads.count && !status; i++) {
    const struct tensor *t = &n->heads.tensors[i];
    for (size_t j = t->offset; j < t->offset + t->size && !status; j++)
      if (n->weights[j] < 0) status = because(STATUS_BAD, "%s: %s holds %g: LPIPS' weights are not negative", from->path, t->name,
                                              n->weights[j]);
  }
  if (!status && path) status = remember(n, 1, path);
  return status;
}

static int read_all(struct weights *f, const char *heads, struct network *n) {
  const struct import_part part = { f, n->prefix, n->skip, &n->body, NULL };
  int status = import_match(&part);
  if (status) return status;
  n->weights = calloc(n->table.size, sizeof *n->weights);
  if (!n->weights) return because(STATUS_NOMEM, "no memory for %zu weights", n->table.size);
  status = import_read(&part, n->weights);
  if (!status && n->heads.count) status = read_heads(f, heads, n);
  if (!status) status = remember(n, 0, f->path);
  if (!status) import_tell_unused(&part);
  return status;
}

static int import(struct weights *f, const char *heads, const char *out, struct network *n) {
  n->kind = kind_of(f, n->prefix);
  if (n->kind == KINDS)
    return because(STATUS_BAD, "%s: LPIPS' weights alone: expected in=VGG-16 and heads=%s", f->path, base(f->path));
  if (heads && n->kind != LPIPS)
    return because(STATUS_BAD, "heads=%s: they belong to VGG-16, and %s is of kind %s", heads, f->path, kinds[n->kind].name);
  snprintf(n->facts.kind, sizeof n->facts.kind, "%s", kinds[n->kind].name);
  int status = build(f, n);
  if (!status) status = read_all(f, heads, n);
  if (!status) status = network_file_write(out, &n->facts, n->table.size, n->weights);
  if (status) return status;
  printf("%s: network of kind %s, %zu tensors, %zu parameters\n", out, n->facts.kind, n->table.count,
         table_parameters(&n->table));
  for (int i = 0; i < NETWORK_SOURCES; i++)
    if (*n->facts.source[i]) printf("  SHA-256 %s  %s\n", n->facts.sha256[i], n->facts.source[i]);
  return STATUS_OK;
}

int import_network(struct weights *f, const char *heads, const char *out, int argc, char **argv) {
  for (int i = 0; i < argc; i++)
    if (strncmp(argv[i], "in=", 3) && strncmp(argv[i], "out=", 4) && strncmp(argv[i], "heads=", 6))
      return because(STATUS_BAD, "%.100s: %s is a network that looks at images; its import takes in=, heads= and out= alone",
                     argv[i], f->path);
  struct network *n = calloc(1, sizeof *n);
  if (!n) return because(STATUS_NOMEM, "no memory for an import");
  n->head_file.fd = -1;
  const int status = import(f, heads, out, n);
  weights_close(&n->head_file);
  contrast_free(&n->contrast);
  inception_free(&n->inception);
  free(n->weights);
  free(n);
  return status;
}
