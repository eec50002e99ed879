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

static int create(const struct settings *s, size_t count, const char *path, struct dataset_draft *draft) {
  const size_t classes = s->dataset.num_classes > 0 ? (size_t)s->dataset.num_classes : 1;
  int32_t *labels = malloc(count * sizeof *labels);
  char (*names)[CLASS_NAME_MAX] = calloc(classes, sizeof *names);
  int status = labels && names ? STATUS_OK : because(STATUS_NOMEM, "no memory for %zu labels", count);
  for (size_t i = 0; i < count && !status; i++) labels[i] = (int32_t)(i % classes);
  for (size_t i = 0; i < classes && !status; i++) snprintf(names[i], sizeof names[i], "%zu", i);
  const struct dataset_plan plan = {
    .size = (size_t)s->dataset.image_size, .channels = (size_t)s->dataset.image_channels, .classes = classes,
    .count = { count, 0 }, .labels = { labels, labels }, .class_names = names, .source = "noise", .command = "pmf bench",
  };
  if (!status) status = dataset_draft_create(draft, path, &plan);
  free(labels), free(names);
  return status;
}

/* COLLECTIVE over the ranks of a node: each its share. */
static int pack(MPI_Comm node, const struct settings *s, size_t count, const char *path) {
  struct dataset_draft draft;
  int rank, ranks;
  MPI_Comm_rank(node, &rank);
  MPI_Comm_size(node, &ranks);
  int status = agree(node, rank == 0 ? create(s, count, path, &draft) : STATUS_OK);
  if (status) return status;
  MPI_Bcast(&draft, sizeof draft, MPI_BYTE, 0, node);
  status = agree(node, dataset_draft_fill(&draft, rank, ranks, from_nothing, &draft.image_bytes));
  if (!status) status = agree(node, rank == 0 ? dataset_draft_finish(&draft) : STATUS_OK);
  if (status && rank == 0) dataset_draft_drop(&draft);
  return status;
}

int bench_noise(const struct world *w, const struct settings *s, size_t count, char path[TEXT_MAX]) {
  const char *folder = getenv("TMPDIR");
  int rank, status = STATUS_OK;
  MPI_Comm node;
  snprintf(path, TEXT_MAX, "%s/pmf-bench-%ld.h5", folder && *folder ? folder : "/tmp", (long)getpid());
  MPI_Bcast(path, TEXT_MAX, MPI_CHAR, 0, w->comm);   /* one name: settings are compared over ranks */
  MPI_Comm_split_type(w->comm, MPI_COMM_TYPE_SHARED, w->rank, MPI_INFO_NULL, &node);
  MPI_Comm_rank(node, &rank);
  for (int turn = 0; turn < 2 && !status; turn++) {   /* rank 0's node; then those that do not see that file */
    int mine = turn ? access(path, R_OK) != 0 : w->rank == 0;
    MPI_Bcast(&mine, 1, MPI_INT, 0, node);
    status = agree(w->comm, mine ? pack(node, s, count, path) : STATUS_OK);
  }
  MPI_Comm_free(&node);
  return status;
}
