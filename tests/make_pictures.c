/* make_pictures - fills a folder with pictures of every kind, for tests of whole jobs.
 *   make_pictures FOLDER FIRST COUNT WIDTH HEIGHT     FOLDER/FIRST.png, .jpg ..., all different */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/pictures.h"

enum { KINDS = 9 };

static struct file make(unsigned n, size_t w, size_t h) {
  switch (n % KINDS) {
    case 0:  return picture_png(n, w, h, PNG_COLOR_TYPE_RGB, 8, 0, 0, 0);
    case 1:  return picture_jpeg(n, w, h, 3, 0, 0);
    case 2:  return picture_png(n, w, h, PNG_COLOR_TYPE_RGBA, 16, 0, 1, 0);
    case 3:  return picture_jpeg(n, w, h, 3, 1, 6);
    case 4:  return picture_png(n, w, h, PNG_COLOR_TYPE_PALETTE, 8, 200, 0, 0);
    case 5:  return picture_jpeg(n, w, h, 4, 0, 0);
    case 6:  return picture_png(n, w, h, PNG_COLOR_TYPE_GRAY_ALPHA, 8, 0, 0, 0);
    case 7:  return picture_jpeg(n, w, h, 1, 0, 1);
    default: return picture_png(n, w, h, PNG_COLOR_TYPE_GRAY, 16, 0, 0, 0);
  }
}

int main(int argc, char **argv) {
  if (argc != 6) return EXIT_FAILURE;
  const unsigned first = (unsigned)atoi(argv[2]), count = (unsigned)atoi(argv[3]);
  for (unsigned n = first; n < first + count; n++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%03u.%s", argv[1], n, n % KINDS % 2 && n % KINDS != 8 ? "jpg" : "png");
    picture_save(path, make(n, (size_t)atoi(argv[4]), (size_t)atoi(argv[5])));
  }
  return EXIT_SUCCESS;
}
