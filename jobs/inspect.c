#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "io/blocks.h"
#include "io/checkpoint.h"
#include "io/dataset.h"
#include "io/folder_list.h"
#include "io/hdf.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "jobs/setup.h"
#include "mpi/agree.h"
#include "src/base/status.h"

/* Prints the attributes of the root, which say how the file came to be, and what kind of file it is. */
static int print_attributes(const char *path, char *format, size_t room) {
  enum { MOST = 64 };
  hid_t file;
  int status = hdf_open(&file, path);
  if (status) return status;
  struct hdf_attribute *list = calloc(MOST, sizeof *list);
  const int n = list ? hdf_attributes(file, list, MOST) : 0;
  if (!list) status = because(STATUS_NOMEM, "%s: no memory for its attributes", path);
  else if (n < 0 || hdf_get_text(file, "format", format, room))
    status = because(STATUS_BAD, "%s: not a file of pmf (it has no attribute format)", path);
  else if (strcmp(format, "pmf-checkpoint") && strcmp(format, "pmf-dataset") && strcmp(format, "pmf-network"))
    status = because(STATUS_BAD, "%s: its format is %s, expected pmf-checkpoint, pmf-dataset or pmf-network", path, format);
  if (!status) printf("%s\n", path);
  for (int i = 0; i < n && !status; i++)
    if (strcmp(list[i].name, "head")) printf("  %-20s %s\n", list[i].name, list[i].value);
  free(list);
  H5Fclose(file);
  return status;
}

/* name, shape, elements and the checksum of its raw weights */
static void print_tensor(const struct tensor *t, const float *weights) {
  char shape[96];
  int used = snprintf(shape, sizeof shape, "[");
  for (int d = 0; d < t->rank; d++)
    used += snprintf(shape + used, sizeof shape - (size_t)used, "%s%zu", d ? "," : "", t->shape[d]);
  snprintf(shape + used, sizeof shape - (size_t)used, "]");
  printf("  %-48s %-20s %10zu", t->name, shape, t->size);
  if (weights) printf("  %016llx", (unsigned long long)XXH64(weights + t->offset, t->size * sizeof(float), 0));
  printf("\n");
}

static void print_arrays(const struct checkpoint_info *info) {
  printf("arrays: name, elements, MiB, checksum (XXH64 of its blocks' XXH64)\n");
  for (size_t i = 0; i < info->n_flats; i++) {
    const struct flat *f = &info->flats[i];
    const size_t bytes = f->size * sizeof(float);
    const uint64_t sum = XXH64(info->sums[i], blocks_count(bytes) * sizeof(uint64_t), 0);
    printf("  %-20s %12zu %10.1f  %016llx\n", f->name, f->size, (double)bytes / BLOCK_BYTES, (unsigned long long)sum);
  }
}

static int inspect_checkpoint(const char *path) {
  struct checkpoint_info info;
  struct flat weights = flat_whole("weights", NULL, 0);
  int status = checkpoint_info(path, &info);
  if (status) return status;
  for (size_t i = 0; i < info.n_flats; i++)
    if (!strcmp(info.flats[i].name, "weights") && info.flats[i].size == info.table.size) weights = info.flats[i];
  if (weights.size) {
    weights.data = malloc(weights.size * sizeof(float));
    status = weights.data ? checkpoint_load(MPI_COMM_SELF, path, &weights, 1)
                          : because(STATUS_NOMEM, "%s: no memory for %zu weights", path, weights.size);
  }
  if (!status) {
    printf("step %llu, %llu images seen, %zu parameters in %zu tensors\n", (unsigned long long)info.step,
           (unsigned long long)info.images_seen, table_parameters(&info.table), info.table.count);
    if (!setup_has_v_head(&info.table)) printf("no v head: training from it asks for model.init_v_head=fresh\n");
    print_arrays(&info);
    printf("settings:\n");
    for (const char *line = info.settings; *line; line += strcspn(line, "\n"), line += *line == '\n')
      printf("  %.*s\n", (int)strcspn(line, "\n"), line);
    printf("tensors: name, shape, elements, checksum (XXH64 of the raw weights)\n");
    for (size_t i = 0; i < info.table.count; i++) print_tensor(&info.table.tensors[i], weights.data);
  }
  free(weights.data);
  checkpoint_info_free(&info);
  return status;
}

static int inspect_dataset(const char *path) {
  struct dataset d;
  const int status = dataset_open(&d, path);
  if (status) return status;
  printf("%zu training and %zu held-out images of %zu x %zu pixels, %zu channel%s\n", d.count[SPLIT_TRAIN],
         d.count[SPLIT_HELDOUT], d.image_size, d.image_size, d.channels, d.channels == 1 ? "" : "s");
  printf("classes: number, name, training images, held-out images\n");
  size_t *n = calloc(2 * d.classes + 1, sizeof *n);
  for (int split = 0; n && split < 2; split++)
    for (size_t i = 0; i < d.count[split]; i++) n[2 * (size_t)d.labels[split][i] + (size_t)split]++;
  for (size_t k = 0; n && k < d.classes; k++) {
    char name[4 * CLASS_NAME_MAX];
    printf("  %4zu  %-24s %10zu %10zu\n", k, folder_list_escape(d.class_names[k], name, sizeof name), n[2 * k + SPLIT_TRAIN],
           n[2 * k + SPLIT_HELDOUT]);
  }
  const int counted = n ? STATUS_OK : because(STATUS_NOMEM, "no memory to count %zu classes", d.classes);
  free(n);
  dataset_close(&d);
  return counted;
}

static int inspect(int argc, char **argv) {
  char *file[2] = { NULL, NULL }, format[64];
  int status = words_parse(argc, argv, NULL, 0, file, 1);
  if (status) return status;
  if (!file[0]) return because(STATUS_BAD, "expected a file, as pmf inspect runs/fashion/checkpoint.h5");
  status = print_attributes(file[0], format, sizeof format);
  if (status || !strcmp(format, "pmf-network")) return status;
  return strcmp(format, "pmf-dataset") ? inspect_checkpoint(file[0]) : inspect_dataset(file[0]);
}

int inspect_run(const struct world *w, int argc, char **argv) {
  return agree(w->comm, w->rank == 0 ? inspect(argc, argv) : STATUS_OK);
}

void inspect_help(void) {
  printf("usage: pmf inspect FILE.h5\n\n"
         "Says what is in a file that pmf wrote. A checkpoint: step, images seen, how it came to be,\n"
         "settings, arrays and tensors with checksums. A packed image set: images, classes, how it came to\n"
         "be. An imported network: its kind and where it came from.\n"
         "Only the raw weights are read in full; pmf verify reads everything.\n\n"
         "examples:\n"
         "  pmf inspect runs/fashion/checkpoint.h5\n"
         "  pmf inspect data/fashion.h5\n");
}
