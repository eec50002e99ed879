#include "io/hold.h"

#include <mpi.h>
#include <stdbool.h>

static bool holding;
static int first = MPI_SUCCESS;
static char words[MPI_MAX_ERROR_STRING];

void hold_begin(void) {
  holding = true;
  first = MPI_SUCCESS;
}

const char *hold_end(void) {
  int length;
  holding = false;
  if (first == MPI_SUCCESS) return NULL;
  MPI_Error_string(first, words, &length);
  return words;
}

/* What HDF5 is to hear of a call that ended so. */
static int told(int code) {
  if (!holding || code == MPI_SUCCESS) return code;
  if (first == MPI_SUCCESS) first = code;
  return MPI_SUCCESS;
}

/* The same of a write: HDF5 asks the status how much went out, and OMPIO tells a failure by that alone. */
static int told_write(int code, int count, MPI_Datatype type, MPI_Status *status) {
  MPI_Count size, gone;
  if (!holding || status == MPI_STATUS_IGNORE) return told(code);
  MPI_Type_size_x(type, &size);
  MPI_Get_elements_x(status, MPI_BYTE, &gone);
  if (code == MPI_SUCCESS && gone == count * size) return code;
  MPI_Status_set_elements_x(status, MPI_BYTE, count * size);
  return told(code == MPI_SUCCESS ? MPI_ERR_IO : code);
}

int MPI_File_write_at(MPI_File f, MPI_Offset at, const void *from, int count, MPI_Datatype type, MPI_Status *status) {
  return told_write(PMPI_File_write_at(f, at, from, count, type, status), count, type, status);
}
int MPI_File_write_at_all(MPI_File f, MPI_Offset at, const void *from, int count, MPI_Datatype type, MPI_Status *status) {
  if (holding) return MPI_File_write_at(f, at, from, count, type, status);
  return PMPI_File_write_at_all(f, at, from, count, type, status);
}
int MPI_File_sync(MPI_File f) { return told(PMPI_File_sync(f)); }
int MPI_File_set_size(MPI_File f, MPI_Offset bytes) { return told(PMPI_File_set_size(f, bytes)); }
