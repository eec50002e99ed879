/* checkpoint_later.h - a checkpoint that is written while its arrays already change again.
 * To begin, rank 0 makes the file, with each array in one piece at a place of its own, and closes it; each rank copies its slabs
 * and starts a thread. The threads check the numbers, take the checksums, write (pwrite), synchronise, and read back and
 * compare, without MPI and without HDF5. Once all are through, which the ranks find out when it suits them, the save ends as
 * any other: checksums of all, mark, rotation. Until then the older generations stay as they are.
 * Memory: the copy, checkpoint_later_bytes, kept from save to save. Not two saves at a time. */
#ifndef IO_CHECKPOINT_LATER_H
#define IO_CHECKPOINT_LATER_H
#include "io/checkpoint.h"

struct checkpoint_later;

/* The copy of the rank that has the most, for arrays of these sizes. Local. */
size_t checkpoint_later_bytes(const size_t *sizes, size_t n, int ranks);
/* COLLECTIVE over comm. Takes memory for saves of such arrays. Free with checkpoint_later_close. Agreed. Errors: STATUS_NOMEM. */
int checkpoint_later_open(struct checkpoint_later **l, MPI_Comm comm, const struct flat *flats, size_t n_flats);
/* COLLECTIVE. As checkpoint_save, but on return the arrays are the caller's again, and nothing is sure yet. table, settings and
 * flats (all but the values) must stay until the end. Errors: STATUS_IO, STATUS_NOMEM on all ranks, and then nothing is under
 * way. */
int checkpoint_later_begin(struct checkpoint_later *l, const char *path, const struct table *table, uint64_t step,
                           uint64_t images_seen, const char *settings, const struct flat *flats, size_t n_flats);
/* Local, without waiting: this rank's thread is still at work. */
int checkpoint_later_busy(const struct checkpoint_later *l);
/* COLLECTIVE. Waits for the threads, and commits what they have written. Errors: those of checkpoint_save, on all ranks. */
int checkpoint_later_end(struct checkpoint_later *l);
/* COLLECTIVE. Harmless on NULL. What is under way is given up. */
void checkpoint_later_close(struct checkpoint_later *l);
#endif
