/* pictures.h - test pictures as files in memory, by libpng and libjpeg: every kind that a folder may hold. */
#ifndef TESTS_PICTURES_H
#define TESTS_PICTURES_H
#include <stddef.h>
#include <stdint.h>

struct file { uint8_t *bytes; size_t n; };   /* the caller frees bytes */

/* A value for each pixel and channel, smooth enough for JPEG, other pictures for other `which`. */
uint8_t picture_value(unsigned which, size_t y, size_t x, size_t c);
/* kind: an enum of libpng's colour types; values of 16 bits are (value << 8 | 0x5a). A palette has `colours` colours, number i
 * being (7 i, 255 - i, 3 i), and pixels picture_value(which, y, x, 0) % colours. Smaller depths keep the high bits. */
struct file picture_png(unsigned which, size_t w, size_t h, int colour, int depth, int colours, int interlaced,
                        int transparent);
/* components 1, 3 or 4 (inks as Adobe stores them, progressive ones as YCCK); orientation > 0: an EXIF mark says it. */
struct file picture_jpeg(unsigned which, size_t w, size_t h, int components, int progressive, int orientation);
void picture_save(const char *path, struct file f);   /* exits if it cannot; frees f */
#endif
