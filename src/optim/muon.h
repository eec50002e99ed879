/* muon.h - Muon for one matrix (SPEC 6): momentum, Nesterov, and five Newton-Schulz steps that make the direction nearly
 * orthogonal. At step k = 1, 2, ...:  m = 0.95 m + 0.05 g,   d = 0.95 m/(1-0.95^(k+1)) + 0.05 g/(1-0.95^k),
 *   X = d/(|d|_F + 1e-8), turned so that rows <= columns;  A = X X^T,  X <- a X + (b A + c A^2) X  five times;
 *   w -= rate sqrt(max(1, out/in)) X.
 * Source: Keller Jordan's Muon; (a,b,c) = (3.4445, -4.7750, 2.0315).
 * Memory: the caller owns all. Errors: none. Ranks: local. */
#ifndef OPTIM_MUON_H
#define OPTIM_MUON_H
#include <stddef.h>
#include <stdint.h>

#include "src/base/real.h"

/* Numbers of scratch for an [out,in] matrix. */
size_t muon_work(size_t out, size_t in);
/* Flops of its five Newton-Schulz steps; X X^T and A^2 counted as symmetric, at half a product each. */
double muon_flops(size_t out, size_t in);
/* Those of each of several ranks with a piece across its length (newton_schulz.h), which all do A^2. */
double muon_piece_flops(size_t out, size_t in, int ranks);
/* m = 0.95 m + 0.05 g, of n numbers. */
void muon_momentum(size_t n, const real *g, real *m);
/* Who else may do what muon_newton_schulz does: with others' help (mpi/crew.h), or breathing. */
struct muon_help { void (*newton_schulz)(void *context, size_t out, size_t in, real *X, real *work); void *context; };
/* The rest of the step, with m as muon_momentum left it. help: NULL, or who does the five steps. */
void muon_update(size_t out, size_t in, uint64_t k, double rate, const real *g, const real *m, real *w,
                 const struct muon_help *help, real *work);
/* X[out,in] of Frobenius norm at most 1 -> nearly the nearest matrix with orthonormal rows (out <= in) or columns: a tall
 * matrix is not turned but multiplied from the other side, X <- X (a I + b A + c A^2), A = X^T X, which is the same.
 * work: 2 min(out,in)^2 + out in numbers. breathe (may be NULL) is called between the products. */
void muon_newton_schulz(size_t out, size_t in, real *X, real *work, void (*breathe)(void *), void *context);
#endif
