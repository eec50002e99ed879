#include "jobs/delivery.h"

#include <assert.h>
#include <stdlib.h>

#include "mpi/agree.h"
#include "src/base/status.h"

enum { CHUNK = GENERATE_CHUNK };

size_t delivery_chunks(size_t n) { return (n + CHUNK - 1) / CHUNK; }

static size_t images_in(const struct delivery *s, size_t chunk) {
  const size_t left = s->n - chunk * CHUNK;
  return left < CHUNK ? left : CHUNK;
}

static void make(const struct delivery *s, size_t chunk) {
  generate_images(s->g, s->weights, chunk * CHUNK, images_in(s, chunk), s->u8);
}

/* Image by image, as an MPI count is an int. */
static void receive(const struct delivery *s, size_t chunk, int owner) {
  const size_t P = s->g->net->pixels;
  for (size_t i = 0; i < images_in(s, chunk); i++)
    MPI_Recv(s->u8 + i * P, (int)P, MPI_BYTE, owner, 0, s->w->comm, MPI_STATUS_IGNORE);
}

static void send(const struct delivery *s, size_t chunk) {
  const size_t P = s->g->net->pixels;
  for (size_t i = 0; i < images_in(s, chunk); i++) MPI_Send(s->u8 + i * P, (int)P, MPI_BYTE, 0, 0, s->w->comm);
}

int delivery_open(struct delivery *s, const struct world *w, const struct generate *g, const real *weights, size_t n) {
  *s = (struct delivery){ w, g, weights, n, 0, malloc(CHUNK * g->net->pixels) };
  return s->u8 ? STATUS_OK : because(STATUS_NOMEM, "no memory for %d images", CHUNK);
}

void delivery_close(struct delivery *s) { free(s->u8); }

/* Chunks go round: before each round the ranks agree to go on, so that a write that failed ends the work of all. */
void delivery_next(struct delivery *s, const uint8_t **u8, size_t *count) {
  const size_t chunk = s->next++;
  const int owner = (int)(chunk % (size_t)s->w->ranks);
  assert(s->w->rank == 0 && chunk < delivery_chunks(s->n));
  if (owner == 0) {
    agree(s->w->comm, STATUS_OK);
    make(s, chunk);
  } else {
    receive(s, chunk, owner);
  }
  *u8 = s->u8;
  *count = images_in(s, chunk);
}

/* The ranks behind rank 0: a chunk a round. */
static int serve(struct delivery *s) {
  const size_t R = (size_t)s->w->ranks, chunks = delivery_chunks(s->n);
  for (size_t chunk = (size_t)s->w->rank; chunk - (size_t)s->w->rank < chunks; chunk += R) {
    const int status = agree(s->w->comm, STATUS_OK);
    if (status) return status;
    if (chunk >= chunks) continue;
    make(s, chunk);
    send(s, chunk);
  }
  return agree(s->w->comm, STATUS_OK);
}

int delivery_end(struct delivery *s, int status) {
  const uint8_t *u8;
  size_t count;
  if (s->w->rank > 0) return serve(s);
  while (s->next % (size_t)s->w->ranks && s->next < delivery_chunks(s->n))   /* the rest of the round is on its way */
    delivery_next(s, &u8, &count);
  assert(status || s->next == delivery_chunks(s->n));
  return agree(s->w->comm, status);
}
