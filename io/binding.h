/* binding.h - on which cores each rank may run, with how many threads and which kernels, how fast they multiply, and what about it
 * costs speed.
 * Errors: none; what cannot be read is 0. */
#ifndef IO_BINDING_H
#define IO_BINDING_H
#include <stddef.h>
#include <stdint.h>

enum { BINDING_WORDS = 16 };          /* 64 cores each */
#define BINDING_SLOW 0.7               /* with a core each, ranks of one thread were seen to differ by less than 0.05 */
struct binding {
  char host[64], kernels[32];         /* kernels: OpenBLAS's, as matmul_core names them */
  char pinned[24];                    /* the variable that makes OpenMP pin its threads, or "" */
  char numa[32];                      /* NUMA nodes that its cores belong to: "0", "0-1", "0,2"; "": not known */
  int threads, machine_cores;         /* of this rank; of the whole node */
  double gflops;                      /* the caller's: of a short product, all ranks at once; 0: not measured */
  size_t memory, huge;                /* bytes that it has taken until now, and of them in huge pages */
  uint64_t cores[BINDING_WORDS];      /* a bit for each physical core of the node that this rank may run on */
};
/* This process, by hwloc and its environment. Local. */
void binding_read(struct binding *b, int threads, const char *kernels);
/* Physical cores that it may run on. */
int binding_cores(const struct binding *b);
/* The median of the ranks' speeds, and the slowest rank; 0 without memory for them. Local. */
double binding_gflops(const struct binding *all, int ranks, int *slowest);
/* Says, a line a call, how all the ranks lie: one line for each kind of them, so one in all where they are equal; then
 * warnings: more threads than cores, threads that OpenMP pins, hosts with other kernels, ranks below BINDING_SLOW of the median's
 * speed; and a note on cores without a thread, and on memory that should lie in huge pages and does not. Local. */
void binding_tell(const struct binding *all, int ranks, void (*say)(void *context, const char *line), void *context);
#endif
