#include "tests/pictures.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

uint8_t picture_value(unsigned which, size_t y, size_t x, size_t c) {
  return (uint8_t)((40 * which + 3 * x * (c + 1) + 2 * y * (3 - c % 3) + x * y / 8) / 2 % 256);
}

static void png_add(png_structp png, png_bytep bytes, size_t n) {
  struct file *f = png_get_io_ptr(png);
  f->bytes = realloc(f->bytes, f->n + n);
  memcpy(f->bytes + f->n, bytes, n);
  f->n += n;
}

static void png_keep(png_structp png) { (void)png; }

static uint8_t place(unsigned which, size_t y, size_t x, int colours) {
  return (uint8_t)(picture_value(which, y, x, 0) % colours);
}

/* A row as libpng takes it before packing: a byte a value, or two. */
static void fill_row(uint8_t *row, unsigned which, size_t y, size_t w, int channels, int depth, int colours) {
  for (size_t x = 0; x < w; x++)
    for (int c = 0; c < channels; c++) {
      const uint8_t value = colours ? place(which, y, x, colours) : picture_value(which, y, x, (size_t)c);
      if (depth == 16) *row++ = value, *row++ = 0x5a;
      else *row++ = colours || depth == 8 ? value : (uint8_t)(value >> (8 - depth));
    }
}

struct file picture_png(unsigned which, size_t w, size_t h, int colour, int depth, int colours, int interlaced,
                        int transparent) {
  struct file f = { NULL, 0 };
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  png_color palette[256];
  const int channels = (colour & PNG_COLOR_MASK_COLOR && !(colour & PNG_COLOR_MASK_PALETTE) ? 3 : 1) +
                       (colour & PNG_COLOR_MASK_ALPHA ? 1 : 0);
  png_set_write_fn(png, &f, png_add, png_keep);
  png_set_IHDR(png, info, (png_uint_32)w, (png_uint_32)h, depth, colour, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  for (int i = 0; i < colours; i++)
    palette[i] = (png_color) { (png_byte)(7 * i), (png_byte)(255 - i), (png_byte)(3 * i) };
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, colours);
  png_byte alpha[2] = { 0, 128 };
  png_color_16 clear = { .red = 9, .green = 9, .blue = 9, .gray = 1 };
  if (transparent) png_set_tRNS(png, info, alpha, colour == PNG_COLOR_TYPE_PALETTE ? 2 : 0, &clear);
  png_set_gAMA(png, info, 0.3);   /* to be ignored */
  png_write_info(png, info);
  png_set_packing(png);
  uint8_t *row = malloc(w * 8);
  const int passes = png_set_interlace_handling(png);
  for (int i = 0; i < passes; i++)
    for (size_t y = 0; y < h; y++) {
      fill_row(row, which, y, w, channels, depth, colours);
      png_write_row(png, row);
    }
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  free(row);
  return f;
}

/* Orientation is the second of two entries; odd ones little-endian, even ones big-endian. */
static void add_exif(j_compress_ptr jpeg, int orientation) {
  const JOCTET o = (JOCTET)orientation;
  const JOCTET big[] = { 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, '*', 0, 0, 0, 8, 0, 2,
                         1, 0x0f, 0, 2, 0, 0, 0, 4, 'p', 'm', 'f', 0, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, o, 0, 0, 0, 0, 0, 0 };
  const JOCTET little[] = { 'E', 'x', 'i', 'f', 0, 0, 'I', 'I', '*', 0, 8, 0, 0, 0, 2, 0,
                            0x0f, 1, 2, 0, 4, 0, 0, 0, 'p', 'm', 'f', 0, 0x12, 1, 3, 0, 1, 0, 0, 0, o, 0, 0, 0, 0, 0, 0, 0 };
  jpeg_write_marker(jpeg, JPEG_APP0 + 1, orientation % 2 ? little : big, sizeof big);
}

struct file picture_jpeg(unsigned which, size_t w, size_t h, int components, int progressive, int orientation) {
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  unsigned char *bytes = NULL;
  unsigned long n = 0;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_mem_dest(&jpeg, &bytes, &n);
  jpeg.image_width = (JDIMENSION)w, jpeg.image_height = (JDIMENSION)h;
  jpeg.input_components = components;
  jpeg.in_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  if (components == 4 && progressive) jpeg_set_colorspace(&jpeg, JCS_YCCK);
  jpeg_set_quality(&jpeg, 100, TRUE);
  for (int c = 0; c < components; c++) jpeg.comp_info[c].h_samp_factor = jpeg.comp_info[c].v_samp_factor = 1;
  if (progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  if (orientation) add_exif(&jpeg, orientation);
  JSAMPROW row = malloc(w * (size_t)components);
  for (size_t y = 0; y < h; y++) {
    fill_row(row, which, y, w, components, 8, 0);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  free(row);
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  return (struct file) { bytes, n };
}

void picture_save(const char *path, struct file f) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(f.bytes, 1, f.n, file) != f.n || fclose(file)) {
    perror(path);
    exit(EXIT_FAILURE);
  }
  free(f.bytes);
}
