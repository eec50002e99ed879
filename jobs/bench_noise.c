#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/dataset_draft.h"
#include "jobs/bench.h"
#include "mpi/agree.h"
#include "src/base/random.h"
#include "src/base/status.h"

/* One image's bytes, from `first` on in those of all. */
static int from_nothing(void *image_bytes, enum split split, size_t index, size_t skip, size_t n, uint8_t *to) {
  const size_t first = index * *(const size_t *)image_bytes + skip;
  uint32_t bits[64];
  (void)split;
  for (size_t i = 0; i < n; i++) {
    const size_t at = (first + i) % sizeof bits;
    if (i == 0 || at == 0) random_bits((struct purpose){ 1, STREAM_TEST, (first + i) / sizeof bits, 0 }, 64, bits);
    to[i] = ((const uint8_t *)bits)[at];
  }
  return STATUS_OK;
}

static int create(const struct settings *s, size_t count, struct dataset_draft *draft) {
  const char *folder = getenv("TMPDIR");
  char path[TEXT_MAX];
  const size_t classes = s->dataset.num_classes > 0 ? (size_t)s->dataset.num_classes : 1;
  int32_t *labels = malloc(count * sizeof *labels);
  char (*names)[CLASS_NAME_MAX] = calloc(classes, sizeof *names);
  int status = labels && names ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu labels", count);
  for (size_t i = 0; i < count && !status; i++) labels[i] = (int32_t)(i % classes);
  for (size_t i = 0; i < classes && !status; i++) snprintf(names[i], sizeof names[i], "%zu", i);
  snprintf(path, sizeof path, "%s/pmf-bench-%ld.h5", folder && *folder ? folder : "/tmp", (long)getpid());
  const struct dataset_plan plan = {
    .size = (size_t)s->dataset.image_size, .channels = (size_t)s->dataset.image_channels, .classes = classes,
    .count = { count, 0 }, .labels = { labels, labels }, .class_names = names, .source = "noise", .command = "pmf bench",
  };
  if (!status) status = dataset_draft_create(draft, path, &plan);
  free(labels), free(names);
  return status;
}

int bench_noise(const struct world *w, const struct settings *s, size_t count, char path[TEXT_MAX]) {
  struct dataset_draft draft;
  int status = agree(w->comm, w->rank == 0 ? create(s, count, &draft) : STATUS_OK);
  if (status) return status;
  MPI_Bcast(&draft, sizeof draft, MPI_BYTE, 0, w->comm);
  status = agree(w->comm, dataset_draft_fill(&draft, w->rank, w->ranks, from_nothing, &draft.image_bytes));
  if (!status) status = agree(w->comm, w->rank == 0 ? dataset_draft_finish(&draft) : STATUS_OK);
  if (status && w->rank == 0) dataset_draft_drop(&draft);
  snprintf(path, TEXT_MAX, "%.*s", TEXT_MAX - 1, draft.path);
  return status;
}
