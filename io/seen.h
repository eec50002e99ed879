/* seen.h - which pictures have been seen before, by the 128-bit hash of their pixels (XXH3): equal hash, equal pixels.
 * Memory: 48 bytes for each picture that may come; seen_free, also after an error. Ranks: local. */
#ifndef IO_SEEN_H
#define IO_SEEN_H
#include <stddef.h>
#include <stdint.h>

struct pixel_hash { uint64_t low, high; };
struct seen { size_t places; struct { struct pixel_hash hash; size_t number; } *place; };
struct pixel_hash seen_hash(const uint8_t *pixels, size_t bytes);
/* Room for n pictures. Errors: STATUS_NOMEM. */
int seen_init(struct seen *s, size_t n);
/* The number under which equal pixels came first, or `number` itself if they come now. */
size_t seen_add(struct seen *s, struct pixel_hash hash, size_t number);
void seen_free(struct seen *s);
#endif
