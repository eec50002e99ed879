/* import_network.h - the part of pmf import that reads networks which look at images. Ranks: local. */
#ifndef JOBS_IMPORT_NETWORK_H
#define JOBS_IMPORT_NETWORK_H
#include "io/weights.h"

/* Has the file the tensors of one (or of LPIPS' heads)? */
bool import_is_network(const struct weights *f);
/* Writes `out` (network_file.h). heads: the file of LPIPS' weights, for VGG-16; NULL: none, or they are in the same file.
 * argv: the user's words, none of which may be a setting. Errors: STATUS_BAD: it does not fit; STATUS_IO, STATUS_NOMEM. */
int import_network(struct weights *f, const char *heads, const char *out, int argc, char **argv);
#endif
