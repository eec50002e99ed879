/* picture.h - pictures in: PNG and JPEG files, known by their first bytes, not by their names, as 8-bit RGB like Pillow's
 * convert('RGB'): palettes looked up, grey spread, alpha and transparent colours dropped (never blended), 16 bits cut to the
 * high byte (of grey too, where Pillow clips at 255 and leaves little but white), CMYK and YCCK read as inverted (Adobe's
 * custom), gamma, colour profiles and EXIF's orientation ignored.
 * A picture is whole or refused: what libpng or libjpeg could only guess at counts as damage, harmless stray bytes do not.
 * Memory: w h 3 bytes, malloc'ed only once the header has been found reasonable; picture_free, also after an error.
 * Errors: STATUS_BAD with p->fault and one line without the file's name; STATUS_NOMEM. Ranks: local. */
#ifndef IO_PICTURE_H
#define IO_PICTURE_H
#include <stddef.h>
#include <stdint.h>

enum picture_fault { PICTURE_GOOD, PICTURE_UNREADABLE, PICTURE_EMPTY, PICTURE_UNKNOWN, PICTURE_DAMAGED, PICTURE_UNSUPPORTED };
#define PICTURE_PIXELS_MAX 178956970u   /* Pillow's limit: above it a small file is taken for a trap */

struct picture {
  size_t w, h;              /* as the header says, 0 before it was understood */
  uint8_t *rgb;             /* [h,w,3] */
  int orientation;          /* EXIF's, 1 to 8; 1 is upright, or none was said */
  int grey16;               /* nonzero: 16 bits of grey */
  enum picture_fault fault;
  uint64_t bytes, hash;     /* of the file: its size, and where `hashed` XXH64 (seed 0) of its bytes; picture_read only */
  int hashed;
};
int picture_read(const char *path, struct picture *p);
/* The same of a file's n bytes in memory. */
int picture_decode(size_t n, const uint8_t *bytes, struct picture *p);
void picture_free(struct picture *p);
#endif
