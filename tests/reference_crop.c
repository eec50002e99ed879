/* The crop of SPEC 10, byte for byte: NAME/image with NAME@target gives NAME/result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/vision/crop.h"
#include "tests/reference.h"

static void check(struct reference *r, const char *image, const char *group) {
  char result[408];
  const struct array *in = reference_read(r, image);
  const size_t size = (size_t)reference_attribute(r, group, "target", 0);
  if (!in || in->rank != 3 || in->dims[2] != 3 || size == 0) {
    reference_fail(r, image, "is not [H,W,3] with a target");
    return;
  }
  const size_t count = size * size * 3;
  uint8_t *u8 = malloc(in->count), *out = malloc(count);
  float *mine = malloc(count * sizeof *mine);
  for (size_t i = 0; i < in->count; i++) u8[i] = (uint8_t)in->value[i];
  crop_square(in->dims[0], in->dims[1], 3, u8, size, out);
  for (size_t i = 0; i < count; i++) mine[i] = out[i];
  snprintf(result, sizeof result, "%s/result", group);
  reference_compare(r, result, mine, count, 0, 0);
  free(u8), free(out), free(mine);
}

void reference_crop(struct reference *r) {
  for (size_t i = 0; i < r->n_items; i++) {
    char group[400], target[420];
    snprintf(group, sizeof group, "%s", r->items[i].name);
    char *slash = strrchr(group, '/');
    if (!slash || strcmp(slash, "/image")) continue;
    *slash = 0;
    snprintf(target, sizeof target, "%s@target", group);
    if (reference_has(r, target) && reference_wants(r, r->items[i].name)) check(r, r->items[i].name, group);
  }
}
