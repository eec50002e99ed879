#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/checkpoint_head.h"
#include "io/checkpoint_saving.h"
#include "io/disk.h"
#include "io/generations.h"
#include "io/hdf.h"
#include "mpi/agree.h"
#include "src/base/status.h"

/* COLLECTIVE. The checksums of all ranks on rank 0. */
static void gather_sums(struct saving *s) {
  for (size_t i = 0; i < s->info.n_flats; i++) {
    uint64_t *sums = s->info.sums[i];
    for (int k = 0; k < s->ranks; k++) {
      const struct slab share = saving_share(s, &s->info.flats[i], k);
      s->counts[k] = (int)(share.end - share.first);
      s->places[k] = (int)share.first;
    }
    MPI_Gatherv(s->rank == 0 ? MPI_IN_PLACE : (void *)(sums + s->places[s->rank]), s->counts[s->rank], MPI_UINT64_T,
                sums, s->counts, s->places, MPI_UINT64_T, 0, s->comm);
  }
}

/* Rank 0: opens the file alone, lets `put` add to it, closes it. */
static int add(const struct saving *s, int (*put)(hid_t file, const struct checkpoint_info *info), const char *what) {
  const hid_t file = H5Fopen(s->tmp, H5F_ACC_RDWR, H5P_DEFAULT);
  int bad = file < 0 ? hdf_fail() : put(file, &s->info);
  if (file >= 0 && hdf_close(file)) bad = -1;
  return bad ? hdf_because(s->tmp, what) : STATUS_OK;
}

static int put_mark(hid_t file, const struct checkpoint_info *info) {
  (void)info;
  return checkpoint_mark_write(file);
}

/* Local. What was written is what a reader finds: MPI-IO has been seen to report success over wrong values (H1). */
static int read_back(const struct saving *s) {
  hid_t file;
  struct checkpoint_info found = { 0 };
  int status = hdf_open(&file, s->tmp);
  if (status) return status;
  status = checkpoint_head_read(file, s->tmp, false, &found);
  for (size_t i = 0; i < found.n_flats && !status && !s->checked; i++) {
    const struct slab share = blocks_share(blocks_count(saving_bytes(&found.flats[i])), s->rank, s->ranks);
    status = checkpoint_blocks_read(file, s->tmp, &found, i, share, NULL);
  }
  H5Fclose(file);
  checkpoint_info_free(&found);
  return status == STATUS_BAD ? because(STATUS_IO, "not what was written: %s", status_reason()) : status;
}

static int not_synchronised(const char *path) {
  return because(STATUS_IO, "%s: cannot be synchronised to disk: %s", path, strerror(errno));
}

/* Rank 0: the new file takes its name, those before it grow older. */
static int rotate(const struct saving *s) {
  chmod(s->tmp, 0444);
  if (disk_sync(s->tmp)) return not_synchronised(s->tmp);
  if (generations_turn(s->path) < 0) {
    const int status = because(STATUS_IO, "%s: it or an older one cannot be renamed: %s", s->path, strerror(errno));
    generations_turn_back(s->path);
    return status;
  }
  saving_reached("rotated");
  if (rename(s->tmp, s->path)) {
    const int status = because(STATUS_IO, "%s: cannot be renamed: %s", s->tmp, strerror(errno));
    generations_turn_back(s->path);
    return status;
  }
  return disk_sync_folder(s->path) ? not_synchronised(s->path) : STATUS_OK;
}

int saving_commit(struct saving *s) {
  gather_sums(s);
  int status = agree(s->comm, s->rank ? STATUS_OK : add(s, checkpoint_sums_write, "cannot take its checksums"));
  if (status) return status;
  saving_reached("summed");
  if ((status = agree(s->comm, s->checked && s->rank ? STATUS_OK : read_back(s)))) return status;
  if ((status = agree(s->comm, s->rank ? STATUS_OK : add(s, put_mark, "cannot take its mark")))) return status;
  saving_reached("marked");
  return agree(s->comm, s->rank ? STATUS_OK : rotate(s));
}
