/* edited.h - HDF5 files for check_judge.c: a fixture with something changed, or made from nothing. Errors end the test. */
#ifndef TESTS_EDITED_H
#define TESTS_EDITED_H
#include <hdf5.h>

#include "tests/harness.h"

static char folder[256], path[300];   /* the test's own folder, and the file in it that is edited */
static const char *data;              /* where the fixtures lie */

static inline void copy(const char *from, const char *to) {
  char source[1200];
  snprintf(source, sizeof source, "%s/%s", data, from);
  FILE *in = fopen(source, "rb"), *out = fopen(to, "wb");
  if (!in || !out) ck_abort_msg("%s cannot be copied to %s", source, to);
  for (int c; (c = getc(in)) != EOF;) putc(c, out);
  fclose(in);
  fclose(out);
}

static inline hid_t edit(const char *fixture) {
  copy(fixture, path);
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  ck_assert(file >= 0);
  return file;
}

static inline hid_t fresh(void) { return H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT); }

/* A dataset of doubles, all `value`, or as `values` has them; groups on the way to it are made. */
static inline void put(hid_t file, const char *name, int rank, const hsize_t *dims, double value, const double *values) {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE), space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t set = H5Dcreate2(file, name, H5T_NATIVE_DOUBLE, space, links, H5P_DEFAULT, H5P_DEFAULT);
  const size_t n = (size_t)H5Sget_simple_extent_npoints(space);
  double *all = calloc(n + 1, sizeof *all);
  ck_assert_ptr_nonnull(all);
  for (size_t i = 0; i < n; i++) all[i] = values ? values[i] : value;
  ck_assert(set >= 0 && H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
  free(all);
  H5Dclose(set), H5Sclose(space), H5Pclose(links);
}
static inline void put_all(hid_t file, const char *name, hsize_t n, double value) { put(file, name, 1, &n, value, NULL); }

/* An attribute of n numbers, all `value`, in the place of the one that is there. */
static inline void set_attribute(hid_t file, const char *object, const char *name, hsize_t n, double value) {
  const hid_t space = n == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
  double *all = calloc(n, sizeof *all);
  ck_assert_ptr_nonnull(all);
  for (size_t i = 0; i < n; i++) all[i] = value;
  H5Adelete_by_name(file, object, name, H5P_DEFAULT);
  const hid_t a = H5Acreate_by_name(file, object, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ck_assert(a >= 0 && H5Awrite(a, H5T_NATIVE_DOUBLE, all) >= 0);
  free(all);
  H5Aclose(a), H5Sclose(space);
}

/* An attribute of n texts of variable length, or of one of fixed length where size is not 0. */
static inline void set_texts(hid_t file, const char *object, const char *name, hsize_t n, const char *const *texts, size_t size) {
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &n, NULL);
  H5Tset_size(type, size ? size : H5T_VARIABLE);
  H5Adelete_by_name(file, object, name, H5P_DEFAULT);
  const hid_t a = H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ck_assert(a >= 0 && H5Awrite(a, type, size ? (const void *)*texts : texts) >= 0);
  H5Aclose(a), H5Sclose(space), H5Tclose(type);
}

/* Multiplies the number that is largest by `factor`. */
static inline void bend(hid_t file, const char *name, double factor) {
  const hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(set);
  const size_t n = (size_t)H5Sget_simple_extent_npoints(space);
  double *all = calloc(n, sizeof *all);
  ck_assert_ptr_nonnull(all);
  size_t most = 0;
  ck_assert(set >= 0 && H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
  for (size_t i = 0; i < n; i++) most = fabs(all[i]) > fabs(all[most]) ? i : most;
  all[most] *= factor;
  ck_assert(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
  free(all);
  H5Sclose(space), H5Dclose(set);
}

static inline void drop(hid_t file, const char *name) { ck_assert(H5Ldelete(file, name, H5P_DEFAULT) >= 0); }
static inline void rename_link(hid_t file, const char *from, const char *to) {
  ck_assert(H5Lmove(file, from, file, to, H5P_DEFAULT, H5P_DEFAULT) >= 0);
}
#endif
