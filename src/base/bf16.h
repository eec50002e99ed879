/* bf16.h - the upper half of a float: its sign, its 8 bits of exponent and 7 of its 23 bits of fraction.
 * Rounded to nearest, ties to even; infinities stay, NaNs stay NaN, what is above the largest becomes infinite.
 * Relative error at most 2^-8 (for numbers that are not subnormal).
 * Memory: the caller owns every array, which do not overlap. Errors: none. Ranks: local; threads share the rows. */
#ifndef BASE_BF16_H
#define BASE_BF16_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t bf16_from(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
  return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}
static inline float bf16_value(uint16_t b) {
  const uint32_t bits = (uint32_t)b << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
/* y[rows,cols], dense, from rows of x that are ld apart. */
void bf16_pack(size_t rows, size_t cols, const float *x, size_t ld, uint16_t *y);
/* The same numbers as floats. */
void bf16_round(size_t rows, size_t cols, const float *x, size_t ld, float *y);
#endif
