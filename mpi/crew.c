#include "mpi/crew.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

#include "mpi/shard.h"
#include "mpi/watch.h"
#include "src/base/status.h"
#include "src/optim/muon.h"
#include "src/optim/newton_schulz.h"
#include "src/optim/share.h"

void crew_init(struct crew *c, const struct world *w, const struct table *t) {
  const int owners = t->count ? t->tensors[t->count - 1].owner + 1 : 1;
  int helper = w->rank - owners;   /* counted on from the first one of each crew */
  *c = (struct crew){ .comm = MPI_COMM_NULL, .owner = w->rank, .size = 1 };
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    if (n->crew < 2) continue;
    assert(n->crew <= SHARE_CREW);
    const int there = n->owner == w->rank || (helper >= 0 && helper < n->crew - 1);
    if (there) *c = (struct crew){ .owner = n->owner, .place = helper < 0 ? 0 : 1 + helper, .size = n->crew };
    helper -= helper >= 0 && !there ? n->crew - 1 : 0;
    if (there) break;
  }
  MPI_Comm_split(w->comm, c->size > 1 ? c->owner : MPI_UNDEFINED, c->place, &c->comm);
}

void crew_free(struct crew *c) {
  if (c->size > 1) MPI_Comm_free(&c->comm);
  *c = (struct crew){ 0 };
}

/* Scatter, work, gather. X: the owner's; work: A, Q, and the piece twice. */
static void together(const struct crew *c, size_t out, size_t in, real *X, real *work, void (*breathe)(void *), void *context) {
  const int tall = out > in;
  const size_t n = tall ? in : out, length = tall ? out : in, share = shard_count(length, c->place, c->size);
  size_t count[SHARE_CREW];
  int numbers[SHARE_CREW], at[SHARE_CREW];
  for (int k = 0; k < c->size; k++) {
    count[k] = shard_count(length, k, c->size);
    numbers[k] = (int)(count[k] * n), at[k] = (int)(shard_first(length, k, c->size) * n);
  }
  assert(out * in < (size_t)1 << 31);
  real *A = work, *Q = A + n * n, *now = Q + n * n, *next = now + share * n;   /* the owner's piece is not the larger half */
  if (c->place == 0) newton_schulz_cut(out, in, c->size, count, X, now);
  watch_wait("the pieces of a matrix", (size_t)numbers[c->place]);
  MPI_Scatterv(now, numbers, at, MPI_FLOAT, c->place ? now : MPI_IN_PLACE, numbers[c->place], MPI_FLOAT, 0, c->comm);
  watch_leave();
  for (int step = 0; step < NEWTON_SCHULZ_STEPS; step++) {
    newton_schulz_gram(tall, n, share, now, A);
    if (breathe) breathe(context);
    newton_schulz_fold(n, A, Q);
    watch_wait("Newton-Schulz of several ranks", n * (n + 1) / 2);
    MPI_Allreduce(MPI_IN_PLACE, Q, (int)(n * (n + 1) / 2), MPI_FLOAT, MPI_SUM, c->comm);
    watch_leave();
    newton_schulz_unfold(n, Q, A);
    if (breathe) breathe(context);
    newton_schulz_polynomial(n, A, Q);
    if (breathe) breathe(context);
    newton_schulz_turn(tall, n, share, Q, now, next);
    real *swap = now;
    now = next;
    next = swap;
  }
  watch_wait("the pieces of a matrix", (size_t)numbers[c->place]);
  MPI_Gatherv(now, numbers[c->place], MPI_FLOAT, X, numbers, at, MPI_FLOAT, 0, c->comm);
  watch_leave();
  if (c->place == 0) newton_schulz_join(out, in, c->size, count, X, Q + n * n);
}

void crew_newton_schulz(const struct crew *c, size_t out, size_t in, real *X, real *work, void (*breathe)(void *), void *context) {
  if (c->size > 1) together(c, out, in, X, work, breathe, context);
  else muon_newton_schulz(out, in, X, work, breathe, context);
}

int crew_test(const struct crew *c) {
  enum { OUT = 24, IN = 75 };
  static real X[OUT * IN], own[OUT * IN], work[2 * OUT * IN + 2 * OUT * OUT];
  double worst = 0;
  if (c->size < 2) return STATUS_OK;
  for (int i = 0; i < OUT * IN; i++) X[i] = own[i] = (real)((i * 37 % 101) - 50) / (30 * (real)sqrt((double)(OUT * IN)));
  together(c, OUT, IN, X, work, NULL, NULL);
  if (c->place) return STATUS_OK;
  muon_newton_schulz(OUT, IN, own, work, NULL, NULL);
  for (int i = 0; i < OUT * IN; i++) {
    const double off = fabs((double)X[i] - (double)own[i]);
    if (!(off <= worst) && !isnan(worst)) worst = off;   /* NaN stays */
  }
  if (worst < 1e-4) return STATUS_OK;
  return because(STATUS_BAD, "Newton-Schulz on %d ranks is not that of one (by %g): this MPI library cannot be trusted with MPI_Scatterv,"
                 " MPI_Allreduce and MPI_Gatherv", c->size, worst);
}

void crew_help(const struct crew *c, const struct table *t, real *work, void (*breathe)(void *), void *context) {
  for (size_t i = 0; i < t->count && c->place; i++) {
    const struct tensor *n = &t->tensors[i];
    if (n->crew > 1 && n->owner == c->owner)
      together(c, n->shape[0], n->shape[1], NULL, work, breathe, context);
  }
}
