/* patch.h - images as rows of patches and back. An image [H,H,C] has (H/p)^2 patches, row by row; a patch is p*p*C numbers.
 * Two orders inside a patch (SPEC 5): channel, row, column on the way in (as proj1.weight is stored), row, column,
 * channel on the way out. Memory: the caller owns every array. Errors: none. Ranks: local. */
#ifndef NET_PATCH_H
#define NET_PATCH_H
#include <stddef.h>

#include "src/base/real.h"

struct patch { size_t H, p, C; };
/* rows[B*N, p*p*C], channel-row-column. */
void patch_split(const struct patch *l, size_t B, const real *image, real *rows);
/* rows[B*N, p*p*C], row-column-channel: the transpose of patch_join, for gradients. */
void patch_split_out(const struct patch *l, size_t B, const real *image, real *rows);
/* image[B,H,H,C] from rows in row-column-channel order. */
void patch_join(const struct patch *l, size_t B, const real *rows, real *image);
#endif
