#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/blocks.h"
#include "io/checkpoint_head.h"
#include "io/hdf.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "src/base/status.h"

/* Opens and reads the head; the caller closes *file and frees info, also after an error (then *file may be < 0). */
static int open_checked(const char *path, hid_t *file, struct checkpoint_info *info) {
  *info = (struct checkpoint_info) { 0 };
  const int status = hdf_open(file, path);
  return status ? status : checkpoint_head_read(*file, path, true, info);
}

int checkpoint_info(const char *path, struct checkpoint_info *info) {
  hid_t file;
  const int status = open_checked(path, &file, info);
  if (file >= 0) H5Fclose(file);
  if (status) checkpoint_info_free(info);
  return status;
}

/* Local. Rank k's share, among R, of every array against the checksums. */
static int verify_share(const char *path, int k, int R) {
  hid_t file;
  struct checkpoint_info info;
  int status = open_checked(path, &file, &info);
  for (size_t i = 0; i < info.n_flats && !status; i++) status = checkpoint_blocks_read(file, path, &info, i, k, R, NULL);
  if (file >= 0) H5Fclose(file);
  checkpoint_info_free(&info);
  return status;
}

int checkpoint_verify(const char *path) { return verify_share(path, 0, 1); }

/* The place in the file of the array that is asked for. */
static int match(const char *path, const struct checkpoint_info *info, const struct flat *f, size_t *place) {
  for (size_t i = 0; i < info->n_flats; i++) {
    if (strcmp(info->flats[i].name, f->name)) continue;
    *place = i;
    if (info->flats[i].size == f->size) return STATUS_OK;
    return because(STATUS_BAD, "%s: array %s has %zu elements, expected %zu", path, f->name, info->flats[i].size, f->size);
  }
  return because(STATUS_BAD, "%s: array %s is missing", path, f->name);
}

int checkpoint_load(MPI_Comm comm, const char *path, const struct flat *flats, size_t n_flats) {
  int rank, ranks;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  hid_t file;
  struct checkpoint_info info;
  int status = open_checked(path, &file, &info);
  for (size_t i = 0; i < n_flats && !status; i++) {
    size_t place = 0;
    status = match(path, &info, &flats[i], &place);
    if (!status) status = checkpoint_blocks_read(file, path, &info, place, rank, ranks, flats[i].data);
  }
  if (file >= 0) H5Fclose(file);
  checkpoint_info_free(&info);
  status = agree(comm, status);
  for (size_t i = 0; i < n_flats && !status; i++) {
    const size_t bytes = flats[i].size * sizeof(float), blocks = blocks_count(bytes);
    for (int k = 0; k < ranks; k++) {
      const struct slab share = blocks_share(blocks, k, ranks);
      const size_t first = share.first * BLOCK_BYTES, most = share.end * BLOCK_BYTES;
      const size_t end = most < bytes ? most : bytes;
      if (first < end) spread(comm, k, end - first, (char *)flats[i].data + first);
    }
  }
  return status;
}

/* "(768, 256)" */
static const char *shape_text(char text[96], const struct tensor *t) {
  int used = snprintf(text, 96, "(");
  for (int d = 0; d < t->rank; d++) used += snprintf(text + used, 96 - (size_t)used, "%s%zu", d ? ", " : "", t->shape[d]);
  snprintf(text + used, 96 - (size_t)used, ")");
  return text;
}

int checkpoint_same_net(const char *path, const struct checkpoint_info *info, const struct table *table) {
  for (size_t i = 0; i < table->count; i++) {
    const struct tensor *want = &table->tensors[i], *have = table_find(&info->table, want->name);
    char a[96], b[96];
    if (!have) return because(STATUS_BAD, "%s: from another net: it has no tensor %s", path, want->name);
    if (have->rank != want->rank || memcmp(have->shape, want->shape, (size_t)want->rank * sizeof *want->shape))
      return because(STATUS_BAD, "%s: from another net: tensor %s is %s, expected %s", path, want->name, shape_text(a, have),
                     shape_text(b, want));
    if (have->offset != want->offset)
      return because(STATUS_BAD, "%s: from another net: tensor %s lies elsewhere", path, want->name);
  }
  if (info->table.count > table->count)
    return because(STATUS_BAD, "%s: from another net: it has %zu tensors, expected %zu", path, info->table.count,
                   table->count);
  return STATUS_OK;
}

int checkpoint_fits(const char *path, const struct checkpoint_info *info, const struct table *table) {
  const int status = checkpoint_same_net(path, info, table);
  for (size_t i = 0; i < table->count && !status; i++)   /* the same names in the same order, by their offsets */
    if (info->table.tensors[i].second != table->tensors[i].second)
      return because(STATUS_BAD, "%s: from another optimizer: the moments of tensor %s lie elsewhere", path,
                     table->tensors[i].name);
  return status;
}

/* COLLECTIVE. Rank 0 looks, so that all ranks see the same. */
static bool is_there(MPI_Comm comm, const char *path) {
  int rank, there;
  MPI_Comm_rank(comm, &rank);
  if (rank == 0) there = access(path, F_OK) == 0;
  MPI_Bcast(&there, 1, MPI_INT, 0, comm);
  return there;
}

/* COLLECTIVE. */
static int verify_shared(MPI_Comm comm, const char *path) {
  int rank, ranks;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  return agree(comm, verify_share(path, rank, ranks));
}

int checkpoint_find(MPI_Comm comm, const char *run, bool owner, char *path, size_t room, char *warning,
                    size_t warning_room) {
  char newest[PATH_MAX], other[PATH_MAX + 8];
  int rank;
  MPI_Comm_rank(comm, &rank);
  *path = *warning = 0;
  if (snprintf(newest, sizeof newest, "%s/checkpoint.h5", run) >= (int)sizeof newest)
    return because(STATUS_BAD, "%.64s...: the name is too long", run);
  snprintf(other, sizeof other, "%s.tmp", newest);
  if (owner && rank == 0) unlink(other);
  const bool had = is_there(comm, newest);
  int status = had ? verify_shared(comm, newest) : STATUS_OK;
  if (had && status != STATUS_BAD) {
    if (!status) snprintf(path, room, "%s", newest);
    return status;
  }
  if (had) snprintf(warning, warning_room, "%s", status_reason());
  snprintf(other, sizeof other, "%s.prev", newest);
  if (!is_there(comm, other))
    return status ? because(status, "%s; no %s is beside it: put a sound one in its place, or move it away and begin anew",
                            warning, other) : STATUS_OK;
  if (!had) snprintf(warning, warning_room, "%s: missing", newest);
  status = verify_shared(comm, other);
  if (status) return because(status, "%s; %s; put a sound one in place of these, or move them away and begin anew", warning,
                             status_reason());
  snprintf(path, room, "%s", other);
  snprintf(other, sizeof other, "%s.bad", newest);
  if (had && owner && rank == 0) rename(newest, other);
  return STATUS_OK;
}
