#include "io/checkpoint_io.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined OMPI_MAJOR_VERSION && OMPI_MAJOR_VERSION >= 5
#define ROMIO "romio341"
#else
#define ROMIO "romio321"
#endif

static int rank0;

void checkpoint_io_choose(int io) {
  rank0 = io == CHECKPOINT_RANK0;
  /* Open MPI reads this when it opens its first file, so it is not too late. */
  if (io == CHECKPOINT_OMPIO) setenv("OMPI_MCA_io", "ompio", 1);
  if (io == CHECKPOINT_ROMIO) setenv("OMPI_MCA_io", ROMIO, 1);
}

int checkpoint_io_is_rank0(void) { return rank0; }

static int is_romio(void) {
  const char *io = getenv("OMPI_MCA_io");
  return io && !strncmp(io, "romio", 5);
}

int checkpoint_io_is_unsafe(void) {
  const char *sieving = getenv("OMPI_MCA_fbtl_posix_write_datasieving");
  return !rank0 && !is_romio() && (!sieving || strcmp(sieving, "0"));
}

const char *checkpoint_io_name(void) {
  if (rank0) return "rank0 (rank 0 writes alone)";
  if (is_romio()) return "romio (MPI-IO)";
  if (checkpoint_io_is_unsafe()) return "ompio (MPI-IO) WITH data sieving, which can write wrong values";
  return getenv("OMPI_MCA_io") ? "ompio (MPI-IO) without data sieving"
                               : "MPI-IO, by Open MPI's choice (ompio without data sieving)";
}
