/* pack_sort.h - which picture of a folder becomes which image of the packed file, and the report of those that do not.
 * Given what became of each file, in the list's order, rank 0 gives classes with a usable training picture their labels, draws
 * what is held out, and drops held-out copies. The outcome depends on the files and the seed only, not on the ranks.
 * Memory: pack_sort_free, also after an error. Errors: STATUS_BAD where nothing can be used. Ranks: local, rank 0. */
#ifndef JOBS_PACK_SORT_H
#define JOBS_PACK_SORT_H
#include <stddef.h>
#include <stdint.h>

#include "io/dataset.h"
#include "io/folder_list.h"
#include "io/seen.h"
#include "jobs/pack.h"

enum { DETAIL = 120 };
enum fate { FATE_USED, FATE_HIDDEN, FATE_STRAY, FATE_DEEP, FATE_SPECIAL, FATE_UNREADABLE, FATE_EMPTY, FATE_UNKNOWN,
            FATE_DAMAGED, FATE_UNSUPPORTED, FATE_UNLISTED, FATE_LISTED_BAD, FATE_CHANGED, FATE_SMALL, FATE_CLASS, FATE_COPY, FATES };
struct outcome { struct pixel_hash hash; int16_t fate; uint8_t turned, grey16; };   /* turned: by EXIF, which is ignored */
struct detail { uint64_t file; char text[DETAIL]; };
struct details { struct detail *item; size_t count, room; };
int details_add(struct details *d, size_t file, const char *text);

struct place { int32_t rank; uint32_t slot; };   /* piece `slot` of those that the rank kept */
struct sorting {
  struct outcome *outcome;      /* [files of the list] */
  struct details details;       /* in the order of the files */
  size_t count[2];              /* images by enum split */
  struct place *image[2];       /* [count] */
  int32_t *labels[2];           /* [count] */
  size_t classes;               /* with a training picture */
  char (*class_names)[CLASS_NAME_MAX];
  int32_t *label;               /* [classes of the list], -1 for none */
  size_t dropped, repeated;     /* held-out copies; training images whose pixels came before, which stay */
  uint64_t *copy_of;            /* [files of the list] for FATE_COPY: the file that has its pixels */
};
int pack_sort(struct sorting *s, const struct folder_order *o, const struct folder_list *l, int ranks);
/* Prints the report, and writes FILE.left_out.txt or removes an old one. */
int pack_sort_report(const struct sorting *s, const struct folder_order *o, const struct folder_list *l);
void pack_sort_free(struct sorting *s);
#endif
