#include <string.h>

#include "io/checkpoint_head.h"
#include "io/checkpoint_saving.h"
#include "io/hdf.h"
#include "io/hold.h"
#include "mpi/agree.h"
#include "src/base/status.h"

/* Elements of window w of a share. */
static struct piece window(const struct flat *f, struct slab share, size_t w) {
  const size_t per = BLOCK_BYTES / sizeof(float), most = checkpoint_window / BLOCK_BYTES;
  const size_t first = (share.first + w * most) * per, share_end = share.end * per < f->size ? share.end * per : f->size;
  const size_t end = first + most * per < share_end ? first + most * per : share_end;
  return (struct piece){ first < end ? first : 0, first < end ? end - first : 0 };
}

size_t saving_windows(const struct saving *s, const struct flat *f) {
  size_t largest = 0;
  for (int k = 0; k < s->ranks; k++) {
    const struct slab share = saving_share(s, f, k);
    if (share.end - share.first > largest) largest = share.end - share.first;
  }
  const size_t most = checkpoint_window / BLOCK_BYTES;
  return (largest + most - 1) / most;
}

static void set_windows(struct saving *s, size_t i, size_t w) {
  const struct flat *f = &s->info.flats[i];
  for (int k = 0; k < s->ranks; k++) s->windows[k] = window(f, saving_share(s, f, k), w);
}

static void move(const struct saving *s, size_t i, float *to) {
  pieces_move(s->comm, s->pieces + i * (size_t)s->ranks, s->info.flats[i].data, s->windows, to);
}

const float *saving_bring(struct saving *s, size_t i, size_t w) {
  set_windows(s, i, w);
  if (saving_is_whole(s, i)) return s->info.flats[i].data + s->windows[s->rank].first;
  move(s, i, s->buffer);
  return s->buffer;
}

size_t saving_copy(struct saving *s, size_t i, size_t w, float *to) {
  set_windows(s, i, w);
  const struct piece mine = s->windows[s->rank];
  if (!saving_is_whole(s, i)) move(s, i, to);
  else if (mine.count) memcpy(to, s->info.flats[i].data + mine.first, mine.count * sizeof *to);
  return mine.count;
}

static void sum(struct saving *s, size_t i, const float *values) {
  const size_t per = BLOCK_BYTES / sizeof(float), bytes = saving_bytes(&s->info.flats[i]);
  const struct piece mine = s->windows[s->rank];
  for (size_t done = 0; done < mine.count; done += per) {
    const size_t b = (mine.first + done) / per;
    s->info.sums[i][b] = blocks_sum(values + done, blocks_length(bytes, b));
  }
}

/* This rank's window into the open array, in as many transfers as the largest one needs. 0 or -1. */
static int write_window(const struct saving *s, hid_t set, hid_t space, hid_t transfer, const float *values) {
  const size_t most = checkpoint_piece / sizeof(float);
  const struct piece mine = s->windows[s->rank];
  size_t largest = 0;
  for (int k = 0; k < s->ranks; k++) largest = s->windows[k].count > largest ? s->windows[k].count : largest;
  int bad = 0;
  for (size_t done = 0; done < largest; done += most) {
    const hsize_t left = done < mine.count ? mine.count - done : 0, start = mine.first + done;
    const hsize_t count = left < most ? left : most, one = count ? count : 1;
    const hid_t memory = H5Screate_simple(1, &one, NULL);
    if (count) {
      H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
    } else {
      H5Sselect_none(space);
      H5Sselect_none(memory);
    }
    if (H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, transfer, values + (count ? done : 0)) < 0 && !bad) bad = hdf_fail();
    H5Sclose(memory);
  }
  return bad;
}

/* One array. file: negative on the ranks that do not write. 0 or -1. */
static int write_array(struct saving *s, hid_t file, hid_t transfer, size_t i) {
  const struct flat *f = &s->info.flats[i];
  char at[64];
  checkpoint_member(at, CHECKPOINT_ARRAYS, f->name);
  const hid_t set = file < 0 ? -1 : H5Dopen2(file, at, H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
  int bad = file >= 0 && set < 0 ? hdf_fail() : 0;
  const int closed = agree_any(s->comm, bad);
  for (size_t w = 0; w < saving_windows(s, f) && !closed; w++) {
    const float *values = saving_bring(s, i, w);
    sum(s, i, values);
    if (set >= 0 && write_window(s, set, space, transfer, values)) bad = -1;
  }
  if (set >= 0) {
    H5Sclose(space);
    if (H5Dclose(set) < 0 && !bad) bad = hdf_fail();
  }
  return bad;
}

/* By all ranks: every metadata call is collective then (H6). */
static void ask_for_mpi(const struct saving *s, hid_t access, hid_t transfer) {
  H5Pset_fapl_mpio(access, s->comm, MPI_INFO_NULL);
  H5Pset_all_coll_metadata_ops(access, true);
  H5Pset_coll_metadata_write(access, true);
  H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE);
}

/* Puts all arrays into the file and closes it. 0 or -1. */
static int write_arrays(struct saving *s) {
  const int writes = !s->serial || s->rank == 0;
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS), transfer = H5Pcreate(H5P_DATASET_XFER);
  if (!s->serial) ask_for_mpi(s, access, transfer);
  const hid_t file = writes ? H5Fopen(s->tmp, H5F_ACC_RDWR, access) : -1;
  int bad = writes && file < 0 ? hdf_fail() : 0;
  H5Pclose(access);
  if (!agree_any(s->comm, bad))
    for (size_t i = 0; i < s->info.n_flats; i++)
      if (write_array(s, file, transfer, i)) bad = -1;
  if (file >= 0) {
    /* H5Fclose alone leaves the data unsynchronised on the other nodes (H11). */
    if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 && !bad) bad = hdf_fail();
    if (s->serial && hdf_close(file)) bad = -1;
    if (!s->serial && H5Fclose(file) < 0 && !bad) bad = hdf_fail();
  }
  H5Pclose(transfer);
  return bad;
}

int saving_write(struct saving *s) {
  const char *what = s->serial ? "cannot be written" : "cannot be written in parallel";
  hold_begin();
  const int bad = write_arrays(s);
  const char *why = hold_end();
  if (why) return because(STATUS_IO, "%s: %s: %s", s->tmp, what, why);
  return bad ? hdf_because(s->tmp, what) : STATUS_OK;
}
