/* rate.h - what this machine's matrix products can do: the rate of OpenBLAS at the shapes that the net uses, alone on the
 * same threads. It is the limit that a step's own rate is compared with.
 * Units: floating-point operations in a second. Errors: STATUS_NOMEM. Ranks: local. */
#ifndef JOBS_RATE_H
#define JOBS_RATE_H
#include "src/net/net.h"

/* One product: C[m,n] over k. kind: as matmul_nt, _nn, _tn. */
struct rate_shape { size_t m, n, k; int kind; };
enum { RATE_SHAPES = 12 };
/* The products of a block's four linear layers: forward on rows + rows_dot, gradients by input and by weight on rows. */
void rate_shapes(const struct net *n, size_t rows, size_t rows_dot, struct rate_shape shapes[RATE_SHAPES]);
/* The rate of one shape, the best of at least four runs that take about `seconds` together. */
int rate_of(const struct rate_shape *shape, double seconds, double *rate);
/* The fastest of the single products of 256 x 256 x 256 that fit into `seconds`, of four at least: work beside it lengthens some of
 * them, seldom all. Takes 0.75 MiB meanwhile. */
int rate_glance(double seconds, double *rate);
/* The rate of all shapes of rate_shapes together, each as often as a block needs it: flops by time. */
int rate_measure(const struct net *n, size_t rows, size_t rows_dot, double seconds, double *rate);
#endif
