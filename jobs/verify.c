#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint.h"
#include "io/dataset.h"
#include "io/hdf.h"
#include "io/network_file.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "mpi/agree.h"
#include "src/base/status.h"

static int verify_network(const char *path) {
  struct network_facts facts;
  int status = network_file_facts(path, NULL, &facts);
  if (status) return status;
  float *weights = malloc((facts.n + 1) * sizeof *weights);
  status = weights ? network_file_read(path, facts.n, weights) : because(STATUS_NOMEM, "%s: no memory for its weights", path);
  free(weights);
  return status;
}

static int verify(int argc, char **argv) {
  char *path[2] = { NULL, NULL }, format[64];
  hid_t file;
  int status = words_parse(argc, argv, NULL, 0, path, 1);
  if (status) return status;
  if (!path[0]) return because(STATUS_BAD, "expected a file, as pmf verify runs/fashion/checkpoint.h5");
  if ((status = hdf_open(&file, path[0]))) return status;
  const int none = hdf_get_text(file, "format", format, sizeof format);
  H5Fclose(file);
  if (none) return because(STATUS_BAD, "%s: not a file of pmf (it has no attribute format)", path[0]);
  if (!strcmp(format, "pmf-checkpoint")) status = checkpoint_verify(path[0]);
  else if (!strcmp(format, "pmf-dataset")) status = dataset_verify(path[0]);
  else if (!strcmp(format, "pmf-network")) status = verify_network(path[0]);
  else return because(STATUS_BAD, "%s: its format is %s, expected pmf-checkpoint, pmf-dataset or pmf-network", path[0], format);
  if (!status) printf("%s: sound (%s, every block agrees with its checksum)\n", path[0], format);
  return status;
}

int verify_run(const struct world *w, int argc, char **argv) {
  return agree(w->comm, w->rank == 0 ? verify(argc, argv) : STATUS_OK);
}

void verify_help(void) {
  printf("usage: pmf verify FILE.h5\n\n"
         "Reads a checkpoint, a packed image set or an imported network from end to end\n"
         "and compares every block of a MiB with\n"
         "its checksum. Exit code 0 if all agree; 65 if not, with the first block that differs.\n\n"
         "examples:\n"
         "  pmf verify runs/fashion/checkpoint.h5\n"
         "  pmf verify data/fashion.h5\n");
}
