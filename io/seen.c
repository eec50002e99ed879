#include "io/seen.h"

#include <stdlib.h>
#include <xxhash.h>

#include "src/base/status.h"

struct pixel_hash seen_hash(const uint8_t *pixels, size_t bytes) {
  const XXH128_hash_t h = XXH3_128bits(pixels, bytes);
  return (struct pixel_hash) { h.low64, h.high64 };
}

int seen_init(struct seen *s, size_t n) {
  s->places = 2 * n + 1;
  s->place = calloc(s->places, sizeof *s->place);
  return s->place ? STATUS_OK : because(STATUS_NOMEM, "no memory to compare %zu images", n);
}

size_t seen_add(struct seen *s, struct pixel_hash hash, size_t number) {
  size_t i = hash.low % s->places;
  for (; s->place[i].number; i = (i + 1) % s->places)   /* open addressing; numbers are kept plus one */
    if (s->place[i].hash.low == hash.low && s->place[i].hash.high == hash.high) return s->place[i].number - 1;
  s->place[i].hash = hash, s->place[i].number = number + 1;
  return number;
}

void seen_free(struct seen *s) { free(s->place); }
