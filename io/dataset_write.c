#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/dataset_draft.h"
#include "io/seen.h"
#include "src/base/status.h"

static size_t image_bytes(const struct images *m) { return m->size * m->size * m->channels; }

/* kept: the held-out images that occur neither in train nor earlier; its arrays are malloc'ed. */
static int drop_duplicates(const struct images *train, const struct images *heldout, struct images *kept) {
  const size_t bytes = image_bytes(train), room = heldout->count + 1;
  struct seen s;
  *kept = *heldout;
  kept->count = 0;
  kept->pixels = malloc(room * bytes), kept->labels = malloc(room * sizeof *kept->labels);
  int status = seen_init(&s, train->count + heldout->count);
  if (!status && (!kept->pixels || !kept->labels)) status = because(STATUS_NOMEM, "no memory to compare the images");
  for (size_t i = 0; i < train->count && !status; i++) seen_add(&s, seen_hash(train->pixels + i * bytes, bytes), i);
  for (size_t i = 0; i < heldout->count && !status; i++) {
    const uint8_t *pixels = heldout->pixels + i * bytes;
    const size_t number = train->count + i;
    if (seen_add(&s, seen_hash(pixels, bytes), number) != number) continue;
    memcpy(kept->pixels + kept->count * bytes, pixels, bytes);
    kept->labels[kept->count++] = heldout->labels[i];
  }
  seen_free(&s);
  return status;
}

static int from_memory(void *from, enum split split, size_t index, size_t skip, size_t n, uint8_t *to) {
  const struct images *m = ((const struct images **)from)[split];
  memcpy(to, m->pixels + index * image_bytes(m) + skip, n);
  return STATUS_OK;
}

int dataset_write(const char *path, const struct images *train, const struct images *heldout,
                  char (*class_names)[CLASS_NAME_MAX], const char *source, const char *command, size_t *duplicates_dropped) {
  assert(heldout->size == train->size && heldout->channels == train->channels && heldout->classes == train->classes);
  struct images kept;
  struct dataset_draft draft;
  int status = drop_duplicates(train, heldout, &kept);
  if (!status) {
    const struct images *parts[2] = { train, &kept };
    const struct dataset_plan plan = {
      .size = train->size, .channels = train->channels, .classes = train->classes, .count = { train->count, kept.count },
      .labels = { train->labels, kept.labels }, .class_names = class_names, .source = source, .command = command,
      .duplicates_dropped = *duplicates_dropped = heldout->count - kept.count,
    };
    status = dataset_draft_create(&draft, path, &plan);
    if (!status) {
      status = dataset_draft_fill(&draft, 0, 1, from_memory, parts);
      if (!status) status = dataset_draft_finish(&draft);
      if (status) dataset_draft_drop(&draft);
    }
  }
  free(kept.pixels), free(kept.labels);
  return status;
}
