#include "io/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <jpeglib.h>
#include <jerror.h>
#include <png.h>

#include "src/base/status.h"

enum { SIGNATURE = 8, TEXT = 200, SCANS_MAX = 1000 };
static const uint8_t png_signature[SIGNATURE] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };

static int refuse(struct picture *p, enum picture_fault fault, const char *text) {
  p->fault = fault;
  return because(STATUS_BAD, "%s", text);
}

/* Room for the pixels that a header claims. */
static int take_room(struct picture *p, size_t w, size_t h) {
  char text[TEXT];
  if (w == 0 || h == 0) return refuse(p, PICTURE_DAMAGED, "has no pixels");
  p->w = w, p->h = h;
  if (w > PICTURE_PIXELS_MAX / h) {
    snprintf(text, sizeof text, "%zu x %zu pixels are too many, at most %u", w, h, PICTURE_PIXELS_MAX);
    return refuse(p, PICTURE_UNSUPPORTED, text);
  }
  p->rgb = malloc(w * h * 3);
  return p->rgb ? STATUS_OK : because(STATUS_NOMEM, "no memory for a picture of %zu x %zu pixels", w, h);
}

/* From the last pixel to the first, so that the n values may stand at the start of rgb[n,3]. */
static void spread_grey(size_t n, uint8_t *rgb) {
  while (n-- > 0) rgb[3 * n] = rgb[3 * n + 1] = rgb[3 * n + 2] = rgb[n];
}

/* ---- EXIF ---- */

static unsigned number(const uint8_t *at, int bytes, bool big) {
  unsigned value = 0;
  for (int i = 0; i < bytes; i++) value = value << 8 | at[big ? i : bytes - 1 - i];
  return value;
}

/* Tag 0x112 of the first directory of a TIFF of n bytes; 1 where it is not to be found. */
static int orientation(size_t n, const uint8_t *tiff) {
  if (n < 8 || (memcmp(tiff, "II*\0", 4) && memcmp(tiff, "MM\0*", 4))) return 1;
  const bool big = tiff[0] == 'M';
  const size_t at = number(tiff + 4, 4, big);
  if (at > n - 2) return 1;
  const size_t entries = number(tiff + at, 2, big);
  for (size_t i = 0; i < entries && at + 2 + 12 * (i + 1) <= n; i++) {
    const uint8_t *entry = tiff + at + 2 + 12 * i;
    const unsigned value = number(entry + 8, 2, big);
    if (number(entry, 2, big) == 0x112) return value >= 1 && value <= 8 ? (int)value : 1;
  }
  return 1;
}

/* ---- PNG ---- */

struct cursor { const uint8_t *at; size_t left; char text[TEXT]; };

static void png_quiet(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void png_fail(png_structp png, png_const_charp text) {
  snprintf(((struct cursor *)png_get_error_ptr(png))->text, TEXT, "damaged PNG: %s", text);
  longjmp(png_jmpbuf(png), 1);
}

static void png_take(png_structp png, png_bytep to, size_t n) {
  struct cursor *c = png_get_io_ptr(png);
  if (n > c->left) png_error(png, "it ends too early");
  memcpy(to, c->at, n);
  c->at += n, c->left -= n;
}

/* Colours of the n places in a palette, which stand at the start of rgb[n,3]. False if one is not in it. */
static bool look_up(size_t n, const png_color *palette, int colours, uint8_t *rgb) {
  while (n-- > 0) {
    const int place = rgb[n];
    if (place >= colours) return false;
    rgb[3 * n] = palette[place].red, rgb[3 * n + 1] = palette[place].green, rgb[3 * n + 2] = palette[place].blue;
  }
  return true;
}

/* A failure of libpng jumps back to png_try; nothing is allocated here that would be lost. */
static int png_pixels(png_structp png, png_infop info, struct picture *p) {
  png_read_info(png, info);
  const int colour = png_get_color_type(png, info);
  const int status = take_room(p, png_get_image_width(png, info), png_get_image_height(png, info));
  if (status) return status;
  p->grey16 = colour == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) == 16;
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_packing(png);
  if (colour == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  const size_t row = png_get_rowbytes(png, info), n = p->w * p->h;
  if (row != p->w * (colour & PNG_COLOR_MASK_COLOR && colour != PNG_COLOR_TYPE_PALETTE ? 3 : 1))
    png_error(png, "rows of an unexpected length");
  memset(p->rgb, 0, n * 3);   /* passes of an interlaced picture are merged into what is there */
  for (int i = 0; i < passes; i++)
    for (size_t y = 0; y < p->h; y++) png_read_row(png, p->rgb + y * row, NULL);
  png_read_end(png, info);
  png_bytep exif;
  png_uint_32 exif_bytes;
  if (png_get_eXIf_1(png, info, &exif_bytes, &exif)) p->orientation = orientation(exif_bytes, exif);
  png_colorp palette;
  int colours = 0;
  if (colour == PNG_COLOR_TYPE_PALETTE) {
    png_get_PLTE(png, info, &palette, &colours);
    if (!look_up(n, palette, colours, p->rgb)) png_error(png, "a colour that is not in its palette");
  } else if (row == p->w) spread_grey(n, p->rgb);
  return STATUS_OK;
}

static int png_try(png_structp png, png_infop info, const struct cursor *c, struct picture *p) {
  if (setjmp(png_jmpbuf(png))) return refuse(p, PICTURE_DAMAGED, c->text);
  return png_pixels(png, info, p);
}

/* Libpng takes the memory that a chunk claims before it reads it. */
static bool chunks_fit(size_t n, const uint8_t *bytes) {
  for (size_t at = 8, length; at + 8 <= n; at += 12 + length) {
    const size_t left = n - at - 8;
    length = number(bytes + at, 4, true);
    if (left < 4 || length > left - 4) return false;
    if (!memcmp(bytes + at + 4, "IEND", 4)) break;   /* what follows is not looked at */
  }
  return true;
}

static int decode_png(size_t n, const uint8_t *bytes, struct picture *p) {
  struct cursor c = { bytes, n, "" };
  if (!chunks_fit(n, bytes)) return refuse(p, PICTURE_DAMAGED, "damaged PNG: it ends too early");
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &c, png_fail, png_quiet);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_read_struct(&png, &info, NULL);
    return because(STATUS_NOMEM, "no memory to read a PNG");
  }
  png_set_read_fn(png, &c, png_take);
  const int status = png_try(png, info, &c, p);
  png_destroy_read_struct(&png, &info, NULL);
  return status;
}

/* ---- JPEG ---- */

/* base comes first: libjpeg knows only that. */
struct catcher { struct jpeg_error_mgr base; struct jpeg_progress_mgr watch; jmp_buf back; bool scans; };

static _Noreturn void jpeg_fail(j_common_ptr jpeg) { longjmp(((struct catcher *)jpeg->err)->back, 1); }

/* Warnings: pixels that had to be guessed end the decoding, bytes that could be skipped do not. */
static void jpeg_warn(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF: case JWRN_HIT_MARKER: case JWRN_HUFF_BAD_CODE: case JWRN_ARITH_BAD_CODE: case JWRN_MUST_RESYNC:
      jpeg->err->error_exit(jpeg);
  }
}

/* A progressive file of a few bytes a scan could keep libjpeg busy for hours. */
static void jpeg_watch(j_common_ptr jpeg) {
  if (((j_decompress_ptr)jpeg)->input_scan_number <= SCANS_MAX) return;
  ((struct catcher *)jpeg->err)->scans = true;
  jpeg->err->error_exit(jpeg);
}

/* Four inks, as Adobe stores them: 255 is none. From the first pixel to the last. */
static void inks_to_rgb(size_t n, const uint8_t *inks, uint8_t *rgb) {
  for (; n-- > 0; inks += 4, rgb += 3) {
    const unsigned light = inks[3];
    for (int c = 0; c < 3; c++) {
      const unsigned product = (255u - inks[c]) * light + 128;
      rgb[c] = (uint8_t)(light - ((product >> 8) + product) / 256);
    }
  }
}

static int jpeg_pixels(struct jpeg_decompress_struct *jpeg, struct picture *p) {
  jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(jpeg, TRUE);
  const int inks = jpeg->num_components;
  if (inks != 1 && inks != 3 && inks != 4) return refuse(p, PICTURE_UNSUPPORTED, "a JPEG of other than 1, 3 or 4 components");
  const int status = take_room(p, jpeg->image_width, jpeg->image_height);
  if (status) return status;
  for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
    if (m->data_length > 6 && !memcmp(m->data, "Exif\0", 6)) {
      p->orientation = orientation(m->data_length - 6, m->data + 6);
      break;
    }
  jpeg->out_color_space = inks == 1 ? JCS_GRAYSCALE : inks == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_start_decompress(jpeg);
  const size_t row = p->w * (inks == 1 ? 1 : 3);
  JSAMPARRAY four = inks == 4 ? jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, (JDIMENSION)p->w * 4, 1) : NULL;
  while (jpeg->output_scanline < p->h) {
    JSAMPROW line = p->rgb + jpeg->output_scanline * row;
    jpeg_read_scanlines(jpeg, four ? four : &line, 1);
    if (four) inks_to_rgb(p->w, four[0], line);
  }
  jpeg_finish_decompress(jpeg);
  if (inks == 1) spread_grey(p->w * p->h, p->rgb);
  return STATUS_OK;
}

static int jpeg_try(struct jpeg_decompress_struct *jpeg, struct catcher *c, size_t n, const uint8_t *bytes,
                    struct picture *p) {
  char said[JMSG_LENGTH_MAX], text[TEXT];
  if (setjmp(c->back)) {
    if (c->base.msg_code == JERR_OUT_OF_MEMORY) return because(STATUS_NOMEM, "no memory to read a JPEG");
    c->base.format_message((j_common_ptr)jpeg, said);
    snprintf(text, sizeof text, "damaged JPEG: %.160s", c->scans ? "more scans than a picture needs" : said);
    return refuse(p, PICTURE_DAMAGED, text);
  }
  jpeg_create_decompress(jpeg);
  jpeg->progress = &c->watch;
  jpeg_mem_src(jpeg, bytes, n);
  return jpeg_pixels(jpeg, p);
}

static int decode_jpeg(size_t n, const uint8_t *bytes, struct picture *p) {
  struct jpeg_decompress_struct jpeg = { 0 };
  struct catcher c = { .watch = { .progress_monitor = jpeg_watch } };
  jpeg.err = jpeg_std_error(&c.base);
  c.base.error_exit = jpeg_fail, c.base.emit_message = jpeg_warn;
  const int status = jpeg_try(&jpeg, &c, n, bytes, p);
  jpeg_destroy_decompress(&jpeg);
  return status;
}

/* ---- files ---- */

static int decode(size_t n, const uint8_t *bytes, struct picture *p) {
  if (n == 0) return refuse(p, PICTURE_EMPTY, "the file is empty");
  if (n >= SIGNATURE && !memcmp(bytes, png_signature, SIGNATURE)) return decode_png(n, bytes, p);
  if (n >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff) return decode_jpeg(n, bytes, p);
  return refuse(p, PICTURE_UNKNOWN, "neither PNG nor JPEG by its first bytes");
}

int picture_decode(size_t n, const uint8_t *bytes, struct picture *p) {
  *p = (struct picture) { .orientation = 1 };
  return decode(n, bytes, p);
}

static int unreadable(struct picture *p, int cause) {
  char text[TEXT];
  snprintf(text, sizeof text, "cannot be read: %s", strerror(cause));
  return refuse(p, PICTURE_UNREADABLE, text);
}

/* Up to n bytes; how many came, or -1. */
static ssize_t read_some(int fd, uint8_t *to, size_t n) {
  size_t have = 0;
  while (have < n) {
    const ssize_t got = read(fd, to + have, n - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    have += (size_t)got;
  }
  return (ssize_t)have;
}

/* An open file: what begins like neither kind is not read any further. */
static int read_file(int fd, struct picture *p) {
  struct stat facts;
  if (fstat(fd, &facts)) return unreadable(p, errno);
  if (!S_ISREG(facts.st_mode)) return refuse(p, PICTURE_UNREADABLE, "not a regular file");
  const size_t claimed = p->bytes = (size_t)facts.st_size;
  uint8_t first[SIGNATURE];
  const ssize_t begun = read_some(fd, first, sizeof first);
  if (begun < 0) return unreadable(p, errno);
  const bool png = begun == SIGNATURE && !memcmp(first, png_signature, SIGNATURE), jpeg = begun > 1 && first[0] == 0xff;
  if ((!png && !jpeg) || begun < SIGNATURE) return decode((size_t)begun, first, p);
  if (claimed > INT32_MAX) return refuse(p, PICTURE_UNSUPPORTED, "a file of more than 2 GiB");
  uint8_t *bytes = malloc(claimed + SIGNATURE);
  if (!bytes) return because(STATUS_NOMEM, "no memory to read a file of %zu bytes", claimed);
  memcpy(bytes, first, SIGNATURE);
  const ssize_t rest = claimed > SIGNATURE ? read_some(fd, bytes + SIGNATURE, claimed - SIGNATURE) : 0;
  int status;
  if (rest < 0) status = unreadable(p, errno);
  else {
    const size_t n = SIGNATURE + (size_t)rest;
    p->bytes = n, p->hash = XXH64(bytes, n, 0), p->hashed = 1;
    status = decode(n, bytes, p);
  }
  free(bytes);
  return status;
}

int picture_read(const char *path, struct picture *p) {
  *p = (struct picture) { .orientation = 1 };
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);   /* not to wait at a pipe */
  if (fd < 0) return unreadable(p, errno);
  const int status = read_file(fd, p);
  close(fd);
  return status;
}

void picture_free(struct picture *p) {
  free(p->rgb);
  p->rgb = NULL;
}
