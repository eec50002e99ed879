#include "io/crc32c.h"

uint32_t crc32c(size_t n, const void *bytes) {
  const uint8_t *b = bytes;
  uint32_t crc = ~(uint32_t)0;
  for (size_t i = 0; i < n; i++) {
    crc ^= b[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}
