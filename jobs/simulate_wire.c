#include "jobs/simulate_wire.h"

#include <assert.h>
#include <float.h>
#include <simgrid/actor.h>
#include <simgrid/engine.h>
#include <simgrid/semaphore.h>
#include <stdlib.h>

int simulate_fair;

static void *memory(void *x) {
  assert(x);
  return x;
}

static void begin_actor(const char *name, void (*what)(int, char **), void *data) {
  sg_actor_t actor = sg_actor_init(name, sg_host_self());
  sg_actor_set_data(actor, data);
  sg_actor_set_stacksize(actor, 1 << 16);
  sg_actor_start(actor, what, 0, NULL);
}

/* --- even shares ------------------------------------------------------------------------------------------------------- */

struct port;
struct flow {
  double left, rate, since, ends;   /* bytes at the clock `since`; the clock at which they are through */
  struct port *ports[2];            /* of its sender and of its receiver; NULL: all have left, and the last is on its way */
  size_t at[2], place;              /* where it stands in their lists, and in the heap */
  double latency;
  void (*there)(void *);
  void *message;
  struct flow *next;                /* that is not in use either */
};
struct port { double bytes_a_second; struct flow **flows; size_t count, room; };
struct node { struct port out, in, loop; };   /* loop: to itself */

static struct flow *unused, **heap;   /* heap: the one that ends first is first */
static size_t flows, heap_room;
static sg_sem_t news;
static double awake_at = DBL_MAX;

static void put(size_t i, struct flow *f) { heap[i] = f, f->place = i; }

static void sift(struct flow *f) {
  size_t i = f->place;
  for (; i && f->ends < heap[(i - 1) / 2]->ends; i = (i - 1) / 2) put(i, heap[(i - 1) / 2]);
  for (size_t child; (child = 2 * i + 1) < flows; i = child) {
    if (child + 1 < flows && heap[child + 1]->ends < heap[child]->ends) child++;
    if (heap[child]->ends >= f->ends) break;
    put(i, heap[child]);
  }
  put(i, f);
}

static void push(struct flow *f) {
  if (flows == heap_room) {
    heap_room = heap_room ? 2 * heap_room : 1024;
    heap = memory(realloc(heap, heap_room * sizeof *heap));
  }
  put(flows++, f);
  sift(f);
}

static struct flow *pop(void) {
  struct flow *first = heap[0], *last = heap[--flows];
  if (first != last) {
    put(0, last);
    sift(last);
  }
  return first;
}

static double share(const struct port *p) { return p->bytes_a_second / (double)p->count; }

/* The port has one more or one less. */
static void share_anew(struct port *p, double now) {
  for (size_t i = 0; i < p->count; i++) {
    struct flow *f = p->flows[i];
    const double a = share(f->ports[0]), b = share(f->ports[1]), rate = a < b ? a : b;
    f->left -= f->rate * (now - f->since);
    f->since = now;
    f->rate = rate;
    f->ends = now + (f->left > 0 ? f->left / rate : 0);
    sift(f);
  }
}

static void enter(struct flow *f, int end, struct port *p) {
  if (p->count == p->room) {
    p->room = p->room ? 2 * p->room : 16;
    p->flows = memory(realloc(p->flows, p->room * sizeof *p->flows));
  }
  f->ports[end] = p;
  f->at[end] = p->count;
  p->flows[p->count++] = f;
}

static void leave(struct flow *f, int end) {
  struct port *p = f->ports[end];
  struct flow *last = p->flows[--p->count];
  p->flows[f->at[end]] = last;
  last->at[end] = f->at[end];
}

static void all_left(struct flow *f, double now) {
  struct port *out = f->ports[0], *in = f->ports[1];
  leave(f, 0);
  if (in != out) leave(f, 1);
  f->ports[0] = f->ports[1] = NULL;
  f->ends = now + f->latency;
  push(f);
  share_anew(out, now);
  if (in != out) share_anew(in, now);
}

static void end_what_is_due(void) {
  while (flows && heap[0]->ends <= simgrid_get_clock() + 1e-9) {   /* SimGrid's precision */
    struct flow *f = pop();
    if (f->ports[0]) all_left(f, simgrid_get_clock());
    else {
      f->next = unused, unused = f;
      f->there(f->message);
    }
  }
}

static void network(int argc, char **argv) {
  (void)argc, (void)argv;
  sg_actor_daemonize(sg_actor_self());   /* the simulation ends without it */
  for (;;) {
    end_what_is_due();
    awake_at = flows ? heap[0]->ends : DBL_MAX;
    if (flows) sg_sem_acquire_timeout(news, awake_at - simgrid_get_clock());
    else sg_sem_acquire(news);
  }
}

static struct node *node_of(sg_host_t host) {
  struct node *n = sg_host_get_data(host);
  if (!n) sg_host_set_data(host, n = memory(calloc(1, sizeof *n)));
  return n;
}

static void send_evenly(sg_host_t from, sg_host_t to, double bytes, void (*there)(void *), void *message) {
  const double now = simgrid_get_clock(), speed = sg_host_get_route_bandwidth(from, to);
  struct node *a = node_of(from), *b = node_of(to);
  struct port *out = from == to ? &a->loop : &a->out, *in = from == to ? &a->loop : &b->in;
  struct flow *f = unused;
  if (f) unused = f->next;
  else f = memory(malloc(sizeof *f));
  *f = (struct flow){ .left = bytes, .since = now, .ends = DBL_MAX, .latency = sg_host_get_route_latency(from, to), .there = there, .message = message };
  out->bytes_a_second = in->bytes_a_second = speed;
  enter(f, 0, out);
  if (in != out) enter(f, 1, in);
  else f->ports[1] = in;
  push(f);
  share_anew(out, now);
  if (in != out) share_anew(in, now);
  if (!news) {
    news = sg_sem_init(0);
    begin_actor("network", network, NULL);
  } else if (heap[0]->ends < awake_at) {
    awake_at = heap[0]->ends;
    sg_sem_release(news);
  }
}

/* --- fair ones: an actor carries a message, one at a time ---------------------------------------------------------------- */

struct carrier { sg_sem_t work; sg_host_t from, to; double bytes; void (*there)(void *); void *message; struct carrier *next; };
static struct carrier *idle;

static void carry(int argc, char **argv) {
  struct carrier *c = sg_actor_self_get_data();
  (void)argc, (void)argv;
  sg_actor_daemonize(sg_actor_self());
  for (;;) {
    sg_sem_acquire(c->work);
    sg_host_sendto(c->from, c->to, c->bytes);
    void (*const there)(void *) = c->there;
    void *message = c->message;
    c->next = idle, idle = c;   /* others take their turn meanwhile */
    there(message);
  }
}

static void send_fairly(sg_host_t from, sg_host_t to, double bytes, void (*there)(void *), void *message) {
  struct carrier *c = idle;
  if (c) idle = c->next;
  else {
    c = memory(calloc(1, sizeof *c));
    c->work = sg_sem_init(0);
    begin_actor("carrier", carry, c);
  }
  c->from = from, c->to = to, c->bytes = bytes, c->there = there, c->message = message;
  sg_sem_release(c->work);
}

void wire_send(sg_host_t from, sg_host_t to, double bytes, void (*there)(void *), void *message) {
  (simulate_fair ? send_fairly : send_evenly)(from, to, bytes, there, message);
}
