/* imported FILE.h5 ... - for import.sh: do these checkpoints hold the weights of tests/data/pmf_square.h5 bit for bit, and make
 * its images? Says what differs, exit code 1. */
#include <hdf5.h>

#include "io/checkpoint.h"
#include "jobs/trained.h"
#include "src/base/status.h"
#define HARNESS_MPI
#include "tests/harness.h"

static float *read_set(hid_t at, const char *name, size_t *count) {
  const hid_t set = H5Dopen2(at, name, H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
  if (set < 0) return NULL;
  *count = (size_t)H5Sget_simple_extent_npoints(space);
  float *x = calloc(*count + 1, sizeof *x);
  const int bad = H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) < 0;
  H5Sclose(space);
  H5Dclose(set);
  return bad ? NULL : x;
}

static int different(const char *path, const char *what) {
  fprintf(stderr, "%s: %s\n", path, what);
  return 1;
}

static int check_weights(const struct trained *t, hid_t file) {
  int bad = 0;
  for (size_t i = 0; i < t->net.table.count; i++) {
    const struct tensor *x = &t->net.table.tensors[i];
    char name[200];
    size_t count;
    if (net_in_v_head(x)) continue;
    snprintf(name, sizeof name, "params/%s", x->name);
    float *y = read_set(file, name, &count);
    if (!y || count != x->size || memcmp(y, t->weights + x->offset, count * sizeof *y)) bad |= different(t->path, x->name);
    free(y);
  }
  return bad;
}

/* Group `sample` of the fixture: unit noise, classes, images of 1, 2 and 4 steps at w 3.5 in [0.1, 0.7]. */
static int check_samples(const struct trained *t, hid_t file) {
  enum { B = 3 };
  const size_t P = t->net.pixels;
  struct sampler c;
  struct sampler_work w;
  struct arena arena = { 0 };
  size_t count;
  int32_t labels[B];
  int bad = 0;
  if (trained_sampler(t, 3.5, 0.1, 0.7, &c)) return different(t->path, status_reason());
  sampler_layout(&arena, &t->net, B, &w);
  if (arena_init(&arena)) return different(t->path, "no memory");
  sampler_layout(&arena, &t->net, B, &w);
  float *y = read_set(file, "sample/y", &count), *noise = read_set(file, "sample/noise", &count), *z = new_zeros(B * P);
  if (!y || !noise || count != B * P) return different(t->path, "the fixture's group sample is another");
  for (int i = 0; i < B; i++) labels[i] = (int32_t)y[i];
  for (c.steps = 1; c.steps <= 4; c.steps *= 2) {
    char name[32];
    snprintf(name, sizeof name, "sample/images_%zu", c.steps);
    float *images = read_set(file, name, &count);
    memcpy(z, noise, B * P * sizeof *z);
    sampler_images(&c, &t->net, t->weights, &w, B, labels, z);
    if (!images || !(relative_error_samples(B, P, z, images) < 2e-5)) bad |= different(t->path, name);
    free(images);
  }
  free(y), free(noise), free(z);
  arena_free(&arena);
  return bad;
}

int main(int argc, char **argv) {
  char full[1200];
  const char *data = getenv("TEST_DATA");
  snprintf(full, sizeof full, "%s/pmf_square.h5", data ? data : TEST_DATA);
  world_init(&argc, &argv, &world);
  const hid_t file = H5Fopen(full, H5F_ACC_RDONLY, H5P_DEFAULT);
  int bad = file < 0 || argc < 2;
  for (int i = 1; i < argc && !bad; i++) {
    struct trained t = { 0 };
    if (trained_open(&t, &world, NULL, argv[i], NULL) || trained_load(&t, &world)) bad = different(argv[i], status_reason());
    if (!bad) bad = check_weights(&t, file) | check_samples(&t, file) | (t.v_head && different(argv[i], "a v head"));
    trained_close(&t);
  }
  if (file >= 0) H5Fclose(file);
  world_end(&world, bad);
  return bad;
}
