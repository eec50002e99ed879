/* simulate_wire.h - how long messages take on a described network: every node sends and receives at the bandwidth of its link, in both
 * directions at once, and shares it evenly among the messages that pass; a message has the lesser share of its two ends.
 * What a message cannot use of its share is nobody's. SimGrid gives it to others (max-min fairness), for which it solves for the shares of
 * all messages of all nodes whenever one begins or ends: `simulate_fair`, ten times as slow at 128 ranks. Steps take nearly as
 * long with both (doc/scaling.md).
 * Memory: as many messages as are on their way at once; never freed. For the actors of one simulation, which take turns at calls of SimGrid. */
#ifndef JOBS_SIMULATE_WIRE_H
#define JOBS_SIMULATE_WIRE_H
#include <simgrid/host.h>

/* 1: SimGrid's shares, 0: even ones. Set before the first message. */
extern int simulate_fair;
/* Sends so many bytes; returns at once. there(message) is called, in an actor of the network's, when they have come. */
void wire_send(sg_host_t from, sg_host_t to, double bytes, void (*there)(void *message), void *message);
#endif
