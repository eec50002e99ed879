/* iotest.c - pmf iotest: does what is written as a checkpoint into this folder, by this MPI, come back as it was? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/checkpoint.h"
#include "io/checkpoint_io.h"
#include "io/checkpoint_later.h"
#include "io/generations.h"
#include "io/progress.h"
#include "io/split.h"
#include "io/watchdog.h"
#include "io/words.h"
#include "jobs/fault.h"
#include "jobs/jobs.h"
#include "mpi/agree.h"
#include "mpi/shard.h"
#include "mpi/watch.h"
#include "src/base/status.h"

enum { THREADS = CHECKPOINT_RANK0 + 1 };   /* checkpoint.async */
enum { SMALL = 60, LARGE = 4, ARRAYS = SMALL + LARGE };
static const size_t small_sizes[] = { 192, 768, 36864, 147456 };

static char words_io[TEXT_MAX];
static long words_mib = 64, words_times = 5;
static double words_watchdog = 600;
static struct word words[] = {
  { .name = "io", .type = WORD_TEXT, .value = words_io,
    .help = "all, ompio, romio, rank0 or threads; all: MPI-IO as this start has it, then rank0 and threads. A start can only try"
            " one of ompio and romio" },
  { .name = "mib", .type = WORD_INTEGER, .value = &words_mib, .min = 1, .max = 1 << 20,
    .help = "MiB of each of the four large arrays" },
  { .name = "times", .type = WORD_INTEGER, .value = &words_times, .min = 1, .max = 1000,
    .help = "files of small arrays that are written by MPI-IO" },
  { .name = "watchdog", .type = WORD_REAL, .value = &words_watchdog, .min = 0, .max = 1e6,
    .help = "seconds in which something must move, or this ends with 76: MPI-IO hangs on some file systems; 0: for ever" },
};
enum { IO, MIB, TIMES, WATCHDOG, WORDS };

void iotest_help(void) {
  puts("usage: mpirun -np 4 pmf iotest DIR [io=all] [mib=64] [times=5]\n\n"
       "Writes arrays as a checkpoint has them (60 small, 4 large, in pieces on the ranks) into DIR, reads them back in other\n"
       "pieces, compares, and removes them; for MPI-IO also small arrays that are dealt out to all ranks, where Open MPI is known\n"
       "to write wrong values in an unsafe setting. Prints MB/s (reading is often from memory) and ok or FAIL.\n"
       "Exit code 0 if all that was read is what was written, 76 if it hung, else 74.\n\nwords:");
  words_help(words, WORDS);
  puts("\nexamples:\n"
       "  mpirun -np 4 pmf iotest runs\n"
       "  mpirun -np 4 pmf iotest runs io=romio");
}

/* Element k of array i: a small whole number, other ones in each array. */
static float value(size_t i, size_t k) {
  uint32_t h = (uint32_t)k * 2654435761u + (uint32_t)i * 40503u;
  h ^= h >> 15;
  return (float)(h & 0xffffff);
}

/* Arrays in pieces on the ranks: in even ones, or all pieces moved up by one rank. */
struct arrays { struct flat flats[ARRAYS]; size_t bytes; };

static int arrays_make(struct arrays *a, int rank, int ranks, int moved) {
  *a = (struct arrays){ 0 };
  for (size_t i = 0; i < ARRAYS; i++) {
    struct flat *f = &a->flats[i];
    char name[32];
    snprintf(name, sizeof name, "a%zu", i);
    *f = flat_whole(name, NULL, i < SMALL ? small_sizes[i % 4] : ((size_t)words_mib << 20) / sizeof(float) + i);
    const int parts = moved ? 2 * ranks + 1 : ranks, from = moved ? 2 * rank : rank;
    f->first = shard_first(f->size, from, parts);
    f->count = (moved ? shard_first(f->size, rank == ranks - 1 ? parts : from + 2, parts) : shard_first(f->size, from + 1, parts))
               - f->first;
    f->data = malloc(f->count * sizeof(float) + 1);
    if (!f->data) return because(STATUS_NOMEM, "no memory for arrays of %ld MiB", words_mib);
    for (size_t k = 0; k < f->count; k++) f->data[k] = moved ? -1 : value(i, f->first + k);
    a->bytes += f->size * sizeof(float);
  }
  return STATUS_OK;
}

static void arrays_free(struct arrays *a) {
  for (size_t i = 0; i < ARRAYS; i++) free(a->flats[i].data);
}

static int compare(const struct arrays *a) {
  size_t wrong = 0;
  for (size_t i = 0; i < ARRAYS; i++)
    for (size_t k = 0; k < a->flats[i].count; k++) wrong += a->flats[i].data[k] != value(i, a->flats[i].first + k);
  return wrong ? because(STATUS_IO, "%zu numbers came back wrong", wrong) : STATUS_OK;
}

static void remove_files(const struct world *w, const char *path) {
  MPI_Barrier(w->comm);
  if (w->rank == 0) unlink(path), generations_drop(path);
}

/* COLLECTIVE. A whole checkpoint in the way that is chosen; a line of the report. */
static int try_checkpoint(const struct world *w, const char *path, struct arrays *from, struct arrays *to) {
  const struct table none = { 0 };
  watch_phase("checkpoint");
  fault_stay_away(FAULT_AWAY_SAVE, 0);
  const double began = progress_clock();
  int status = checkpoint_save(w->comm, path, &none, 0, 0, "", from->flats, ARRAYS);
  const double saved = progress_clock();
  if (!status) status = checkpoint_load(w->comm, path, to->flats, ARRAYS);
  const double loaded = progress_clock();
  if (!status) status = agree(w->comm, compare(to));
  if (w->rank == 0)
    printf("checkpoint   %-5s %8.1f MB/s written, %8.1f read: %s%s\n", status ? "FAIL" : "ok",
           (double)from->bytes / 1e6 / (saved - began), (double)to->bytes / 1e6 / (loaded - saved), checkpoint_io_name(),
           status ? "" : "; all values came back");
  if (status && w->rank == 0) printf("             %s\n", status_reason());
  remove_files(w, path);
  return status;
}

/* COLLECTIVE. The same by threads: how long a training would wait, and all in all. */
static int try_threads(const struct world *w, const char *path, struct arrays *from, struct arrays *to) {
  const struct table none = { 0 };
  struct checkpoint_later *later;
  watch_phase("checkpoint by threads");
  int status = checkpoint_later_open(&later, w->comm, from->flats, ARRAYS);
  const double began = progress_clock();
  double waited = 0, all = 0;
  if (!status) status = checkpoint_later_begin(later, path, &none, 0, 0, "", from->flats, ARRAYS);
  if (!status) {
    waited = progress_clock() - began;
    while (checkpoint_later_busy(later)) usleep(1000);   /* here a training takes its steps */
    MPI_Barrier(w->comm);
    const double ready = progress_clock();
    status = checkpoint_later_end(later);
    waited += progress_clock() - ready;
    all = progress_clock() - began;
  }
  checkpoint_later_close(later);
  if (!status) status = checkpoint_load(w->comm, path, to->flats, ARRAYS);
  if (!status) status = agree(w->comm, compare(to));
  if (w->rank == 0)
    printf("checkpoint   %-5s %8.1f MB/s written: by threads, training waits %.3f s of %.3f%s\n", status ? "FAIL" : "ok",
           (double)from->bytes / 1e6 / all, waited, all, status ? "" : "; all values came back");
  if (status && w->rank == 0) printf("             %s\n", status_reason());
  remove_files(w, path);
  return status;
}

/* COLLECTIVE. Small arrays that are dealt out to the ranks, through MPI-IO. */
static int try_split(const struct world *w, const char *path) {
  size_t sizes[SMALL], wrong = 0;
  long bad_files = 0;
  int status = STATUS_OK;
  for (size_t i = 0; i < SMALL; i++) sizes[i] = small_sizes[i % 4];
  for (long t = 0; t < words_times && !status; t++) {
    size_t found = 0;
    watch_phase("split arrays");
    status = split_write(w->comm, path, SMALL, sizes, value);
    if (!status && w->rank == 0) status = split_check(path, SMALL, sizes, value, &found);
    status = agree(w->comm, status);
    bad_files += found > 0, wrong += found;
  }
  remove_files(w, path);
  if (!status && w->rank == 0 && wrong)
    status = because(STATUS_IO, "MPI-IO wrote %zu wrong numbers into %ld of %ld files of small arrays and reported no error:"
                     " do not trust it; checkpoint.io=romio or rank0 may do", wrong, bad_files, words_times);
  status = agree(w->comm, status);
  if (w->rank == 0)
    printf("split arrays %-5s %ld of %ld files right: %s\n", status ? "FAIL" : "ok", words_times - bad_files, words_times,
           checkpoint_io_name());
  return status;
}

/* The worst so far, and why. */
struct outcome { int status; char reason[512]; };
static void add(struct outcome *o, int status) {
  if (status && !o->status) snprintf(o->reason, sizeof o->reason, "%s", status_reason());
  if (status > o->status) o->status = status;
}

/* COLLECTIVE. */
static int try_all(const struct world *w, const char *path, int io, struct arrays *from, struct arrays *to) {
  struct outcome o = { 0 };
  if (io < CHECKPOINT_RANK0) {
    checkpoint_io_choose(io);
    add(&o, try_split(w, path));
    add(&o, try_checkpoint(w, path, from, to));
  }
  if (io == CHECKPOINT_AUTO || io == CHECKPOINT_RANK0) {
    checkpoint_io_choose(CHECKPOINT_RANK0);
    add(&o, try_checkpoint(w, path, from, to));
  }
  if (io == CHECKPOINT_AUTO || io == THREADS) add(&o, try_threads(w, path, from, to));
  return o.status ? because(o.status == STATUS_BAD ? STATUS_IO : o.status, "%s", o.reason) : STATUS_OK;
}

static int read_words(int argc, char **argv, char **folder, int *io) {
  static const char *const names[] = { "all", "ompio", "romio", "rank0", "threads" };
  char *bare[2] = { NULL, NULL };
  const int status = words_parse(argc, argv, words, WORDS, bare, 1);
  if (status) return status;
  if (!bare[0]) return because(STATUS_BAD, "expected a folder, as pmf iotest runs");
  if (access(bare[0], W_OK)) return because(STATUS_BAD, "%s: expected a folder that can be written to", bare[0]);
  *folder = bare[0];
  for (*io = 0; *io <= THREADS; ++*io)
    if (!strcmp(*words_io ? words_io : "all", names[*io])) return STATUS_OK;
  return because(STATUS_BAD, "io=%s: expected all, ompio, romio, rank0 or threads", words_io);
}

int iotest_run(const struct world *w, int argc, char **argv) {
  static struct arrays from, to;
  char *folder = "", path[TEXT_MAX];
  int io = 0, status = agree(w->comm, read_words(argc, argv, &folder, &io));
  if (!status) status = agree(w->comm, fault_read(w->rank));
  if (!status) status = agree(w->comm, watchdog_start(w->rank, w->ranks, words_watchdog));
  if (status) return status;
  snprintf(path, sizeof path, "%s/pmf-iotest.h5", folder);
  status = arrays_make(&from, w->rank, w->ranks, 0);
  if (!status) status = arrays_make(&to, w->rank, w->ranks, 1);
  status = agree(w->comm, status);
  if (!status && w->rank == 0)
    printf("%s: %d small and %d large arrays, %.1f MB, %d ranks\n", folder, SMALL, LARGE, (double)from.bytes / 1e6, w->ranks);
  if (!status) status = try_all(w, path, io, &from, &to);
  arrays_free(&from);
  arrays_free(&to);
  watchdog_stop();
  return status;
}
