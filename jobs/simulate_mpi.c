#include "jobs/simulate_mpi.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#undef MPI_Testall   /* here SMPI's own are meant */
#undef MPI_Allreduce

struct simulate_mpi simulate_mpi = { 0, 16, 0 };
double simulate_messages;

enum { PEERS = 31, LEVELS = 31, COMMS = 15 };

/* A collective on its way on one rank. Rounds are numbered from 0; next_round returns 0 when there is none. */
struct operation {
  int (*next_round)(struct operation *o);
  MPI_Comm comm;
  int rank, ranks, root, tag, round, through;
  void *x;
  size_t bytes, fragments, to_add;      /* of all; of a chain; once the round is through */
  size_t window[LEVELS], given[LEVELS]; /* of recursive halving: kept and sent by level */
  MPI_Request q[PEERS];
  int n;
};

/* What one rank has on its way, in the order in which it began. All ranks live in one process. */
struct place {
  void *x;                              /* shared by all, so that nothing is copied */
  struct operation **list;
  size_t count, room;
  int in_step;
  MPI_Comm comms[COMMS + 1];            /* as many as have begun one, then NULL */
  int tags[COMMS + 1];
};
static struct place *places;

static struct place *here(void) {
  int rank, ranks;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (!places) places = calloc((size_t)ranks, sizeof *places);
  assert(places);
  return &places[rank];
}

/* The same on all ranks of the communicator, as they begin its collectives in one order. */
static int next_tag(struct place *p, MPI_Comm comm) {
  int i = 0;
  while (p->comms[i] && p->comms[i] != comm) i++;
  assert(i < COMMS);
  p->comms[i] = comm;
  return p->tags[i]++ % 30000;
}

void simulate_room(size_t bytes) { here()->x = SMPI_SHARED_MALLOC(bytes); }

void simulate_no_room(void) { SMPI_SHARED_FREE(here()->x); }

void simulate_seconds(double seconds) {
  if (seconds > 0) smpi_execute_flops(seconds * 1e9);   /* hosts make 1 Gf/s */
}

/* --- rounds ------------------------------------------------------------------------------------------------------------ */

static void send(struct operation *o, int to, size_t bytes) {
  assert(o->n < PEERS);
  simulate_messages++;
  MPI_Isend(o->x, (int)bytes, MPI_BYTE, to, o->tag, o->comm, &o->q[o->n++]);
}

static void receive(struct operation *o, int from, size_t bytes) {
  assert(o->n < PEERS);
  MPI_Irecv(o->x, (int)bytes, MPI_BYTE, from, o->tag, o->comm, &o->q[o->n++]);
}

/* The root and rank 0 change places. */
static int virtual(const struct operation *o, int rank) { return rank == o->root ? 0 : rank == 0 ? o->root : rank; }

static int levels(int ranks) {
  int n = 0;
  while (1 << n < ranks) n++;
  return n;
}

static size_t fragment(const struct operation *o, size_t i) {
  const size_t n = o->fragments;
  return i + 1 < n ? o->bytes / n : o->bytes - (n - 1) * (o->bytes / n);
}

/* Ireduce on two ranks. */
static int chain_up(struct operation *o) {
  if ((size_t)o->round == o->fragments) return 0;
  const size_t bytes = fragment(o, (size_t)o->round);
  if (o->rank == o->root) receive(o, !o->root, bytes), o->to_add = bytes;
  else send(o, o->root, bytes);
  return 1;
}

/* Ireduce on more: each round halves what a rank adds up; then the parts go to the root. */
static int halve_and_gather(struct operation *o) {
  const int n = levels(o->ranks), level = o->round < n ? o->round : 2 * n - 1 - o->round;
  if (o->round == 2 * n) return 0;
  const int peer = o->rank ^ (1 << level);
  if (o->round < n) {
    const size_t whole = level ? o->window[level - 1] : o->bytes, half = whole / 2;
    o->window[level] = o->rank < peer ? half : whole - half;
    o->given[level] = whole - o->window[level];
    send(o, peer, o->given[level]);
    receive(o, peer, o->window[level]);
    o->to_add = o->window[level];
    return 1;
  }
  if (peer >> level == o->root >> level) {   /* on the root's side: gives all and leaves */
    send(o, peer, o->window[level]);
    o->round = 2 * n - 1;
  } else {
    receive(o, peer, o->given[level]);
  }
  return 1;
}

/* The way down a binomial tree from rank `me` = 0: one receives from above, then all its sends leave together. Round 0 or 1. */
static int down(struct operation *o, int me, int round) {
  int lowest = 0;   /* bit from which on it has ranks below */
  while (1 << lowest <= me) lowest++;
  if (me && !round) {
    receive(o, virtual(o, me - (1 << (lowest - 1))), o->bytes);
    return 1;
  }
  if (round > (me > 0)) return 0;
  for (int i = lowest; 1 << i < o->ranks; i++) send(o, virtual(o, me + (1 << i)), o->bytes);
  return o->n > 0;
}

/* Iallreduce in place: up a binomial tree to rank 0, to which a rank sends once, and down another. */
static int up_and_down(struct operation *o) {
  const int n = levels(o->ranks);
  for (; o->round < n; o->round++) {
    const int bit = 1 << o->round;
    if (o->rank % bit) continue;
    if (o->rank & bit) send(o, o->rank - bit, o->bytes);
    else receive(o, o->rank + bit, o->bytes), o->to_add = o->bytes;
    return 1;
  }
  return down(o, o->rank, o->round - n);
}

/* Ibcast. */
static int from_root(struct operation *o) {
  if (o->round) return 0;
  if (o->rank != o->root) receive(o, o->root, o->bytes);
  else for (int i = 0; i < o->ranks; i++) if (i != o->root) send(o, i, o->bytes);
  return 1;
}

static int tree_down(struct operation *o) { return down(o, virtual(o, o->rank), o->round); }

/* A fragment goes on while the next one comes. */
static int chain_down(struct operation *o) {
  const int me = virtual(o, o->rank), last = me == o->ranks - 1;
  const size_t i = (size_t)o->round;
  if (i == o->fragments + (me && !last)) return 0;
  if (me && i < o->fragments) receive(o, virtual(o, me - 1), fragment(o, i));
  if (!last && (!me || i)) send(o, virtual(o, me + 1), fragment(o, me ? i - 1 : i));
  return 1;
}

/* --- on their way ------------------------------------------------------------------------------------------------------ */

static void next(struct operation *o) {
  o->n = 0;
  o->to_add = 0;
  if (!o->next_round(o)) o->through = 1;
  o->round++;
}

static void move(struct operation *o) {
  while (!o->through) {
    int all;
    MPI_Testall(o->n, o->q, &all, MPI_STATUSES_IGNORE);
    if (!all) return;
    simulate_seconds((double)o->to_add * simulate_mpi.seconds_per_byte);
    next(o);
  }
}

/* Nonzero if there was any. */
static int leave_out_what_is_through(struct place *p) {
  const size_t before = p->count;
  size_t kept = 0;
  for (size_t i = 0; i < p->count; i++)
    if (!p->list[i]->through) p->list[kept++] = p->list[i];
  p->count = kept;
  return kept < before;
}

static size_t moving(const struct place *p) {
  return p->count < (size_t)simulate_mpi.at_once ? p->count : (size_t)simulate_mpi.at_once;
}

/* Those behind begin as those before are through. */
static void move_all(struct place *p) {
  do
    for (size_t i = 0; i < moving(p); i++) {
      if (p->list[i]->round == 0) next(p->list[i]);
      move(p->list[i]);
    }
  while (leave_out_what_is_through(p));
}

/* Until one of this rank's messages is there; what it belongs to moves on. */
static void wait_for_one(struct place *p) {
  enum { MOST = 4096 };
  MPI_Request q[MOST], *from[MOST];
  struct operation *of[MOST];
  int n = 0, i;
  for (size_t k = 0; k < moving(p); k++)
    for (int j = 0; j < p->list[k]->n && n < MOST; j++)
      if (p->list[k]->q[j] != MPI_REQUEST_NULL) q[n] = p->list[k]->q[j], from[n] = &p->list[k]->q[j], of[n++] = p->list[k];
  assert(n);
  MPI_Waitany(n, q, &i, MPI_STATUS_IGNORE);
  *from[i] = q[i];
  move(of[i]);
  if (of[i]->through) move_all(p);   /* others may move now */
}

/* first: before all that are on their way. */
static void begin(int (*rounds)(struct operation *), MPI_Comm comm, int root, size_t bytes, size_t fragment_bytes, int first,
                  MPI_Request *q) {
  struct place *p = here();
  struct operation *o = calloc(1, sizeof *o);
  if (p->count == p->room) {
    p->room = p->room ? 2 * p->room : 64;
    p->list = realloc(p->list, p->room * sizeof *p->list);
  }
  assert(o && p->list);
  *o = (struct operation){ .next_round = rounds, .comm = comm, .root = root, .x = p->x, .bytes = bytes, .tag = next_tag(p, comm),
                           .fragments = fragment_bytes ? (bytes + fragment_bytes - 1) / fragment_bytes : 1 };
  MPI_Comm_rank(comm, &o->rank);
  MPI_Comm_size(comm, &o->ranks);
  assert(!(o->ranks & (o->ranks - 1)));
  if (rounds == chain_down && simulate_mpi.fragments && o->fragments > (size_t)simulate_mpi.fragments)
    o->fragments = (size_t)simulate_mpi.fragments;
  *q = (MPI_Request)(void *)o;
  o->through = o->ranks == 1;
  if (o->through) return;
  p->list[p->count++] = o;
  if (first) {
    memmove(p->list + 1, p->list, (p->count - 1) * sizeof *p->list);
    *p->list = o;
  }
  if (first || p->count <= (size_t)simulate_mpi.at_once) next(o);
}

static size_t size_of(int n, MPI_Datatype type) {
  int width;
  MPI_Type_size(type, &width);
  return (size_t)n * (size_t)width;
}

int simulate_ireduce(const void *from, void *to, int n, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm, MPI_Request *q) {
  int ranks;
  (void)from, (void)to, (void)op;
  MPI_Comm_size(comm, &ranks);
  begin(ranks > 2 ? halve_and_gather : chain_up, comm, root, size_of(n, type), 8192, 0, q);
  return MPI_SUCCESS;
}

int simulate_iallreduce(const void *from, void *to, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm, MPI_Request *q) {
  (void)from, (void)to, (void)op;
  begin(up_and_down, comm, 0, size_of(n, type), 0, 0, q);
  return MPI_SUCCESS;
}

int simulate_ibcast(void *x, int n, MPI_Datatype type, int root, MPI_Comm comm, MPI_Request *q) {
  const size_t bytes = size_of(n, type);
  int ranks;
  (void)x;
  MPI_Comm_size(comm, &ranks);
  begin(ranks <= 4 ? from_root : bytes < 65536 ? tree_down : chain_down, comm, root, bytes, bytes < 524288 ? 8192 : 32768, 0, q);
  return MPI_SUCCESS;
}

/* --- for those who wait ------------------------------------------------------------------------------------------------ */

static struct operation *operation(MPI_Request q) { return (struct operation *)(void *)q; }

/* Takes what is through from q[n]; *done = MPI_UNDEFINED where there is nothing left. */
static void take(int n, MPI_Request q[], int *done, int which[]) {
  int left = 0;
  *done = 0;
  for (int i = 0; i < n; i++) {
    if (q[i] == MPI_REQUEST_NULL) continue;
    left++;
    if (!operation(q[i])->through) continue;
    free(operation(q[i]));
    q[i] = MPI_REQUEST_NULL;
    which[(*done)++] = i;
  }
  if (!left) *done = MPI_UNDEFINED;
}

int simulate_testsome(int n, MPI_Request q[], int *done, int which[], MPI_Status s[]) {
  (void)s;
  move_all(here());
  take(n, q, done, which);
  return MPI_SUCCESS;
}

int simulate_waitsome(int n, MPI_Request q[], int *done, int which[], MPI_Status s[]) {
  struct place *p = here();
  (void)s;
  for (move_all(p), take(n, q, done, which); *done == 0; take(n, q, done, which)) {
    wait_for_one(p);
    leave_out_what_is_through(p);
  }
  return MPI_SUCCESS;
}

int simulate_testall(int n, MPI_Request q[], int *all, MPI_Status s[]) {
  (void)s;
  move_all(here());
  *all = 1;
  for (int i = 0; i < n; i++) *all &= q[i] == MPI_REQUEST_NULL || operation(q[i])->through;
  return MPI_SUCCESS;   /* they stay until waitall */
}

int simulate_waitall(int n, MPI_Request q[], MPI_Status s[]) {
  struct place *p = here();
  (void)s;
  move_all(p);
  for (int i = 0; i < n; i++) {
    if (q[i] == MPI_REQUEST_NULL) continue;
    while (!operation(q[i])->through) wait_for_one(p), leave_out_what_is_through(p);
    free(operation(q[i]));
    q[i] = MPI_REQUEST_NULL;
  }
  return MPI_SUCCESS;
}

/* --- steps ------------------------------------------------------------------------------------------------------------- */

void simulate_step_begins(void) { here()->in_step = 1; }

void simulate_step_ends(void) { here()->in_step = 0; }

int simulate_allreduce(const void *from, void *to, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
  MPI_Request q;
  if (!here()->in_step) return MPI_Allreduce(from, to, n, type, op, comm);
  begin(up_and_down, comm, 0, size_of(n, type), 0, 1, &q);
  return simulate_waitall(1, &q, MPI_STATUSES_IGNORE);
}
