#include "io/png.h"

#include <assert.h>
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/disk.h"
#include "src/base/status.h"

enum { GAP = 2, GROUND = 235, VISIBLE = 64 };

static void quiet(png_structp png, png_const_charp text) { (void)png, (void)text; }

/* What libpng says, kept for the reason; then back to the setjmp. */
static void fail(png_structp png, png_const_charp text) {
  snprintf(png_get_error_ptr(png), 128, "%s", text);
  longjmp(png_jmpbuf(png), 1);
}

/* Nonzero if libpng gave up; then text[128] says why. */
static int encode(FILE *f, size_t w, size_t h, size_t channels, const uint8_t *u8, char *text) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, text, fail, quiet);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    return 1;
  }
  png_init_io(png, f);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);   /* else a million rows, found out after all was made */
  png_set_IHDR(png, info, (png_uint_32)w, (png_uint_32)h, 8, channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (size_t y = 0; y < h; y++) png_write_row(png, u8 + y * w * channels);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  return 0;
}

int png_write(const char *path, size_t w, size_t h, size_t channels, const uint8_t *u8) {
  assert((channels == 1 || channels == 3) && w > 0 && h > 0);
  char temporary[4096], text[128] = "libpng lacks memory";
  if (disk_temporary(path, temporary, sizeof temporary))
    return because(STATUS_IO, "%.200s...: the name is too long", path);
  FILE *f = fopen(temporary, "wb");
  if (!f) return because(STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
  errno = 0;
  const int failed = encode(f, w, h, channels, u8, text), unwritten = ferror(f), error = errno;
  const int unclosed = fclose(f);
  if (failed || unwritten || unclosed) {
    const int cause = error ? error : errno;
    remove(temporary);
    return because(STATUS_IO, "%s: cannot be written: %s", path, cause ? strerror(cause) : text);
  }
  if (rename(temporary, path)) {
    const int cause = errno;
    remove(temporary);
    return because(STATUS_IO, "%s: cannot be renamed to %s: %s", temporary, path, strerror(cause));
  }
  return STATUS_OK;
}

/* Copies image n of the grid, enlarged, to its place on the canvas, whose rows have `stride` bytes. */
static void place(const struct png_grid *g, size_t scale, size_t n, uint8_t *canvas, size_t stride) {
  const size_t C = g->channels, cell = g->size * scale;
  const size_t top = GAP + n / g->cols * (cell + GAP), left = GAP + n % g->cols * (cell + GAP);
  const uint8_t *image = g->u8 + n * g->size * g->size * C;
  for (size_t y = 0; y < cell; y++)
    for (size_t x = 0; x < cell; x++)
      memcpy(canvas + (top + y) * stride + (left + x) * C, image + (y / scale * g->size + x / scale) * C, C);
}

static size_t scale_of(const struct png_grid *g) { return g->scale ? g->scale : (VISIBLE + g->size - 1) / g->size; }

size_t png_grid_most(const struct png_grid *g) {
  const size_t cell = g->size * scale_of(g) + GAP, w = g->cols * cell + GAP, h = g->rows * cell + GAP;
  const size_t rows = h * (w * g->channels + 1);   /* a filter's byte before each; what cannot be compressed grows by a part */
  return rows + rows / 100 + 4096;
}

int png_write_grid(const char *path, const struct png_grid *g) {
  assert(g->rows > 0 && g->cols > 0 && g->size > 0 && g->count <= g->rows * g->cols);
  const size_t scale = scale_of(g);
  const size_t cell = g->size * scale + GAP, w = g->cols * cell + GAP, h = g->rows * cell + GAP;
  uint8_t *canvas = malloc(w * h * g->channels);
  if (!canvas) return because(STATUS_NOMEM, "%s: no memory for a picture of %zu x %zu pixels", path, w, h);
  memset(canvas, GROUND, w * h * g->channels);
  for (size_t n = 0; n < g->count; n++) place(g, scale, n, canvas, w * g->channels);
  const int status = png_write(path, w, h, g->channels, canvas);
  free(canvas);
  return status;
}
