#include "io/checkpoint_later.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/checkpoint_head.h"
#include "io/checkpoint_saving.h"
#include "io/disk.h"
#include "io/hdf.h"
#include "mpi/agree.h"
#include "src/base/status.h"

struct checkpoint_later {
  MPI_Comm comm;
  int rank, ranks, under_way;
  struct saving s;
  float *copy, *block;             /* this rank's slabs, one behind the other; a block that is read back */
  size_t room;                     /* bytes of copy */
  uint64_t *offsets;               /* [n_flats]: of the arrays in the file */
  pthread_t thread;
  atomic_int finished;
  int status;                      /* the thread's, and why; read once it has been joined */
  char reason[1024];
  struct sigaction before;         /* of SIGXFSZ */
};

/* This rank's slabs of an array, in bytes. */
static size_t slab_bytes(size_t size, int rank, int ranks) {
  const size_t bytes = size * sizeof(float);
  const struct slab share = blocks_share(blocks_count(bytes), rank, ranks);
  const size_t end = share.end * BLOCK_BYTES < bytes ? share.end * BLOCK_BYTES : bytes;
  return share.first < share.end ? end - share.first * BLOCK_BYTES : 0;
}

size_t checkpoint_later_bytes(const size_t *sizes, size_t n, int ranks) {
  size_t most = 0;
  for (int k = 0; k < ranks; k++) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += slab_bytes(sizes[i], k, ranks);
    most = bytes > most ? bytes : most;
  }
  return most + BLOCK_BYTES;   /* the block that is read back */
}

int checkpoint_later_open(struct checkpoint_later **later, MPI_Comm comm, const struct flat *flats, size_t n_flats) {
  struct checkpoint_later *l = *later = calloc(1, sizeof *l);
  int bad = !l;
  if (!bad) {
    l->comm = comm;
    MPI_Comm_rank(comm, &l->rank);
    MPI_Comm_size(comm, &l->ranks);
    for (size_t i = 0; i < n_flats; i++) l->room += slab_bytes(flats[i].size, l->rank, l->ranks);
    l->copy = malloc(l->room + 1);
    l->block = malloc(BLOCK_BYTES);
    l->offsets = calloc(n_flats + 1, sizeof *l->offsets);
    bad = !l->copy || !l->block || !l->offsets;
  }
  if (!bad) memset(l->copy, 0, l->room);   /* its pages are there before they are asked for in a hurry */
  return agree(comm, bad ? because(STATUS_NOMEM, "no memory for a copy of the state: checkpoint.async=off needs none")
                         : STATUS_OK);
}

/* Rank 0: where the arrays lie. */
static int find_offsets(struct checkpoint_later *l) {
  hid_t file;
  int status = hdf_open(&file, l->s.tmp);
  for (size_t i = 0; i < l->s.info.n_flats && !status; i++) {
    char at[64];
    checkpoint_member(at, CHECKPOINT_ARRAYS, l->s.info.flats[i].name);
    const hid_t set = H5Dopen2(file, at, H5P_DEFAULT);
    l->offsets[i] = set < 0 ? HADDR_UNDEF : H5Dget_offset(set);
    if (set >= 0) H5Dclose(set);
    if (l->offsets[i] == HADDR_UNDEF && l->s.info.flats[i].size)
      status = because(STATUS_IO, "%s: array %s has no place in the file", l->s.tmp, l->s.info.flats[i].name);
  }
  if (file >= 0) H5Fclose(file);
  return status;
}

/* COLLECTIVE. This rank's slabs of all arrays, wherever they are, into its copy. */
static void take_copy(struct checkpoint_later *l) {
  float *to = l->copy;
  for (size_t i = 0; i < l->s.info.n_flats; i++) {
    const size_t windows = saving_windows(&l->s, &l->s.info.flats[i]);
    for (size_t w = 0; w < windows; w++) to += saving_copy(&l->s, i, w, to);
  }
}

/* In the thread. One slab: checks, sums and writes it (fd >= 0), block by block, or reads it back (write = 0). */
static int pass(struct checkpoint_later *l, int fd, int write, size_t i, const float *values) {
  const struct flat *f = &l->s.info.flats[i];
  const size_t per = BLOCK_BYTES / sizeof(float), bytes = saving_bytes(f);
  const struct slab share = saving_share(&l->s, f, l->rank);
  for (size_t b = share.first; b < share.end; b++, values += per) {
    const size_t length = blocks_length(bytes, b);
    const uint64_t at = l->offsets[i] + b * BLOCK_BYTES;
    if (write) {
      const int status = saving_check_values(&l->s, f, b * per, length / sizeof(float), values);
      if (status) return status;
      l->s.info.sums[i][b] = blocks_sum(values, length);
      if (disk_write(fd, values, length, at))
        return because(STATUS_IO, "%s: cannot be written: %s", l->s.tmp, strerror(errno));
      saving_reached("writing");
    } else if (disk_read(fd, l->block, length, at) || blocks_sum(l->block, length) != l->s.info.sums[i][b]) {
      return because(STATUS_IO, "%s: not what was written: block %zu of array %s", l->s.tmp, b, f->name);
    }
  }
  return STATUS_OK;
}

static int pass_all(struct checkpoint_later *l, int write) {
  const int fd = open(l->s.tmp, write ? O_WRONLY | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
  if (fd < 0) return because(STATUS_IO, "%s: cannot be opened: %s", l->s.tmp, strerror(errno));
  const float *values = l->copy;
  int status = STATUS_OK;
  for (size_t i = 0; i < l->s.info.n_flats && !status; i++) {
    status = pass(l, fd, write, i, values);
    values += slab_bytes(l->s.info.flats[i].size, l->rank, l->ranks) / sizeof(float);
  }
  if (write && !status && fsync(fd)) status = because(STATUS_IO, "%s: cannot be synchronised: %s", l->s.tmp, strerror(errno));
  if (close(fd) && !status) status = because(STATUS_IO, "%s: cannot be closed: %s", l->s.tmp, strerror(errno));
  return status;
}

static void *work(void *later) {
  struct checkpoint_later *l = later;
  l->status = l->rank ? STATUS_OK : saving_take_room(&l->s);
  if (!l->status) l->status = pass_all(l, 1);
  if (!l->status) l->status = pass_all(l, 0);
  snprintf(l->reason, sizeof l->reason, "%s", l->status ? status_reason() : "");   /* of this thread */
  atomic_store(&l->finished, 1);
  return NULL;
}

/* Signals are for the thread that trains. */
static int start_thread(struct checkpoint_later *l) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  atomic_store(&l->finished, 0);
  const int why = pthread_create(&l->thread, NULL, work, l);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return why ? because(STATUS_NOMEM, "%s: no thread to write it: %s", l->s.path, strerror(why)) : STATUS_OK;
}

/* COLLECTIVE. Ends what is under way, with this status. */
static int end(struct checkpoint_later *l, int status) {
  if (status && l->rank == 0) unlink(l->s.tmp);
  saving_close(&l->s);
  sigaction(SIGXFSZ, &l->before, NULL);
  l->under_way = 0;
  return status;
}

/* COLLECTIVE. From the file to the thread. */
static int begin_steps(struct checkpoint_later *l) {
  int status = agree(l->comm, l->rank ? STATUS_OK : saving_create(&l->s));
  if (!status) status = agree(l->comm, l->rank ? STATUS_OK : find_offsets(l));
  if (status) return status;
  saving_reached("created");
  MPI_Bcast(l->offsets, (int)l->s.info.n_flats, MPI_UINT64_T, 0, l->comm);
  status = agree(l->comm, saving_check_access(&l->s));
  if (status) return status;
  take_copy(l);
  saving_reached("copied");
  status = start_thread(l);
  const int started = !status;
  status = agree(l->comm, status);
  if (status && started) pthread_join(l->thread, NULL);
  return status;
}

int checkpoint_later_begin(struct checkpoint_later *l, const char *path, const struct table *table, uint64_t step,
                           uint64_t images_seen, const char *settings, const struct flat *flats, size_t n_flats) {
  const struct checkpoint_info info = { .step = step, .images_seen = images_seen, .settings = (char *)settings,
                                        .table = *table, .flats = (struct flat *)flats, .n_flats = n_flats };
  struct sigaction ignore = { .sa_handler = SIG_IGN };
  sigaction(SIGXFSZ, &ignore, &l->before);   /* a file size limit is an error to report, not a death */
  hdf_quiet();
  int status = saving_open(&l->s, l->comm, path, &info);
  l->s.serial = 0;
  l->s.later = 1;
  if (!status) status = begin_steps(l);
  if (status) return end(l, status);
  l->under_way = 1;
  return STATUS_OK;
}

int checkpoint_later_busy(const struct checkpoint_later *l) { return l && l->under_way && !atomic_load(&l->finished); }

int checkpoint_later_end(struct checkpoint_later *l) {
  pthread_join(l->thread, NULL);
  int status = agree(l->comm, l->status ? because(l->status, "%s", l->reason) : STATUS_OK);
  if (status) return end(l, status);
  saving_reached("written");
  l->s.checked = 1;
  return end(l, saving_commit(&l->s));
}

void checkpoint_later_close(struct checkpoint_later *l) {
  if (!l) return;
  if (l->under_way) {
    pthread_join(l->thread, NULL);
    end(l, STATUS_SAVED);
  }
  free(l->copy);
  free(l->block);
  free(l->offsets);
  free(l);
}
