#include "io/network_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "io/hdf.h"
#include "io/whole.h"
#include "src/base/status.h"

#define FORMAT "pmf-network"
enum { VERSION = 1 };
static const char *const source_name[] = { "source", "source2" }, *const sha_name[] = { "sha256", "sha256_2" };

static void hash_of(size_t n, const float *weights, char hash[NETWORK_HASH]) {
  snprintf(hash, NETWORK_HASH, "%016" PRIx64, XXH64(weights, n * sizeof *weights, 0));
}

/* depth0, depth1, ... */
static const char *numbered(char name[32], const char *what, int i) {
  snprintf(name, 32, "%.8s%d", what, i);
  return name;
}

struct parts { const struct network_facts *facts; const float *weights; };
static int put_all(hid_t file, const void *context) {
  const struct parts *p = context;
  const struct network_facts *f = p->facts;
  const hsize_t size = f->n;
  char name[32];
  int bad = hdf_put_text(file, "format", FORMAT) || hdf_put_number(file, "version", VERSION)
            || hdf_put_text(file, "kind", f->kind) || hdf_put_text(file, "hash", f->hash);
  for (int i = 0; i < NETWORK_STAGES && f->depths[0] && !bad; i++)
    bad = hdf_put_number(file, numbered(name, "depth", i), f->depths[i])
          || hdf_put_number(file, numbered(name, "dim", i), f->dims[i]);
  for (int i = 0; i < NETWORK_SOURCES && *f->source[i] && !bad; i++)
    bad = hdf_put_text(file, source_name[i], f->source[i]) || hdf_put_text(file, sha_name[i], f->sha256[i]);
  return bad || hdf_put(file, "weights", H5T_NATIVE_FLOAT, 1, &size, p->weights) || hdf_put_number(file, "complete", 1);
}

int network_file_write(const char *path, struct network_facts *facts, size_t n, const float *weights) {
  facts->n = n;
  hash_of(n, weights, facts->hash);
  return whole_write(path, put_all, &(struct parts){ facts, weights });
}

static int get_sizes(hid_t file, struct network_facts *f) {
  char name[32];
  for (int i = 0; i < NETWORK_STAGES; i++) {
    uint64_t depth, dim;
    if (hdf_get_number(file, numbered(name, "depth", i), &depth) || hdf_get_number(file, numbered(name, "dim", i), &dim)
        || depth < 1 || depth > 1000 || dim < 1 || dim > 1 << 16)
      return -1;
    f->depths[i] = (size_t)depth;
    f->dims[i] = (size_t)dim;
  }
  return 0;
}

static int get_facts(hid_t file, const char *path, const char *kind, struct network_facts *f) {
  char format[64];
  uint64_t version, complete;
  if (hdf_get_text(file, "format", format, sizeof format) || strcmp(format, FORMAT))
    return because(STATUS_BAD, "%s: not a network that pmf import wrote", path);
  if (hdf_get_number(file, "version", &version) || version != VERSION || hdf_get_number(file, "complete", &complete))
    return because(STATUS_BAD, "%s: of another version, or cut; import it again", path);
  if (hdf_get_text(file, "kind", f->kind, sizeof f->kind) || hdf_get_text(file, "hash", f->hash, sizeof f->hash))
    return because(STATUS_BAD, "%s: attribute kind or hash is missing", path);
  if (kind && strcmp(kind, f->kind)) return because(STATUS_BAD, "%s: a network of kind %s, expected %s", path, f->kind, kind);
  if (!strcmp(f->kind, "convnext") && get_sizes(file, f))
    return because(STATUS_BAD, "%s: its depths and widths are missing or cannot be", path);
  const hid_t set = H5Dopen2(file, "weights", H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
  const hssize_t size = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
  if (space >= 0) H5Sclose(space);
  if (set >= 0) H5Dclose(set);
  if (size < 1) return because(STATUS_BAD, "%s: /weights is missing or damaged", path);
  f->n = (size_t)size;
  for (int i = 0; i < NETWORK_SOURCES; i++)
    if (hdf_get_text(file, source_name[i], f->source[i], sizeof f->source[i])
        || hdf_get_text(file, sha_name[i], f->sha256[i], sizeof f->sha256[i]))
      *f->source[i] = *f->sha256[i] = 0;
  return STATUS_OK;
}

int network_file_facts(const char *path, const char *kind, struct network_facts *facts) {
  hid_t file;
  *facts = (struct network_facts){ 0 };
  int status = hdf_open(&file, path);
  if (status) return status;
  status = get_facts(file, path, kind, facts);
  H5Fclose(file);
  return status;
}

static int get_weights(hid_t file, const char *path, size_t n, float *weights) {
  char stored[NETWORK_HASH] = "", hash[NETWORK_HASH];
  hsize_t size;
  void *list;
  if (hdf_get(file, "weights", H5T_NATIVE_FLOAT, 1, &size, &list))
    return because(STATUS_BAD, "%s: /weights is missing or damaged", path);
  if (size == n) memcpy(weights, list, n * sizeof *weights);
  free(list);
  if (size != n) return because(STATUS_BAD, "%s: /weights has %llu numbers, expected %zu", path, (unsigned long long)size, n);
  hash_of(n, weights, hash);
  if (hdf_get_text(file, "hash", stored, sizeof stored) || strcmp(stored, hash))
    return because(STATUS_BAD, "%s: damaged: its weights differ from their checksum; import it again", path);
  return STATUS_OK;
}

int network_file_read(const char *path, size_t n, float *weights) {
  hid_t file;
  int status = hdf_open(&file, path);
  if (status) return status;
  status = get_weights(file, path, n, weights);
  H5Fclose(file);
  return status;
}
