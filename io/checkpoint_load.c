#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/blocks.h"
#include "io/checkpoint_head.h"
#include "io/generations.h"
#include "io/hdf.h"
#include "mpi/agree.h"
#include "mpi/pieces.h"
#include "mpi/reduce.h"
#include "mpi/watch.h"
#include "src/base/status.h"

/* Opens and reads the head; the caller closes *file and frees info, also after an error (then *file may be < 0). */
static int open_checked(const char *path, hid_t *file, struct checkpoint_info *info) {
  *info = (struct checkpoint_info) { 0 };
  const int status = hdf_open(file, path);
  return status ? status : checkpoint_head_read(*file, path, true, info);
}

int checkpoint_tries = 7;

/* 1, 2, 4, ... seconds. */
static void pause_before(int try) {
  const struct timespec t = { .tv_sec = (time_t)1 << (try - 1) };
  watch_move();
  nanosleep(&t, NULL);
}

static void tell_apart(MPI_Comm comm, const char *path, int status) {
  int rank;
  MPI_Comm_rank(comm, &rank);
  if (rank == 0)
    fprintf(stderr, "note: the ranks do not all see the same %s%s%s; it is tried again for up to a minute\n", path, status ? ": " : "",
            status ? status_reason() : "");
}

int checkpoint_open(MPI_Comm comm, const char *path, struct checkpoint_file *f) {
  *f = (struct checkpoint_file) { .path = path };
  for (int try = 1;; try++) {
    hid_t file;
    const int mine = open_checked(path, &file, &f->info);
    f->file = file;
    const int status = agree(comm, mine), same = agree_hash(comm, mine ? 0 : f->info.head);
    if (same || try >= checkpoint_tries || status == STATUS_NOMEM)
      return same || status ? status : because(STATUS_BAD, "%s: the ranks see different checkpoints: is it one file?", path);
    checkpoint_close(f);
    if (try == 1) tell_apart(comm, path, status);
    pause_before(try);
  }
}

void checkpoint_close(struct checkpoint_file *f) {
  if (f->file > 0) H5Fclose(f->file);
  f->file = 0;
  checkpoint_info_free(&f->info);
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
  for (size_t i = 0; i < info.n_flats && !status; i++) {
    const struct slab share = blocks_share(blocks_count(info.flats[i].size * sizeof(float)), k, R);
    status = checkpoint_blocks_read(file, path, &info, i, share, NULL);
  }
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

/* A checkpoint being read by all ranks. */
struct loading {
  MPI_Comm comm;
  int rank, ranks;
  const char *path;
  hid_t file;
  const struct checkpoint_info *info;
  struct piece *pieces, *windows;   /* [ranks]: what each wants, what each has just read */
  float *buffer;                    /* this rank's window, once an array is wanted in pieces */
};

/* COLLECTIVE. Array i of the file, which every rank wants: each reads its slab into place, then they are handed round. */
static int load_whole(struct loading *l, size_t i, const struct flat *f) {
  const size_t bytes = f->size * sizeof(float), blocks = blocks_count(bytes);
  const struct slab mine = blocks_share(blocks, l->rank, l->ranks);
  const int status = checkpoint_blocks_read(l->file, l->path, l->info, i, mine,
                                            f->data + mine.first * (BLOCK_BYTES / sizeof(float)));
  if (agree_any(l->comm, status)) return status;
  for (int k = 0; k < l->ranks; k++) {
    const struct slab share = blocks_share(blocks, k, l->ranks);
    const size_t first = share.first * BLOCK_BYTES, most = share.end * BLOCK_BYTES, end = most < bytes ? most : bytes;
    if (first < end) spread(l->comm, k, end - first, (char *)f->data + first);
  }
  return STATUS_OK;
}

/* COLLECTIVE. Array i of the file, of which each rank wants a piece: a window at a time is read and goes to whom it belongs. A
 * rank that cannot read does its part in the exchange, with whatever there is. */
static int load_pieces(struct loading *l, size_t i, const struct flat *f) {
  const size_t per = BLOCK_BYTES / sizeof(float), most = checkpoint_window / BLOCK_BYTES;
  const size_t blocks = blocks_count(f->size * sizeof(float)), largest = (blocks + (size_t)l->ranks - 1) / (size_t)l->ranks;
  assert(pieces_cover(l->pieces, l->ranks, f->size));
  if (!l->buffer) l->buffer = malloc(checkpoint_window);
  int status = agree(l->comm, l->buffer ? STATUS_OK : because(STATUS_NOMEM, "%s: no memory to read it", l->path));
  if (status) return status;
  for (size_t done = 0; done < largest; done += most) {
    for (int k = 0; k < l->ranks; k++) {
      const struct slab share = blocks_share(blocks, k, l->ranks);
      const size_t first = share.first + done < share.end ? share.first + done : share.end;
      const struct slab w = { first, first + most < share.end ? first + most : share.end };
      const size_t end = w.end * per < f->size ? w.end * per : f->size;
      l->windows[k] = (struct piece){ first * per, first < w.end ? end - first * per : 0 };
      if (k == l->rank && !status) status = checkpoint_blocks_read(l->file, l->path, l->info, i, w, l->buffer);
    }
    pieces_move(l->comm, l->windows, l->buffer, l->pieces, f->data);
  }
  return status;
}

/* COLLECTIVE. */
static int load_array(struct loading *l, const struct flat *f) {
  size_t place = 0;
  int status = agree(l->comm, match(l->path, l->info, f, &place)), whole = 1;
  if (status) return status;
  pieces_gather(l->comm, (struct piece){ f->first, f->count }, l->pieces);
  for (int k = 0; k < l->ranks; k++) whole &= l->pieces[k].count == f->size;
  return agree(l->comm, whole ? load_whole(l, place, f) : load_pieces(l, place, f));
}

int checkpoint_read(MPI_Comm comm, const struct checkpoint_file *f, const struct flat *flats, size_t n_flats) {
  struct loading l = { .comm = comm, .path = f->path, .file = f->file, .info = &f->info };
  int status = STATUS_OK;
  MPI_Comm_rank(comm, &l.rank);
  MPI_Comm_size(comm, &l.ranks);
  l.pieces = calloc((size_t)l.ranks, sizeof *l.pieces);
  l.windows = calloc((size_t)l.ranks, sizeof *l.windows);
  if (!l.pieces || !l.windows) status = because(STATUS_NOMEM, "%s: no memory to read it", f->path);
  status = agree(comm, status);
  for (size_t i = 0; i < n_flats && !status; i++) status = load_array(&l, &flats[i]);
  free(l.pieces);
  free(l.windows);
  free(l.buffer);
  return status;
}

int checkpoint_load(MPI_Comm comm, const char *path, const struct flat *flats, size_t n_flats) {
  struct checkpoint_file f;
  int status = checkpoint_open(comm, path, &f);
  if (!status) status = checkpoint_read(comm, &f, flats, n_flats);
  checkpoint_close(&f);
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
  if (rank == 0) there = access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);   /* else opening it says why not */
  MPI_Bcast(&there, 1, MPI_INT, 0, comm);
  return there;
}

/* COLLECTIVE. */
static int verify_shared(MPI_Comm comm, const char *path) {
  int rank, ranks;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  int status = verify_share(path, rank, ranks);
  if (status == STATUS_BAD && access(path, F_OK)) status = STATUS_IO;   /* it is there, for rank 0: that is no damage */
  return agree(comm, status);
}

int checkpoint_find(MPI_Comm comm, const char *run, bool owner, char *path, size_t room, char *warning,
                    size_t warning_room) {
  char newest[PATH_MAX], other[PATH_MAX + 16];
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
  snprintf(warning, warning_room, "%s%s", had ? status_reason() : newest, had ? "" : ": missing");
  int found = 0;   /* of older ones, all damaged */
  for (int g = 1; g < GENERATIONS_MAX; g++) {
    generations_name(newest, g, sizeof other, other);
    if (!is_there(comm, other)) continue;
    found = 1;
    if (!(status = verify_shared(comm, other))) {
      snprintf(path, room, "%s", other);
      snprintf(other, sizeof other, "%s.bad", newest);
      if (had && owner && rank == 0) rename(newest, other);
      return STATUS_OK;
    }
    const size_t n = strlen(warning);
    if (n + 400 < warning_room) snprintf(warning + n, warning_room - n, "; %.200s", status_reason());   /* advice follows */
    if (status != STATUS_BAD) return because(status, "%s", warning);
  }
  if (found) return because(status, "%s; put a sound one in place of these, or move them away and begin anew", warning);
  if (!had) *warning = 0;
  generations_name(newest, 1, sizeof other, other);
  return had ? because(status, "%s; no %s is beside it: put a sound one in its place, or move it away and begin anew", warning, other)
             : STATUS_OK;
}
