/* network_file.h - the weights of a network that looks at images (VGG-16 with LPIPS heads, ConvNeXt-V2, Inception), imported
 * from the file that others publish, in one HDF5 file.
 *   /weights  float32 [n], flat, as the network's table lays them out, in torch's layout
 *   attributes of /: format = "pmf-network", version, kind ("lpips", "convnext", "inception"), depths and dims (of convnext: four
 *   numbers each), source, source2 (names of the files they came from), sha256, sha256_2 (of those files), hash (XXH64 of the
 *   weights' bytes), complete
 * Ranks: local. */
#ifndef IO_NETWORK_FILE_H
#define IO_NETWORK_FILE_H
#include <stddef.h>

#include "io/sha256.h"

enum { NETWORK_STAGES = 4, NETWORK_SOURCES = 2, NETWORK_NAME = 256, NETWORK_HASH = 20 };
struct network_facts {
  char kind[16];
  size_t depths[NETWORK_STAGES], dims[NETWORK_STAGES];
  char source[NETWORK_SOURCES][NETWORK_NAME], sha256[NETWORK_SOURCES][SHA256_TEXT];   /* "" where there is none */
  char hash[NETWORK_HASH];
  size_t n;                        /* weights */
};
/* facts' hash and n are filled in. Errors: those of whole_write. */
int network_file_write(const char *path, struct network_facts *facts, size_t n, const float *weights);
/* What kind of network it is; it must be `kind`, unless that is NULL. Errors: STATUS_BAD: missing, cut, of another format or
 * kind; one line. */
int network_file_facts(const char *path, const char *kind, struct network_facts *facts);
/* weights[n]. Errors: STATUS_BAD: another number of weights, or damaged. */
int network_file_read(const char *path, size_t n, float *weights);
#endif
