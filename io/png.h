/* png.h - pictures out: 8-bit grey or RGB PNG files. Equal pixels give equal bytes (no time is stored).
 * Written under a name of its own beside path, then renamed, so that path is never half a picture.
 * Errors: STATUS_IO with the reason, STATUS_NOMEM. Ranks: local. */
#ifndef IO_PNG_H
#define IO_PNG_H
#include <stddef.h>
#include <stdint.h>

/* u8[h,w,channels], channels 1 or 3. */
int png_write(const char *path, size_t w, size_t h, size_t channels, const uint8_t *u8);

/* Images side by side, `cols` in a row, on a light ground with gaps of 2 pixels around and between them. */
struct png_grid {
  size_t rows, cols;
  size_t size, channels;   /* of one image: square; channels 1 or 3 */
  size_t scale;            /* each image pixel becomes scale x scale pixels; 0: chosen, so that an image has about 64 */
  size_t count;            /* images there are, at most rows * cols: the places behind them stay light */
  const uint8_t *u8;       /* [count,size,size,channels], row by row of the grid */
};
int png_write_grid(const char *path, const struct png_grid *g);
/* More bytes than the file of such a grid ever has, whatever is on it. */
size_t png_grid_most(const struct png_grid *g);
#endif
