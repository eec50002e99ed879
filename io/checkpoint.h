/* checkpoint.h - the state of a run in one parallel HDF5 file, free of the number of ranks
 * (DESIGN; EXPECTATIONS C1-C8, H1-H13).
 *   /arrays/NAME     float32 [size]: weights, m, s, ema500, ... flat, contiguous, laid out by the table
 *   /index/...       names, ranks, shapes, offsets, sizes, second (the table, in its order)
 *   /checksums/NAME  uint64 [blocks]: XXH64 (seed 0) of each MiB of the array's bytes
 *   /settings        the run's settings as YAML
 *   attributes of /: format = "pmf-checkpoint", version, step, images_seen, elements and second_elements (of the table),
 *                    created, host, hdf5; ranks, threads, blas_core, openblas, mpi, pmf, build, onednn,
 *                    sleef (checkpoint_made.h); head: XXH64 of all that is not in /arrays;
 *                    complete = 1, written last
 * Every byte that is read back is covered by a checksum: the arrays by their blocks', those and the rest by `head`.
 * A save writes FILE.tmp, flushes, closes, adds checksums, reads all back against them, adds the mark, fsyncs, renames
 * FILE to FILE.prev (generations.h) and FILE.tmp to FILE, fsyncs the directory. A committed file is read-only and never opened
 * for writing.
 * PMF_DIE_AT=STAGE in the environment kills the process in a save, for tests: created, written, summed, marked, rotated;
 * and in one that goes on later (checkpoint_later.h): copied, writing. */
#ifndef IO_CHECKPOINT_H
#define IO_CHECKPOINT_H
#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/table.h"

/* A flat array of the state, `size` elements in the file. This rank holds elements [first, first + count) in `data`: all of
 * them, equal on every rank (first 0, count = size), or on each rank a piece; then the pieces are contiguous, in the order of
 * the ranks, disjoint, and cover the array; some may be empty. Where the file has its blocks is none of their business. */
struct flat {
  char name[32];
  float *data;
  size_t size, first, count;
};
/* All of an array here. Local. */
struct flat flat_whole(const char *name, float *data, size_t size);
struct checkpoint_info {
  uint64_t step, images_seen;
  char *settings;            /* YAML, malloc'ed */
  struct table table;        /* names, shapes, offsets as stored (rule, init: not stored) */
  struct flat *flats;        /* names and sizes; data NULL */
  size_t n_flats;
  uint64_t **sums;           /* [n_flats][blocks of each] */
  uint64_t head;             /* a sum of all of these, and so of the whole file */
};
/* One that is open for reading: another of its name may take its place meanwhile. */
struct checkpoint_file { const char *path; int64_t file; struct checkpoint_info info; };   /* path: the caller's */

/* Bytes that one collective transfer carries per rank, equal on all of them; a variable, so that tests can make it
 * small (H10). */
extern size_t checkpoint_piece;
/* Bytes that a rank brings together at a time of an array that lies in pieces: whole blocks, equal on all ranks. */
extern size_t checkpoint_window;

/* COLLECTIVE over comm. Each rank writes its slabs (whole MiB blocks) of every array, whoever holds them. On an error all ranks
 * return it, and FILE and the earlier generations stay as they were (but for the oldest, where a rename fails): STATUS_IO;
 * STATUS_DIVERGED where a value is not finite, naming its tensor; STATUS_NOMEM. settings: read on rank 0 only. */
int checkpoint_save(MPI_Comm comm, const char *path, const struct table *table, uint64_t step, uint64_t images_seen,
                    const char *settings, const struct flat *flats, size_t n_flats);
/* Local: reads everything but the arrays, checks format and mark. Errors: STATUS_BAD with what is wrong. */
int checkpoint_info(const char *path, struct checkpoint_info *info);
/* Harmless on a zeroed one, and after an error of checkpoint_info. */
void checkpoint_info_free(struct checkpoint_info *info);
/* COLLECTIVE over comm. Every rank opens `path` and reads its head. A run may be saving, and some file systems show other nodes
 * a file of a while ago: where the ranks' files are not the same they try again, up to checkpoint_tries times with longer and
 * longer pauses, which make a minute. Errors: those of checkpoint_info; STATUS_BAD where they stay different. Close it, also
 * after an error. */
extern int checkpoint_tries;
int checkpoint_open(MPI_Comm comm, const char *path, struct checkpoint_file *f);
/* Local. Harmless on a zeroed one, and twice. */
void checkpoint_close(struct checkpoint_file *f);
/* COLLECTIVE over comm. Fills flats (matched by name; sizes must agree), whole ones on every rank, else each rank its piece,
 * whatever the pieces were that were saved: each rank reads and checks its slabs, then they are exchanged. Errors: STATUS_BAD,
 * naming array and block, on every rank; the arrays are then undefined. */
int checkpoint_read(MPI_Comm comm, const struct checkpoint_file *f, const struct flat *flats, size_t n_flats);
/* checkpoint_open, checkpoint_read, checkpoint_close. */
int checkpoint_load(MPI_Comm comm, const char *path, const struct flat *flats, size_t n_flats);
/* Local: re-reads all blocks of all arrays against their checksums. */
int checkpoint_verify(const char *path);
/* Local: whether the file's net is the one of this table, whatever optimizer it was trained with. Errors: STATUS_BAD, naming
 * path and the first tensor that differs. */
int checkpoint_same_net(const char *path, const struct checkpoint_info *info, const struct table *table);
/* The same, and its optimizer. */
int checkpoint_fits(const char *path, const struct checkpoint_info *info, const struct table *table);
/* COLLECTIVE over comm. path[room] becomes the newest of RUN/checkpoint.h5 and its older generations that is sound in
 * head and all blocks (each rank reads its slabs); "" where there is none, which is a fresh start and no error.
 * warning[warning_room] says why a newer one was passed over, else "". Errors: STATUS_BAD where there are files and none is
 * sound.
 * owner: for the one job that saves into RUN. It removes a stray RUN/checkpoint.h5.tmp, and sets a newest file that is not
 * sound aside as RUN/checkpoint.h5.bad, so that the next save does not rotate it over the sound one. */
int checkpoint_find(MPI_Comm comm, const char *run, bool owner, char *path, size_t room,
                    char *warning, size_t warning_room);
#endif
