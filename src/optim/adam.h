/* adam.h - Adam for one tensor of n numbers at step k = 1, 2, ... (SPEC 6), with Nesterov momentum or plain (AdamW):
 *   m = b1 m + (1-b1) g,  s = b2 s + (1-b2) g^2,
 *   d = b1 m/(1-b1^(k+1)) + (1-b1) g/(1-b1^k)   (Nesterov)   or   m/(1-b1^k),
 *   w -= rate (d/(sqrt(s/(1-b2^k)) + 1e-8) + decay w).
 * Memory: the caller owns all. Errors: none. Ranks: local. */
#ifndef OPTIM_ADAM_H
#define OPTIM_ADAM_H
#include <stddef.h>
#include <stdint.h>

#include "src/base/real.h"

struct adam {
  double b1, b2, decay;
  int nesterov;
};
void adam_update(const struct adam *c, size_t n, uint64_t k, double rate, const real *g, real *m, real *s, real *w);
#endif
