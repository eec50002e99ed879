/* hooks.h - what a step tells its caller on the way, so that communication can start and progress, and time be taken.
 * A hook that is NULL is not called, and no hooks at all are allowed.
 * Memory: the caller's. Errors: none. Ranks: local, on the thread that called. */
#ifndef NET_HOOKS_H
#define NET_HOOKS_H
#include <stddef.h>

enum net_phase { NET_GUIDANCE, NET_FORWARD, NET_PERCEPTUAL, NET_BACKWARD };
struct net_hooks {
  void (*use)(void *context, size_t first, size_t end);   /* weights [first, end) of the flat array are read from here on */
  void (*final)(void *context, size_t offset);   /* gradients from offset to the end will not change any more */
  void (*breathe)(void *context);                /* between products, there and back */
  void (*phase)(void *context, enum net_phase);  /* begins */
  void *context;
};

static inline void hooks_breathe(const struct net_hooks *h) {
  if (h && h->breathe) h->breathe(h->context);
}
static inline void hooks_use(const struct net_hooks *h, size_t first, size_t end) {
  if (h && h->use) h->use(h->context, first, end);
}
static inline void hooks_final(const struct net_hooks *h, size_t offset) {
  if (h && h->final) h->final(h->context, offset);
  hooks_breathe(h);
}
static inline void hooks_phase(const struct net_hooks *h, enum net_phase phase) {
  if (h && h->phase) h->phase(h->context, phase);
}
#endif
