/* binding.h - on which cores each rank may run, with how many threads and which kernels, and what about it costs speed.
 * Errors: none; what cannot be read is 0. */
#ifndef IO_BINDING_H
#define IO_BINDING_H
#include <stddef.h>
#include <stdint.h>

enum { BINDING_WORDS = 16 };          /* 64 cores each */
struct binding {
  char host[64], kernels[32];         /* kernels: OpenBLAS's, as matmul_core names them */
  char pinned[24];                    /* the variable that makes OpenMP pin its threads, or "" */
  int threads, machine_cores, numa;   /* of this rank; of the whole node; NUMA nodes that its cores belong to */
  size_t memory, huge;                /* bytes that it has taken until now, and of them in huge pages */
  uint64_t cores[BINDING_WORDS];      /* a bit for each physical core of the node that this rank may run on */
};
/* This process, by hwloc and its environment. Local. */
void binding_read(struct binding *b, int threads, const char *kernels);
/* Physical cores that it may run on. */
int binding_cores(const struct binding *b);
/* Says, a line a call, how all the ranks lie: one line for each kind of them, so one in all where they are equal; then
 * warnings: more threads than cores, threads that OpenMP pins, hosts with other kernels; and a note on cores without a
 * thread, and on memory that should lie in huge pages and does not. Local. */
void binding_tell(const struct binding *all, int ranks, void (*say)(void *context, const char *line), void *context);
#endif
