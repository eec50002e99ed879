/* crc32c.h - Castagnoli's cyclic redundancy check, which records of TensorBoard carry (RFC 3720, appendix B.4): the polynomial
 * 0x1edc6f41 with its bits reversed, all ones before and after. Bit by bit: a grid of samples takes a millisecond.
 * Ranks: local. Errors: none. */
#ifndef IO_CRC32C_H
#define IO_CRC32C_H
#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(size_t n, const void *bytes);
#endif
