/* checkpoint_saving.h - one save under way, in its stages: created, written, summed, marked, rotated (checkpoint.h).
 * Each is a function here; checkpoint_save.c puts them in order. All but the local ones are COLLECTIVE over s->comm; statuses
 * are those of this rank, for the caller to agree on, unless it is said that they are agreed. */
#ifndef IO_CHECKPOINT_SAVING_H
#define IO_CHECKPOINT_SAVING_H
#include <limits.h>

#include "io/blocks.h"
#include "io/checkpoint.h"
#include "mpi/pieces.h"

struct saving {
  MPI_Comm comm;               /* without a topology: HDF5 over Cartesian ones corrupts files (H2) */
  int rank, ranks, serial;     /* serial: rank 0 writes all blocks, without MPI-IO */
  int checked;                 /* the slabs have been read back already */
  int later;                   /* threads write: rank 0's takes the room, so that training does not wait for it */
  char path[PATH_MAX], tmp[PATH_MAX + 8];
  struct checkpoint_info info; /* views of the caller's, but for sums */
  struct piece *pieces;        /* [n_flats][ranks]: what each rank holds of each array */
  struct piece *windows;       /* [ranks]: what each rank carries to the file at a time */
  int *counts, *places;        /* [ranks]: of checksums */
  float *buffer;               /* this rank's window, where an array has to be brought together; else NULL */
};

/* Bytes of the array. Local. */
size_t saving_bytes(const struct flat *f);
/* Blocks of the array that a rank writes. Local. */
struct slab saving_share(const struct saving *s, const struct flat *f, int rank);
/* Every rank holds all of array i. Local. */
int saving_is_whole(const struct saving *s, size_t i);
/* Tests kill a save at a stage. Local. */
void saving_reached(const char *stage);
/* Finds out who holds what; takes memory. Free with saving_close, also after an error. Agreed. Errors: STATUS_NOMEM. */
int saving_open(struct saving *s, MPI_Comm comm, const char *path, const struct checkpoint_info *info);
void saving_close(struct saving *s);

/* checkpoint_create.c. Local: what this rank holds has only finite values. Errors: STATUS_DIVERGED, naming the tensor. */
int saving_check_finite(const struct saving *s);
/* Local: the same of elements [first, first + count) of an array. Also from a thread. */
int saving_check_values(const struct saving *s, const struct flat *f, size_t first, size_t count, const float *values);
/* Rank 0, local: the file with everything in its place, arrays and checksums still without values, and its room taken. */
int saving_create(const struct saving *s);
/* Local: takes the room of the file that saving_create has made, where the file system can; for a save by threads, in one of
 * them, while others write. */
int saving_take_room(const struct saving *s);
/* Local: this rank can write to the file that rank 0 made, to its end. */
int saving_check_access(const struct saving *s);

/* checkpoint_write.c. The arrays through MPI-IO, or from rank 0; their checksums, each rank those of its slabs. */
int saving_write(struct saving *s);
/* As many windows as the largest share of this array has, so that all ranks make the same number of transfers. Local. */
size_t saving_windows(const struct saving *s, const struct flat *f);
/* The values of this rank's window w of array i, from wherever they are, until the next call; s->windows says which it is. */
const float *saving_bring(struct saving *s, size_t i, size_t w);
/* The same, copied to the caller's `to`, straight from where they are. Returns how many. */
size_t saving_copy(struct saving *s, size_t i, size_t w, float *to);

/* checkpoint_commit.c. Checksums, reading back, mark, rotation. Agreed. */
int saving_commit(struct saving *s);
#endif
