/* products.h - does this BLAS multiply right? Every kind of product that a step makes of the matrices of blocks and heads, on all
 * threads and on one, before the first step: kernels that are wrong on some processors or nodes only have been seen (EXPECTATIONS
 * N7: OpenBLAS#5267, #3454, #2187).
 * The factors are small whole numbers, so that every partial sum is below 2^24 in size: float32 and bf16 hold them exactly,
 * in whatever order they are added, and the least difference is a fault. All of C = A B is looked at, by C x = A (B x) in double,
 * exact too, for a vector x of numbers up to 2^12: a wrong row of C passes once in 2^12 (Freivalds).
 * Where a product has very many rows, some of them: at most ROWS + 63, with the same remainder for kernels' edges. */
#ifndef JOBS_PRODUCTS_H
#define JOBS_PRODUCTS_H
#include "mpi/world.h"
#include "src/net/net.h"

/* COLLECTIVE. For micro-batches of B samples, B_dot of them with tangents, at the precision that linear layers have (matmul.h).
 * Memory: its own, given back. Errors, on all ranks: STATUS_BAD, naming product, sizes, threads, kernels and rank, and the
 * kernels that may do better; STATUS_NOMEM. */
int products_test(const struct world *w, const struct net *n, size_t B, size_t B_dot);
#endif
