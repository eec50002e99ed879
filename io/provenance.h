/* provenance.h - RUN/provenance.json: what made a run. A list with an object for each start:
 *   started (UTC), step it began after, command; pmf, commit (of the source tree, null if it was none), compiler, flags; mpi,
 *   hdf5, openblas, onednn (null: none): versions as the libraries found at run time tell them; ranks, hosts [{host, ranks,
 *   threads, cores of a rank, NUMA nodes of these, kernels, gflops of the slowest rank}], environment.
 * Only variables known to matter are recorded (a list here: OpenMP's, OpenBLAS's, HDF5's, Slurm's, ours, and the parameters
 * of Open MPI that people and this program set), so no others, such as keys and passwords, can get there. */
#ifndef IO_PROVENANCE_H
#define IO_PROVENANCE_H
#include <stdint.h>

#include "io/binding.h"

struct provenance {
  const char *job;                  /* the subcommand */
  int argc;
  char **argv;                      /* [argc] the words after it */
  uint64_t step;                    /* done before this start */
  const struct binding *bindings;   /* [ranks] */
  int ranks;
};
/* Appends this start to FOLDER/provenance.json, written whole and renamed. A file there that is no such list is put aside as
 * provenance.json.broken. After MPI has started. Ranks: local; rank 0 calls. Errors: STATUS_IO, STATUS_NOMEM. */
int provenance_add(const char *folder, const struct provenance *p);
#endif
