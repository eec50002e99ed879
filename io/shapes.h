/* shapes.h - labelled pictures without a download: one coloured shape on a ground with a gradient, anti-aliased.
 * Place, size, rotation and colours of image `index` are a function of (seed, STREAM_SHAPES, index); its class is
 * index mod SHAPES, so that any run of images is balanced. Memory: the caller's. Errors: none. Ranks: local. */
#ifndef IO_SHAPES_H
#define IO_SHAPES_H
#include <stddef.h>
#include <stdint.h>

enum { SHAPES = 8, SHAPES_CHANNELS = 3, SHAPES_SIZE_MIN = 8 };
/* circle, square, triangle, star, ring, cross, moon, heart. */
extern const char *const shapes_names[SHAPES];
/* u8[size,size,3] of one image; returns its class. */
int shapes_draw(uint64_t seed, uint64_t index, size_t size, uint8_t *u8);
#endif
