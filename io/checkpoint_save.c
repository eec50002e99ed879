#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/blocks.h"
#include "io/checkpoint_head.h"
#include "io/disk.h"
#include "io/hdf.h"
#include "mpi/agree.h"
#include "src/base/status.h"

size_t checkpoint_piece = (size_t)1 << 30;

/* One save under way. */
struct save {
  MPI_Comm comm;               /* without a topology: HDF5 over Cartesian ones corrupts files (H2) */
  int rank, ranks;
  char path[PATH_MAX], tmp[PATH_MAX + 8], prev[PATH_MAX + 8];
  struct checkpoint_info info; /* views of the caller's, but for sums */
};

/* Tests kill a save at a stage. */
static void reached(const char *stage) {
  const char *die = getenv("PMF_DIE_AT");
  if (die && !strcmp(die, stage)) raise(SIGKILL);
}

static size_t flat_bytes(const struct flat *f) { return f->size * sizeof(float); }

static struct slab share_of(const struct save *s, const struct flat *f, int rank) {
  return blocks_share(blocks_count(flat_bytes(f)), rank, s->ranks);
}

/* The tensor that element i of the array belongs to; NULL if none. */
static const struct tensor *tensor_at(const struct table *t, const struct flat *f, size_t i) {
  const bool second = f->size == t->second_size && f->size != t->size;
  if (!second && f->size != t->size) return NULL;
  for (size_t k = 0; k < t->count; k++) {
    const struct tensor *x = &t->tensors[k];
    const size_t offset = second ? x->second : x->offset;
    if (offset != SIZE_MAX && i >= offset && i - offset < x->size) return x;
  }
  return NULL;
}

/* This rank's share of the array has only finite values. */
static int check_finite(const struct save *s, const struct flat *f) {
  const size_t per = BLOCK_BYTES / sizeof(float);
  const struct slab share = share_of(s, f, s->rank);
  const size_t end = share.end * per < f->size ? share.end * per : f->size;
  for (size_t i = share.first * per; i < end; i++) {
    if (isfinite(f->data[i])) continue;
    const struct tensor *x = tensor_at(&s->info.table, f, i);
    return because(STATUS_DIVERGED, "%s: not saved: array %s is %f at element %zu%s%s", s->path, f->name,
                   (double)f->data[i], i, x ? ", in tensor " : "", x ? x->name : "");
  }
  return STATUS_OK;
}

/* Makes sure that FILE.tmp can hold so many bytes, and reserves them where the file system can. A disk that fills up later
 * is worse: a failed H5Fclose ends in a crash at MPI_Finalize, a failed write of one aggregator in a hang of OMPIO. */
static int reserve(const struct save *s, off_t bytes) {
  const int fd = open(s->tmp, O_WRONLY | O_CREAT, 0644);
  if (fd < 0) return because(STATUS_IO, "%s: cannot be created: %s", s->tmp, strerror(errno));
  const int why = bytes ? posix_fallocate(fd, 0, bytes) : 0;
  close(fd);
  return why ? because(STATUS_IO, "%s: no room for %lld bytes: %s", s->tmp, (long long)bytes, strerror(why)) : STATUS_OK;
}

/* No less than the file will need: each array may be moved to the next MiB. */
static off_t size_estimate(const struct save *s) {
  size_t bytes = 4 * BLOCK_BYTES + s->info.table.count * 512 + strlen(s->info.settings);
  for (size_t i = 0; i < s->info.n_flats; i++) bytes += flat_bytes(&s->info.flats[i]) + BLOCK_BYTES;
  return (off_t)bytes;
}

/* Rank 0: the file with everything in its place, arrays and checksums still without values. */
static int create(const struct save *s) {
  struct stat made;
  unlink(s->tmp);
  const int status = reserve(s, size_estimate(s));
  if (status) return status;
  const hid_t how = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_alignment(how, BLOCK_BYTES, BLOCK_BYTES);               /* stripes of a parallel file system (H9) */
  H5Pset_libver_bounds(how, H5F_LIBVER_V18, H5F_LIBVER_V18);     /* the oldest format whose metadata have checksums */
  const hid_t file = H5Fcreate(s->tmp, H5F_ACC_TRUNC, H5P_DEFAULT, how);
  int bad = file < 0 ? hdf_fail() : 0;
  H5Pclose(how);
  if (!bad) bad = checkpoint_head_write(file, &s->info, s->ranks);
  if (file >= 0 && H5Fclose(file) < 0 && !bad) bad = hdf_fail();
  if (bad) return hdf_because(s->tmp, "cannot be written");
  return stat(s->tmp, &made) ? because(STATUS_IO, "%s: %s", s->tmp, strerror(errno)) : reserve(s, made.st_size);
}

/* Local. This rank can write to the file that rank 0 made, to its end. */
static int check_access(const struct save *s) {
  struct stat found;
  struct rlimit limit;
  const int fd = open(s->tmp, O_WRONLY);
  if (fd < 0 || fstat(fd, &found)) {
    const int why = errno;
    if (fd >= 0) close(fd);
    return because(STATUS_IO, "%s: rank %d cannot open what rank 0 has made (is the directory shared by all nodes?): %s",
                   s->tmp, s->rank, strerror(why));
  }
  close(fd);
  if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY && (rlim_t)found.st_size > limit.rlim_cur)
    return because(STATUS_IO, "%s: cannot be written by rank %d: its file size limit is %llu bytes, the file needs %llu",
                   s->tmp, s->rank, (unsigned long long)limit.rlim_cur, (unsigned long long)found.st_size);
  return STATUS_OK;
}

/* COLLECTIVE. This rank's slab of one array. All ranks make the same number of transfers, whatever fails on one:
 * as many as the largest share needs. 0 or -1. */
static int write_array(const struct save *s, hid_t file, hid_t transfer, const struct flat *f) {
  const size_t piece = checkpoint_piece / sizeof(float), per = BLOCK_BYTES / sizeof(float);
  const size_t blocks = blocks_count(flat_bytes(f)), largest = (blocks + (size_t)s->ranks - 1) / (size_t)s->ranks * per;
  const struct slab share = share_of(s, f, s->rank);
  const size_t end = share.end * per < f->size ? share.end * per : f->size;
  size_t i = share.first * per;
  char at[64];
  checkpoint_member(at, CHECKPOINT_ARRAYS, f->name);
  const hid_t set = H5Dopen2(file, at, H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
  if (set < 0) return hdf_fail();
  int bad = 0;
  for (size_t done = 0; done < largest && f->size; done += piece) {
    const hsize_t left = i < end ? end - i : 0, start = i, count = left < piece ? left : piece, one = count ? count : 1;
    const hid_t memory = H5Screate_simple(1, &one, NULL);
    if (count) {
      H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
    } else {
      H5Sselect_none(space);
      H5Sselect_none(memory);
    }
    if (H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, transfer, f->data + (count ? i : 0)) < 0 && !bad) bad = hdf_fail();
    H5Sclose(memory);
    i += count;
  }
  H5Sclose(space);
  if (H5Dclose(set) < 0 && !bad) bad = hdf_fail();
  return bad;
}

/* COLLECTIVE. All arrays through MPI-IO, every metadata call collective (H6). Returns this rank's status. */
static int write_arrays(const struct save *s) {
  const hid_t how = H5Pcreate(H5P_FILE_ACCESS), transfer = H5Pcreate(H5P_DATASET_XFER);
  H5Pset_fapl_mpio(how, s->comm, MPI_INFO_NULL);
  H5Pset_all_coll_metadata_ops(how, true);
  H5Pset_coll_metadata_write(how, true);
  H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE);
  const hid_t file = H5Fopen(s->tmp, H5F_ACC_RDWR, how);
  int bad = file < 0 ? hdf_fail() : 0;
  H5Pclose(how);
  if (!agree_any(s->comm, bad))
    for (size_t i = 0; i < s->info.n_flats; i++)
      if (write_array(s, file, transfer, &s->info.flats[i])) bad = -1;
  if (file >= 0) {
    /* H5Fclose alone leaves the data unsynchronised on the other nodes (H11). */
    if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 && !bad) bad = hdf_fail();
    if (H5Fclose(file) < 0 && !bad) bad = hdf_fail();
  }
  H5Pclose(transfer);
  return bad ? hdf_because(s->tmp, "cannot be written in parallel") : STATUS_OK;
}

static int sums_alloc(struct save *s) {
  struct checkpoint_info *info = &s->info;
  info->sums = calloc(info->n_flats + 1, sizeof *info->sums);
  for (size_t i = 0; info->sums && i < info->n_flats; i++) {
    info->sums[i] = calloc(blocks_count(flat_bytes(&info->flats[i])) + 1, sizeof(uint64_t));
    if (!info->sums[i]) return because(STATUS_NOMEM, "%s: no memory for its checksums", s->path);
  }
  return info->sums ? STATUS_OK : because(STATUS_NOMEM, "%s: no memory for its checksums", s->path);
}

static void sums_free(struct save *s) {
  for (size_t i = 0; s->info.sums && i < s->info.n_flats; i++) free(s->info.sums[i]);
  free(s->info.sums);
}

/* COLLECTIVE. The checksums of what is in memory, each rank its own, all of them on rank 0. */
static void gather_sums(struct save *s, int *counts, int *places) {
  for (size_t i = 0; i < s->info.n_flats; i++) {
    const struct flat *f = &s->info.flats[i];
    const struct slab mine = share_of(s, f, s->rank);
    uint64_t *sums = s->info.sums[i];
    for (size_t b = mine.first; b < mine.end; b++)
      sums[b] = blocks_sum((const char *)f->data + b * BLOCK_BYTES, blocks_length(flat_bytes(f), b));
    for (int k = 0; k < s->ranks; k++) {
      const struct slab share = share_of(s, f, k);
      counts[k] = (int)(share.end - share.first);
      places[k] = (int)share.first;
    }
    MPI_Gatherv(s->rank == 0 ? MPI_IN_PLACE : (void *)(sums + mine.first), counts[s->rank], MPI_UINT64_T,
                sums, counts, places, MPI_UINT64_T, 0, s->comm);
  }
}

/* Rank 0: opens the file alone, lets `put` add to it, closes it. */
static int add(const struct save *s, int (*put)(hid_t file, const struct checkpoint_info *info), const char *what) {
  const hid_t file = H5Fopen(s->tmp, H5F_ACC_RDWR, H5P_DEFAULT);
  int bad = file < 0 ? hdf_fail() : put(file, &s->info);
  if (file >= 0 && H5Fclose(file) < 0 && !bad) bad = hdf_fail();
  return bad ? hdf_because(s->tmp, what) : STATUS_OK;
}

static int put_mark(hid_t file, const struct checkpoint_info *info) {
  (void)info;
  return checkpoint_mark_write(file);
}

/* Local. What was written is what a reader finds: MPI-IO has been seen to report success over wrong values (H1). */
static int read_back(const struct save *s) {
  hid_t file;
  struct checkpoint_info found = { 0 };
  int status = hdf_open(&file, s->tmp);
  if (status) return status;
  status = checkpoint_head_read(file, s->tmp, false, &found);
  for (size_t i = 0; i < found.n_flats && !status; i++)
    status = checkpoint_blocks_read(file, s->tmp, &found, i, s->rank, s->ranks, NULL);
  H5Fclose(file);
  checkpoint_info_free(&found);
  return status == STATUS_BAD ? because(STATUS_IO, "not what was written: %s", status_reason()) : status;
}

static int not_synchronised(const char *path) {
  return because(STATUS_IO, "%s: cannot be synchronised to disk: %s", path, strerror(errno));
}

/* Rank 0: the new file takes its name, the one before it becomes .prev. */
static int rotate(const struct save *s) {
  chmod(s->tmp, 0444);
  if (disk_sync(s->tmp)) return not_synchronised(s->tmp);
  const bool had = rename(s->path, s->prev) == 0;
  if (!had && errno != ENOENT) return because(STATUS_IO, "%s: cannot be renamed: %s", s->path, strerror(errno));
  reached("rotated");
  if (rename(s->tmp, s->path)) {
    const int status = because(STATUS_IO, "%s: cannot be renamed: %s", s->tmp, strerror(errno));
    if (had) rename(s->prev, s->path);
    return status;
  }
  return disk_sync_folder(s->path) ? not_synchronised(s->path) : STATUS_OK;
}

/* COLLECTIVE. The steps of a save; after each all ranks know how it went on the worst. */
static int save_steps(struct save *s) {
  int *counts = calloc(2 * (size_t)s->ranks, sizeof *counts);
  int status = sums_alloc(s);
  if (!counts) status = because(STATUS_NOMEM, "%s: no memory to save", s->path);
  for (size_t i = 0; i < s->info.n_flats && !status; i++) status = check_finite(s, &s->info.flats[i]);
  if ((status = agree(s->comm, status))) goto end;
  if ((status = agree(s->comm, s->rank ? STATUS_OK : create(s)))) goto end;
  reached("created");
  if ((status = agree(s->comm, check_access(s)))) goto end;
  if ((status = agree(s->comm, write_arrays(s)))) goto end;
  reached("written");
  gather_sums(s, counts, counts + s->ranks);
  if ((status = agree(s->comm, s->rank ? STATUS_OK : add(s, checkpoint_sums_write, "cannot take its checksums")))) goto end;
  reached("summed");
  if ((status = agree(s->comm, read_back(s)))) goto end;
  if ((status = agree(s->comm, s->rank ? STATUS_OK : add(s, put_mark, "cannot take its mark")))) goto end;
  reached("marked");
  status = agree(s->comm, s->rank ? STATUS_OK : rotate(s));
end:
  free(counts);
  return status;
}

int checkpoint_save(MPI_Comm comm, const char *path, const struct table *table, uint64_t step, uint64_t images_seen,
                    const char *settings, const struct flat *flats, size_t n_flats) {
  struct save *s = calloc(1, sizeof *s);
  int status = s && strlen(path) < PATH_MAX ? STATUS_OK : because(STATUS_NOMEM, "%s: no memory to save", path);
  if ((status = agree(comm, status))) {
    free(s);
    return status;
  }
  struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
  sigaction(SIGXFSZ, &ignore, &before);   /* a file size limit is an error to report, not a death */
  hdf_quiet();
  snprintf(s->path, sizeof s->path, "%s", path);
  snprintf(s->tmp, sizeof s->tmp, "%s.tmp", path);
  snprintf(s->prev, sizeof s->prev, "%s.prev", path);
  s->info = (struct checkpoint_info) { .step = step, .images_seen = images_seen,
                                       .settings = (char *)(settings ? settings : ""), .table = *table,
                                       .flats = (struct flat *)flats, .n_flats = n_flats };
  int rank;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_split(comm, 0, rank, &s->comm);   /* a duplicate would keep a Cartesian topology */
  MPI_Comm_rank(s->comm, &s->rank);
  MPI_Comm_size(s->comm, &s->ranks);
  status = save_steps(s);
  if (status && s->rank == 0) unlink(s->tmp);
  MPI_Comm_free(&s->comm);
  sums_free(s);
  free(s);
  sigaction(SIGXFSZ, &before, NULL);
  return status;
}
