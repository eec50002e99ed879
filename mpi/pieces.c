#include "mpi/pieces.h"

#include <string.h>

#include "mpi/reduce.h"

void pieces_gather(MPI_Comm comm, struct piece mine, struct piece *all) {
  MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all, sizeof mine, MPI_BYTE, comm);
}

int pieces_cover(const struct piece *all, int ranks, size_t n) {
  size_t end = 0;
  for (int k = 0; k < ranks; k++) {
    if (all[k].count && all[k].first != end) return 0;
    end += all[k].count;
  }
  return end == n;
}

static struct piece both(struct piece a, struct piece b) {
  const size_t first = a.first > b.first ? a.first : b.first;
  const size_t a_end = a.first + a.count, b_end = b.first + b.count, end = a_end < b_end ? a_end : b_end;
  return (struct piece){ first, end > first ? end - first : 0 };
}

/* The next message of p: its length, and the rank that it is exchanged with, nobody once all is through. */
static int next(const struct piece *p, size_t done, int *partner) {
  const size_t left = p->count > done ? p->count - done : 0;
  if (!left) *partner = MPI_PROC_NULL;
  return (int)(left < reduce_limit ? left : reduce_limit);
}

/* Round d: to the d-th rank after this one, from the d-th before it. Whoever is furthest back finds his partners waiting, so
 * that no round can block for ever. */
void pieces_move(MPI_Comm comm, const struct piece *have, const float *x, const struct piece *want, float *y) {
  int rank, ranks;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  const struct piece kept = both(have[rank], want[rank]);   /* a message to oneself is a copy in small parts */
  if (kept.count) memcpy(y + (kept.first - want[rank].first), x + (kept.first - have[rank].first), kept.count * sizeof *y);
  for (int d = 1; d < ranks; d++) {
    int to = (rank + d) % ranks, from = (rank - d + ranks) % ranks;
    const struct piece out = both(have[rank], want[to]), in = both(have[from], want[rank]);
    for (size_t done = 0; done < out.count || done < in.count; done += reduce_limit) {
      const int sent = next(&out, done, &to), received = next(&in, done, &from);
      MPI_Sendrecv(sent ? x + (out.first - have[rank].first + done) : NULL, sent, MPI_FLOAT, to, 0,
                   received ? y + (in.first - want[rank].first + done) : NULL, received, MPI_FLOAT, from, 0, comm,
                   MPI_STATUS_IGNORE);
    }
  }
}
