#include "jobs/simulate_mpi.h"

#include <assert.h>
#include <simgrid/actor.h>
#include <simgrid/semaphore.h>
#include <stdint.h>
#include <stdlib.h>

#include "jobs/simulate_wire.h"
#include "mpi/add.h"
#include "src/optim/newton_schulz.h"

#undef MPI_Comm_dup   /* here SMPI's own are meant */
#undef MPI_Comm_split

double simulate_seconds_per_byte, simulate_seconds_per_copy, simulate_seconds_per_flop, simulate_messages;

void simulate_seconds(double seconds) {
  if (seconds > 0) sg_actor_sleep_for(seconds);   /* nobody shares a core; SimGrid 3.32 takes long to end what is computed */
}

static void *memory(void *x) {
  assert(x);
  return x;
}

/* --- ranks and communicators, all in one process, which take turns at calls of SimGrid alone ---------------------------- */

struct known { MPI_Comm comm; int *world; };   /* its ranks are these of the world; all who are in it know it by the same place */
struct ended { MPI_Request *q; double copying; };
enum { KNOWN = 16 };
struct rank {
  sg_host_t host;
  struct known known[KNOWN];
  int knows;
  struct ended *ended;                         /* messages of this rank that have, and that it has not been told of */
  size_t count, room;
  sg_sem_t news;
  int waits;
};
static struct rank *ranks;
static int world_size;

static struct rank *me(void) {
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (!ranks) {
    MPI_Comm_size(MPI_COMM_WORLD, &world_size);
    ranks = memory(calloc((size_t)world_size, sizeof *ranks));
  }
  struct rank *r = &ranks[rank];
  if (!r->news) r->news = sg_sem_init(0), r->host = sg_host_self();
  return r;
}

static void know(MPI_Comm comm) {
  struct rank *r = me();
  struct known *k = &r->known[r->knows++];
  assert(r->knows <= KNOWN);
  *k = (struct known){ .comm = comm };
  if (comm == MPI_COMM_NULL) return;
  int size;
  MPI_Group here, all;
  MPI_Comm_size(comm, &size);
  int *own = memory(calloc((size_t)size, sizeof *own));
  for (int i = 0; i < size; i++) own[i] = i;
  k->world = memory(calloc((size_t)size, sizeof *k->world));
  MPI_Comm_group(comm, &here);
  MPI_Comm_group(MPI_COMM_WORLD, &all);
  MPI_Group_translate_ranks(here, size, own, all, k->world);
  MPI_Group_free(&here);
  MPI_Group_free(&all);
  free(own);
}

int simulate_dup(MPI_Comm comm, MPI_Comm *copy) {
  const int result = MPI_Comm_dup(comm, copy);
  know(*copy);
  return result;
}

int simulate_split(MPI_Comm comm, int color, int key, MPI_Comm *part) {
  const int result = MPI_Comm_split(comm, color, key, part);
  know(*part);
  return result;
}

/* --- messages ---------------------------------------------------------------------------------------------------------- */

/* All messages of one tag from one rank to another in one communicator, which come one after the other. */
struct pair {
  uint64_t key;
  int from, to;
  MPI_Request *out, *in;        /* of the next one, from those who have called; NULL: not yet */
  double bytes;
  struct pair *more;            /* of the same slot */
};
static struct pair **slots;
static size_t pairs, slot_count;

static size_t slot_of(uint64_t key) { return (size_t)(key * 0x9E3779B97F4A7C15u >> 32) % slot_count; }

static void more_slots(void) {
  struct pair **old = slots;
  const size_t n = slot_count;
  slot_count = n ? 2 * n : 1 << 16;
  slots = memory(calloc(slot_count, sizeof *slots));
  for (size_t i = 0; i < n; i++)
    for (struct pair *p = old[i], *next; p; p = next) {
      struct pair **at = &slots[slot_of(p->key)];
      next = p->more, p->more = *at, *at = p;
    }
  free(old);
}

static struct pair *pair_of(int known, int from, int to, int tag) {
  const uint64_t key = (((uint64_t)known << 24 | (uint64_t)tag) * (uint64_t)world_size + (uint64_t)from) * (uint64_t)world_size + (uint64_t)to;
  assert(tag >= 0 && tag < 1 << 24);
  if (pairs >= slot_count) more_slots();
  struct pair **at = &slots[slot_of(key)];
  for (struct pair *p = *at; p; p = p->more)
    if (p->key == key) return p;
  struct pair *p = memory(calloc(1, sizeof *p));
  *p = (struct pair){ .key = key, .from = from, .to = to, .more = *at };
  pairs++;
  return *at = p;
}

static void tell(struct rank *r, MPI_Request *q, double copying) {
  if (r->count == r->room) {
    r->room = r->room ? 2 * r->room : 64;
    r->ended = memory(realloc(r->ended, r->room * sizeof *r->ended));
  }
  r->ended[r->count++] = (struct ended){ q, copying };
  if (!r->waits) return;
  r->waits = 0;                   /* first: others take their turn meanwhile */
  sg_sem_release(r->news);
}

struct letter { struct rank *from, *to; MPI_Request *out, *in; double copying; struct letter *next; };
static struct letter *spare;

static void has_come(void *message) {
  struct letter *l = message;
  const struct letter m = *l;
  l->next = spare, spare = l;   /* first: others take their turn meanwhile */
  tell(m.from, m.out, 0);
  tell(m.to, m.in, m.copying);
}

static void set_out(struct pair *p) {
  if (!p->out || !p->in) return;
  struct letter *l = spare;
  if (l) spare = l->next;
  else l = memory(malloc(sizeof *l));
  *l = (struct letter){ &ranks[p->from], &ranks[p->to], p->out, p->in, p->bytes * simulate_seconds_per_copy, NULL };
  p->out = p->in = NULL;
  wire_send(l->from->host, l->to->host, p->bytes, has_come, l);
}

/* The message of this tag between this rank and another of comm. */
static struct pair *message(MPI_Comm comm, int other, int out, int tag) {
  const struct rank *r = me();
  int k = 0;
  while (k < r->knows && r->known[k].comm != comm) k++;
  assert(k < r->knows);
  const int mine = (int)(r - ranks), to = r->known[k].world[other];
  return out ? pair_of(k, mine, to, tag) : pair_of(k, to, mine, tag);
}

int simulate_isend(const void *x, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *q) {
  (void)x;
  int width;
  MPI_Type_size(type, &width);
  struct pair *p = message(comm, to, 1, tag);
  assert(!p->out);
  simulate_messages++;
  *q = (MPI_Request)p;
  simulate_seconds((double)n * width * simulate_seconds_per_copy);
  p->bytes = (double)n * width;
  p->out = q;
  set_out(p);
  return MPI_SUCCESS;
}

int simulate_irecv(void *x, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *q) {
  (void)x, (void)n, (void)type;
  struct pair *p = message(comm, from, 0, tag);
  assert(!p->in);
  *q = (MPI_Request)p;
  p->in = q;
  set_out(p);
  return MPI_SUCCESS;
}

static int by_place(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* Those of q[0..n) that have ended; takes the time to copy what came in. */
int simulate_testsome(int n, MPI_Request *q, int *count, int *ended, MPI_Status *ignored) {
  struct rank *r = me();
  size_t left = 0;
  double copying = 0;
  (void)ignored;
  *count = 0;
  for (size_t i = 0; i < r->count; i++) {
    const struct ended e = r->ended[i];
    if (e.q < q || e.q >= q + n) {
      r->ended[left++] = e;
      continue;
    }
    *e.q = MPI_REQUEST_NULL;
    ended[(*count)++] = (int)(e.q - q);
    copying += e.copying;
  }
  r->count = left;
  qsort(ended, (size_t)*count, sizeof *ended, by_place);
  simulate_seconds(copying);
  return MPI_SUCCESS;
}

int simulate_waitsome(int n, MPI_Request *q, int *count, int *ended, MPI_Status *ignored) {
  struct rank *r = me();
  int active = 0;
  while (active < n && q[active] == MPI_REQUEST_NULL) active++;
  if (active == n) {
    *count = MPI_UNDEFINED;
    return MPI_SUCCESS;
  }
  for (;;) {
    simulate_testsome(n, q, count, ended, ignored);
    if (*count) return MPI_SUCCESS;
    r->waits = 1;
    sg_sem_acquire(r->news);
  }
}

/* --- what is computed -------------------------------------------------------------------------------------------------- */

float *simulate_work(size_t numbers) { return SMPI_SHARED_MALLOC(numbers * sizeof(float)); }

void simulate_no_work(float *work) { SMPI_SHARED_FREE(work); }

static void copy(size_t numbers) { simulate_seconds((double)numbers * sizeof(float) * simulate_seconds_per_byte); }

void newton_schulz_gram(int tall, size_t n, size_t share, const float *piece, float *A) {
  (void)tall, (void)piece, (void)A;
  simulate_seconds((double)(n * n) * (double)share * simulate_seconds_per_flop);
}

void newton_schulz_fold(size_t n, const float *A, float *half) {
  (void)A, (void)half;
  copy(n * (n + 1) / 2);
}

/* And what the sum of them adds. */
void newton_schulz_unfold(size_t n, const float *half, float *A) {
  (void)half, (void)A;
  copy(n * (n + 1));
}

void newton_schulz_polynomial(size_t n, const float *A, float *Q) {
  (void)A, (void)Q;
  simulate_seconds((double)(n * n * n) * simulate_seconds_per_flop);
}

void newton_schulz_turn(int tall, size_t n, size_t share, const float *Q, const float *piece, float *next) {
  (void)tall, (void)Q, (void)piece, (void)next;
  simulate_seconds(2 * (double)(n * n) * (double)share * simulate_seconds_per_flop);
}

void newton_schulz_cut(size_t out, size_t in, int pieces, const size_t *count, const float *X, float *packed) {
  (void)pieces, (void)count, (void)X, (void)packed;
  copy(out * in);
}

void newton_schulz_join(size_t out, size_t in, int pieces, const size_t *count, float *X, float *scratch) {
  (void)pieces, (void)count, (void)X, (void)scratch;
  copy(out > in ? 0 : 2 * out * in);
}

void add_numbers(int n, MPI_Datatype type, const void *from, void *x) {
  int width;
  (void)from, (void)x;
  MPI_Type_size(type, &width);
  simulate_seconds((double)n * width * simulate_seconds_per_byte);
}
