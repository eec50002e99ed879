/* onednn.h - products of bf16 matrices with float32 sums, by oneDNN where configure found it.
 * A product of a new shape is compiled for this processor (under a millisecond) and kept.
 * Memory: the compiled products, as long as the program lives. Ranks: local; not from inside a parallel region. */
#ifndef BASE_ONEDNN_H
#define BASE_ONEDNN_H
#include <stddef.h>
#include <stdint.h>

/* Its version, as 2.6.0; NULL where pmf was built without it. */
const char *onednn_version(void);
/* C[m,n] = op(A) op(B), or += with add. op(A) is [m,k]: A as it lies, or A[k,m] transposed with ta; op(B) is [k,n]: B as it
 * lies, or B[n,k] transposed with tb. A and B are dense, rows of C are ldc apart.
 * Returns whether it was done: if not, C is untouched. */
int onednn_product(int ta, int tb, size_t m, size_t n, size_t k, const uint16_t *A, const uint16_t *B, int add, float *C,
                   size_t ldc);
#endif
