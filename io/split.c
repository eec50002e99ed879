#include "io/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/hdf.h"
#include "mpi/agree.h"
#include "src/base/status.h"

static void name_of(char name[32], size_t i) { snprintf(name, 32, "%zu", i); }

/* Rank 0: the file with its arrays, without values. */
static int create(const char *path, size_t arrays, const size_t *sizes) {
  unlink(path);
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  int bad = file < 0 ? hdf_fail() : 0;
  for (size_t i = 0; i < arrays && !bad; i++) {
    const hsize_t size = sizes[i];
    char name[32];
    name_of(name, i);
    bad = hdf_put(file, name, H5T_IEEE_F32LE, 1, &size, NULL);
  }
  if (file >= 0 && H5Fclose(file) < 0 && !bad) bad = hdf_fail();
  return bad ? hdf_because(path, "cannot be written") : STATUS_OK;
}

/* COLLECTIVE. This rank's runs of one array, which is dealt out to the ranks in turn, from values. 0 or -1. */
static int write_part(hid_t file, hid_t transfer, size_t i, hsize_t first, hsize_t stride, hsize_t runs, const float *values) {
  char name[32];
  name_of(name, i);
  const hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
  if (set < 0) return hdf_fail();
  const hsize_t run = SPLIT_RUN, one = runs ? runs * run : 1;
  const hid_t memory = H5Screate_simple(1, &one, NULL);
  if (runs) {
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, &stride, &runs, &run);
  } else {
    H5Sselect_none(space);
    H5Sselect_none(memory);
  }
  const int bad = H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, transfer, values) < 0 ? hdf_fail() : 0;
  H5Sclose(memory);
  H5Sclose(space);
  H5Dclose(set);
  return bad;
}

/* COLLECTIVE. room: for a part of the largest array. */
static int write_all(MPI_Comm comm, const char *path, size_t arrays, const size_t *sizes, float (*value)(size_t, size_t),
                     float *room) {
  int rank, ranks, bad;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  const hid_t how = H5Pcreate(H5P_FILE_ACCESS), transfer = H5Pcreate(H5P_DATASET_XFER);
  H5Pset_fapl_mpio(how, comm, MPI_INFO_NULL);
  H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE);
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, how);
  bad = file < 0 ? hdf_fail() : 0;
  H5Pclose(how);
  const int closed = agree_any(comm, bad);
  for (size_t i = 0; i < arrays && !closed; i++) {
    const size_t first = (size_t)rank * SPLIT_RUN, stride = (size_t)ranks * SPLIT_RUN;
    size_t runs = 0;
    for (; first + runs * stride < sizes[i]; runs++)
      for (size_t k = 0; k < SPLIT_RUN; k++) room[runs * SPLIT_RUN + k] = value(i, first + runs * stride + k);
    if (write_part(file, transfer, i, first, stride, runs, room)) bad = -1;
  }
  if (file >= 0 && H5Fclose(file) < 0 && !bad) bad = hdf_fail();
  H5Pclose(transfer);
  return bad ? hdf_because(path, "cannot be written in parallel") : STATUS_OK;
}

int split_write(MPI_Comm comm, const char *path, size_t arrays, const size_t *sizes, float (*value)(size_t i, size_t k)) {
  int rank;
  size_t most = 1;
  MPI_Comm_rank(comm, &rank);
  for (size_t i = 0; i < arrays; i++) most = sizes[i] > most ? sizes[i] : most;
  float *room = malloc(most * sizeof *room);
  int status = room ? STATUS_OK : because(STATUS_NOMEM, "%s: no memory to write it", path);
  if (!status && rank == 0) status = create(path, arrays, sizes);
  status = agree(comm, status);
  if (!status) status = agree(comm, write_all(comm, path, arrays, sizes, value, room));
  free(room);
  return status;
}

int split_check(const char *path, size_t arrays, const size_t *sizes, float (*value)(size_t i, size_t k), size_t *wrong) {
  hid_t file;
  int status = hdf_open(&file, path);
  *wrong = 0;
  for (size_t i = 0; i < arrays && !status; i++) {
    char name[32];
    hsize_t size;
    void *data;
    name_of(name, i);
    if (hdf_get(file, name, H5T_NATIVE_FLOAT, 1, &size, &data)) {
      status = because(STATUS_IO, "%s: array %zu cannot be read", path, i);
      break;
    }
    for (size_t k = 0; k < sizes[i]; k++) *wrong += ((float *)data)[k] != value(i, k);
    free(data);
  }
  if (file >= 0) H5Fclose(file);
  return status;
}
