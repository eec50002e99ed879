#include "jobs/import_sizes.h"

#include <stdio.h>
#include <string.h>

#include "src/base/status.h"

enum {
  SIZE, CHANNELS, CLASSES, PATCH, DEPTH, WIDTH, HEADS, HEAD_DEPTH, CLASS_TOKENS, TIME_TOKENS, CFG_TOKENS, INTERVAL_TOKENS
};
static const char *const keys[IMPORT_SIZES] = {
  "dataset.image_size", "dataset.image_channels", "dataset.num_classes", "model.patch_size", "model.depth", "model.hidden_size",
  "model.num_heads", "model.aux_head_depth", "model.num_class_tokens", "model.num_time_tokens", "model.num_cfg_tokens",
  "model.num_interval_tokens"
};

/* Dimension d of a tensor; 0 where it has none. */
static size_t dimension(const struct weights *f, const char *prefix, const char *name, size_t d) {
  const struct weights_tensor *t = weights_find(f, prefix, name);
  return t && d < t->rank && t->shape[d] < 1 << 24 ? t->shape[d] : 0;
}

/* How many of KIND.0, KIND.1, ... there are. */
static size_t blocks(const struct weights *f, const char *prefix, const char *kind) {
  char name[64];
  for (size_t i = 0;; i++) {
    snprintf(name, sizeof name, "%s.%zu.norm1.weight", kind, i);
    if (!weights_find(f, prefix, name)) return i;
  }
}

/* Does the named preset have these sizes? The authors' nets differ in four of them. */
static bool is_preset(const size_t v[IMPORT_SIZES], size_t width, size_t depth, size_t heads, size_t patch) {
  return v[WIDTH] == width && v[DEPTH] == depth && v[HEADS] == heads && v[PATCH] == patch && v[SIZE] == 16 * patch
         && v[CHANNELS] == 3 && v[CLASSES] == 1000 && v[HEAD_DEPTH] == 8 && v[CLASS_TOKENS] == 8 && v[TIME_TOKENS] == 4
         && v[CFG_TOKENS] == 4 && v[INTERVAL_TOKENS] == 2;
}

static void name_preset(struct import_sizes *s, const size_t v[IMPORT_SIZES]) {
  static const struct { char letter; size_t width, depth, heads; } nets[] = { { 'B', 768, 16, 12 }, { 'L', 1024, 32, 16 },
                                                                              { 'H', 1280, 48, 16 } };
  for (int i = 0; i < 3; i++)
    for (size_t patch = 16; patch <= 32; patch += 16)
      if (is_preset(v, nets[i].width, nets[i].depth, nets[i].heads, patch))
        snprintf(s->preset, sizeof s->preset, "pMF_%c_%zu", nets[i].letter, patch);
}

int import_sizes_read(struct import_sizes *s, const struct weights *f, const char *prefix) {
  size_t v[IMPORT_SIZES] = { 0 };
  const size_t shared = blocks(f, prefix, "shared_blocks"), rows =
    dimension(f, prefix, "y_embedder.embedding_table._flax_embedding.weight", 0);
  const size_t head = dimension(f, prefix, shared ? "shared_blocks.0.attn.q_norm.weight" : "u_heads.0.attn.q_norm.weight", 0);
  v[HEAD_DEPTH] = blocks(f, prefix, "u_heads");
  v[DEPTH] = shared + v[HEAD_DEPTH];
  v[CHANNELS] = dimension(f, prefix, "x_embedder.proj1.weight", 1);
  v[PATCH] = dimension(f, prefix, "x_embedder.proj1.weight", 2);
  v[WIDTH] = dimension(f, prefix, "x_embedder.proj2.weight", 0);
  v[HEADS] = head ? v[WIDTH] / head : 0;
  v[CLASSES] = rows ? rows - 1 : 0;
  v[CLASS_TOKENS] = dimension(f, prefix, "class_tokens", 1);
  v[TIME_TOKENS] = dimension(f, prefix, "time_tokens", 1);
  v[CFG_TOKENS] = dimension(f, prefix, "omega_tokens", 1);
  v[INTERVAL_TOKENS] = dimension(f, prefix, "t_min_tokens", 1);
  const size_t T = dimension(f, prefix, "pos_embed", 1);
  const size_t before = v[CLASS_TOKENS] + v[TIME_TOKENS] + v[CFG_TOKENS] + 2 * v[INTERVAL_TOKENS];
  for (size_t side = 1; before < T && side * side <= T - before; side++)
    if (side * side == T - before) v[SIZE] = side * v[PATCH];   /* images are square */
  *s = (struct import_sizes){ 0 };
  for (int i = 0; i < IMPORT_SIZES; i++) {
    if (!v[i] && i != HEAD_DEPTH && !(i == CLASSES && rows))
      return because(STATUS_BAD, "%s: %s does not follow from the shapes of its tensors; expected preset= or config=", f->path,
                     keys[i]);
    s->list[i].key = keys[i];
    s->list[i].value = (long)v[i];
  }
  name_preset(s, v);
  return STATUS_OK;
}
