#include "mpi/replicas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "mpi/agree.h"
#include "mpi/watch.h"
#include "src/base/status.h"

static uint64_t hash_of(const struct tensor *x, const real *weights) {
  return XXH3_64bits(weights + x->offset, x->size * sizeof *weights);
}

static uint64_t hash_of_all(const struct table *t, const real *weights) {
  uint64_t h = 0;
  for (size_t i = 0; i < t->count; i++) {
    const uint64_t two[] = { h, hash_of(&t->tensors[i], weights) };
    h = XXH3_64bits(two, sizeof two);
  }
  return h;
}

/* The value that more than half of them have; *found = 0 where there is none. */
static uint64_t majority(int n, const uint64_t *x, int *found) {
  *found = 0;
  for (int i = 0; i < n && !*found; i++) {
    int same = 0;
    for (int j = 0; j < n; j++) same += x[j] == x[i];
    *found = 2 * same > n;
    if (*found) return x[i];
  }
  return 0;
}

/* "rank 1 differs from the majority of 3" and the like, into text. */
static void name_ranks(int n, const uint64_t *hashes, char *text, size_t room) {
  enum { NAMED = 16 };
  int found, wrong = 0;
  const uint64_t most = majority(n, hashes, &found), right = found ? most : hashes[0];
  for (int k = 0; k < n; k++) wrong += hashes[k] != right;
  size_t at = (size_t)snprintf(text, room, "rank%s", wrong > 1 ? "s" : "");
  for (int k = 0, named = 0; k < n && named < NAMED; k++)
    if (hashes[k] != right) at += (size_t)snprintf(text + at, room - at, "%s %d", named++ ? "," : "", k);
  if (wrong > NAMED) at += (size_t)snprintf(text + at, room - at, " and %d more", wrong - NAMED);
  snprintf(text + at, room - at, found ? " differ%s from the majority of %d" : " differ%s from rank 0, with no majority of %d",
           wrong > 1 ? "" : "s", n);
}

/* COLLECTIVE. Whose value of this tensor is another. */
static int blame(MPI_Comm comm, const struct tensor *x, const real *weights) {
  int ranks;
  char who[256];
  MPI_Comm_size(comm, &ranks);
  uint64_t mine = hash_of(x, weights), *all = malloc((size_t)ranks * sizeof *all);
  if (agree_any(comm, !all)) {
    free(all);
    return because(STATUS_DIVERGED, "the ranks' weights differ in tensor %s", x->name);
  }
  watch_enter("gathering of hashes", 1);
  MPI_Allgather(&mine, 1, MPI_UINT64_T, all, 1, MPI_UINT64_T, comm);
  watch_leave();
  name_ranks(ranks, all, who, sizeof who);
  free(all);
  return because(STATUS_DIVERGED, "the ranks' weights differ in tensor %s: %s; are memory and processors of the nodes sound and"
                 " of one kind?", x->name, who);
}

int replicas_check(MPI_Comm comm, const struct table *t, const real *weights) {
  if (agree_hash(comm, hash_of_all(t, weights))) return STATUS_OK;
  for (size_t i = 0; i < t->count; i++)
    if (!agree_hash(comm, hash_of(&t->tensors[i], weights))) return blame(comm, &t->tensors[i], weights);
  return because(STATUS_DIVERGED, "the ranks' weights differed for a moment: is the memory of the nodes sound?");
}
