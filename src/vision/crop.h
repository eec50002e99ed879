/* crop.h - the square that is trained on and compared with, cut from a picture of any size (SPEC 10): while the short side
 * is at least twice the target halve both sides (box filter), then bicubic with antialias to short side = target, then the
 * centre. The published statistics were made with this crop, so bytes are what counts: Pillow's arithmetic is followed
 * step by step (weights of 22 bits, two passes, each rounded half up and clipped to bytes; width first, but height first where
 * h > H and h - H > 2 (w - W), H x W being the new size, as Pillow has it from version 13 on and fixtures/crop.h5 too).
 * Source: SPEC 10; Pillow's Image.resize. Shapes: u8[h,w,C], row-major bytes, C = 1 or 3.
 * Memory: the caller owns the arrays; scratch is freed again. Errors: STATUS_NOMEM. Ranks: local. */
#ifndef VISION_CROP_H
#define VISION_CROP_H
#include <stddef.h>
#include <stdint.h>

/* out[size,size,C]. A picture smaller than the target is enlarged. */
int crop_square(size_t h, size_t w, size_t C, const uint8_t *u8, size_t size, uint8_t *out);
/* grey[n] of rgb[n,3]: the luma of ITU-R 601-2 as Pillow rounds it; they may be the same array. */
void crop_grey(size_t n, const uint8_t *rgb, uint8_t *grey);
#endif
