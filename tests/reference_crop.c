/* The crop of SPEC 10, byte for byte: NAME/image with NAME@target gives NAME/result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/vision/crop.h"
#include "tests/reference.h"

/* The bytes of an image, which the caller frees; NULL if its numbers are none. */
static uint8_t *bytes_of(const struct array *a) {
  uint8_t *u8 = malloc(a->count + 1);
  for (size_t i = 0; u8 && i < a->count; i++) {
    u8[i] = a->value[i] >= 0 && a->value[i] <= 255 ? (uint8_t)a->value[i] : 0;
    if (u8[i] != a->value[i]) return free(u8), NULL;
  }
  return u8;
}

static void check(struct reference *r, const char *image, const char *group) {
  const char *result = reference_path(r, "%s/result", group);
  const struct array *a = reference_read(r, image);
  const double target = reference_number(r, group, "target");
  uint8_t *u8 = a && a->count && a->shape.rank == 3 && a->shape.dims[2] == 3 ? bytes_of(a) : NULL;
  if (!u8 || !(target >= 1 && target <= 1e4 && target == (size_t)target)) {
    reference_fail(r, image, "is not bytes [H,W,3] with a target");
    free(u8);
    return;
  }
  if (!reference_has(r, result)) reference_fail(r, result, "is not in the file");
  const size_t size = (size_t)target, count = size * size * 3;
  uint8_t *out = malloc(count);
  real *mine = malloc(count * sizeof *mine);
  if (!out || !mine || crop_square(a->shape.dims[0], a->shape.dims[1], 3, u8, size, out)) abort();
  for (size_t i = 0; i < count; i++) mine[i] = out[i];
  reference_compare(r, result, mine, SHAPE(size, size, 3), 0, 0);
  free(u8), free(out), free(mine);
}

void reference_crop(struct reference *r) {
  for (size_t i = 0; i < r->n_items; i++) {
    char group[1024];
    snprintf(group, sizeof group, "%s", r->items[i].name);
    char *slash = strrchr(group, '/');
    if (!slash || strcmp(slash, "/image")) continue;
    *slash = 0;
    if (!reference_wants(r, group) || !reference_has(r, reference_path(r, "%s@target", group))) continue;
    check(r, r->items[i].name, group);
  }
}
