#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/checkpoint_io.h"
#include "io/checkpoint_saving.h"
#include "io/hdf.h"
#include "mpi/agree.h"
#include "src/base/status.h"

size_t checkpoint_piece = (size_t)1 << 30, checkpoint_window = (size_t)16 << 20;

struct flat flat_whole(const char *name, float *data, size_t size) {
  struct flat f = { .data = data, .size = size, .first = 0, .count = size };
  snprintf(f.name, sizeof f.name, "%s", name);
  return f;
}

void saving_reached(const char *stage) {
  const char *die = getenv("PMF_DIE_AT");
  if (die && !strcmp(die, stage)) raise(SIGKILL);
}

size_t saving_bytes(const struct flat *f) { return f->size * sizeof(float); }

struct slab saving_share(const struct saving *s, const struct flat *f, int rank) {
  const size_t blocks = blocks_count(saving_bytes(f));
  if (s->serial) return (struct slab){ 0, rank ? 0 : blocks };
  return blocks_share(blocks, rank, s->ranks);
}

int saving_is_whole(const struct saving *s, size_t i) {
  const struct piece *p = s->pieces + i * (size_t)s->ranks;
  for (int k = 0; k < s->ranks; k++)
    if (p[k].count != s->info.flats[i].size) return 0;
  return 1;
}

/* Local. */
static int sums_alloc(struct saving *s) {
  struct checkpoint_info *info = &s->info;
  info->sums = calloc(info->n_flats + 1, sizeof *info->sums);
  for (size_t i = 0; info->sums && i < info->n_flats; i++) {
    info->sums[i] = calloc(blocks_count(saving_bytes(&info->flats[i])) + 1, sizeof(uint64_t));
    if (!info->sums[i]) return -1;
  }
  return info->sums ? 0 : -1;
}

/* A buffer for the arrays of which no rank holds all. */
static int gather_pieces(struct saving *s) {
  int whole = 1;
  for (size_t i = 0; i < s->info.n_flats; i++) {
    const struct flat *f = &s->info.flats[i];
    struct piece *all = s->pieces + i * (size_t)s->ranks;
    pieces_gather(s->comm, (struct piece){ f->first, f->count }, all);
    if (saving_is_whole(s, i)) continue;
    assert(pieces_cover(all, s->ranks, f->size));
    whole = 0;
  }
  if (!whole) s->buffer = malloc(checkpoint_window);
  return whole || s->buffer ? 0 : -1;
}

int saving_open(struct saving *s, MPI_Comm comm, const char *path, const struct checkpoint_info *info) {
  int rank;
  *s = (struct saving){ .info = *info, .serial = checkpoint_io_is_rank0() };
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_split(comm, 0, rank, &s->comm);   /* a duplicate would keep a Cartesian topology */
  MPI_Comm_rank(s->comm, &s->rank);
  MPI_Comm_size(s->comm, &s->ranks);
  const int long_name = strlen(path) >= sizeof s->path;
  snprintf(s->path, sizeof s->path, "%s", path);
  snprintf(s->tmp, sizeof s->tmp, "%s.tmp", s->path);
  s->pieces = calloc(info->n_flats * (size_t)s->ranks + 1, sizeof *s->pieces);
  s->windows = calloc((size_t)s->ranks, sizeof *s->windows);
  s->counts = calloc((size_t)s->ranks, sizeof *s->counts);
  s->places = calloc((size_t)s->ranks, sizeof *s->places);
  int bad = sums_alloc(s) || long_name || !s->pieces || !s->windows || !s->counts || !s->places;
  if (!agree_any(s->comm, bad)) bad = gather_pieces(s);
  return agree(s->comm, bad ? because(STATUS_NOMEM, "%s: no memory to save", path) : STATUS_OK);
}

void saving_close(struct saving *s) {
  for (size_t i = 0; s->info.sums && i < s->info.n_flats; i++) free(s->info.sums[i]);
  free(s->info.sums);
  free(s->pieces);
  free(s->windows);
  free(s->counts);
  free(s->places);
  free(s->buffer);
  MPI_Comm_free(&s->comm);
}

/* COLLECTIVE. The steps of a save; after each all ranks know how it went on the worst. */
static int save_steps(struct saving *s) {
  int status = agree(s->comm, saving_check_finite(s));
  if (status) return status;
  if ((status = agree(s->comm, s->rank ? STATUS_OK : saving_create(s)))) return status;
  saving_reached("created");
  if ((status = agree(s->comm, saving_check_access(s)))) return status;
  if ((status = agree(s->comm, saving_write(s)))) return status;
  saving_reached("written");
  return saving_commit(s);
}

int checkpoint_save(MPI_Comm comm, const char *path, const struct table *table, uint64_t step, uint64_t images_seen,
                    const char *settings, const struct flat *flats, size_t n_flats) {
  const struct checkpoint_info info = { .step = step, .images_seen = images_seen,
                                        .settings = (char *)(settings ? settings : ""), .table = *table,
                                        .flats = (struct flat *)flats, .n_flats = n_flats };
  struct saving *s = malloc(sizeof *s);   /* its names are too long for a stack */
  int status = agree(comm, s ? STATUS_OK : because(STATUS_NOMEM, "%s: no memory to save", path));
  if (status) {
    free(s);
    return status;
  }
  struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
  sigaction(SIGXFSZ, &ignore, &before);   /* a file size limit is an error to report, not a death */
  hdf_quiet();
  status = saving_open(s, comm, path, &info);
  if (!status) status = save_steps(s);
  if (status && s->rank == 0) unlink(s->tmp);
  saving_close(s);
  free(s);
  sigaction(SIGXFSZ, &before, NULL);
  return status;
}
